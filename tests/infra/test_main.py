"""The parameters of the deployment, its names, its limits, and what azd is told."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared import settings
from tests.infra.bicep import INFRA, ROOT, Code, all_templates, read, value_of

MAIN = read(INFRA / "main.bicep")
APP = read(INFRA / "modules" / "app.bicep")
PARAMETERS = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
HOST = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
FROM_ENVIRONMENT = re.compile(r"\$\{([A-Z][A-Z0-9_]*)(?:=(.*))?\}")
LIMITS = {
    "resourceGroup": (1, 90, r"[\w.()-]+(?<!\.)"),
    "identity": (3, 128, r"[A-Za-z0-9][\w-]+"),
    "workspace": (4, 63, r"[A-Za-z0-9][A-Za-z0-9-]+[A-Za-z0-9]"),
    "insights": (1, 260, r"[\w.()-]+(?<!\.)"),
    "hostStorage": (3, 24, r"[a-z0-9]+"),
    "documents": (3, 24, r"[a-z0-9]+"),
    "model": (2, 64, r"[a-z0-9][a-z0-9-]+[a-z0-9]"),
    "vault": (3, 24, r"[A-Za-z](?!.*--)[A-Za-z0-9-]+[A-Za-z0-9]"),
    "scheduler": (3, 64, r"[A-Za-z0-9-]+"),
    "network": (2, 64, r"[A-Za-z0-9][\w.-]+\w"),
    "plan": (1, 60, r"[A-Za-z0-9-]+"),
    # Not 60: of longer names, hosts that share a storage account would take the first 32 characters for their id.
    "app": (2, 32, r"[a-z0-9][a-z0-9-]+[a-z0-9]"),
}
"""Least and most characters of a name, and what they may be ("Naming rules and restrictions for Azure resources")."""


def value(name: str) -> Any:
    node = MAIN.named(name).value_node
    return None if node is None else value_of(node)


def longest(template: str) -> str:
    """A name as long as it can be; `uniqueString` always has 13 characters."""
    longest_environment = MAIN.named("environmentName").decorators["maxLength"][0]
    return template.replace("${token}", "a1b2c3d4e5f6g").replace("${environmentName}", "e" * longest_environment)


@pytest.mark.parametrize("name", LIMITS)
def test_a_resource_has_a_name_that_azure_takes(name: str) -> None:
    least, most, form = LIMITS[name]
    given = longest(value("names")[name])
    assert least <= len(given) <= most
    assert re.fullmatch(form, given)


def test_every_name_has_its_limits() -> None:
    assert value("names").keys() == LIMITS.keys()


def test_every_parameter_comes_from_the_environment_of_azd() -> None:
    assert PARAMETERS.keys() == {param.name for param in MAIN.of("param")} - {"tags"}
    names = [FROM_ENVIRONMENT.fullmatch(given["value"])[1] for given in PARAMETERS.values()]  # type: ignore[index]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_has_the_same_default_in_both_files(name: str) -> None:
    match = FROM_ENVIRONMENT.fullmatch(PARAMETERS[name]["value"])
    assert match
    default = value(name)
    written = str(default).lower() if isinstance(default, bool) else default if default is None else str(default)
    assert match[2] == written


@pytest.mark.parametrize("param", [one for one in MAIN.of("param") if one.value_node], ids=lambda one: one.name)
def test_a_default_is_within_its_own_limits(param) -> None:
    default, rules = value(param.name), param.decorators
    assert default in rules.get("allowed", [[default]])[0]
    if isinstance(default, int):
        assert rules.get("minValue", [default])[0] <= default <= rules.get("maxValue", [default])[0]


@pytest.mark.parametrize(
    ("template", "param"),
    [(template.path.name, one) for template in all_templates() for one in template.of("param") if one.value_node],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_default_is_of_the_type_of_its_parameter(template: str, param) -> None:
    types = {"string": str, "int": int, "bool": bool, "object": dict}
    assert type(value_of(param.value_node)) is types[param.target], template


def test_a_number_or_a_choice_has_limits() -> None:
    unlimited = [
        one.name
        for one in MAIN.of("param")
        if one.target == "int" and not {"minValue", "allowed"} & one.decorators.keys()
    ]
    assert unlimited == []


def test_the_name_of_a_setting_means_the_same_in_azd_and_in_the_app() -> None:
    env_names = {FROM_ENVIRONMENT.fullmatch(given["value"])[1]: name for name, given in PARAMETERS.items()}  # type: ignore[index]
    shared_names = {name: param for name, param in env_names.items() if hasattr(settings, name)}
    assert shared_names == {
        "CHORUS_MODEL": "modelDeploymentName",
        "CHORUS_MODEL_API": "modelApi",
        "CHORUS_SOURCE_CONTAINERS": "sourceContainers",
        "CHORUS_SINK_CONTAINERS": "sinkContainers",
        "CHORUS_CALLBACK_SECRET": "callbackSecret",
        "CHORUS_CALLBACK_HOSTS": "callbackHosts",
        "CHORUS_RETENTION_DAYS": "runRetentionDays",
    }
    assert MAIN.named("modelApi").decorators["allowed"] == [["responses", "chat_completions"]]


def test_a_retention_that_the_app_would_refuse_is_refused_before_anything_is_made() -> None:
    least, most = settings.LEAST_RETENTION_DAYS, settings.MOST_RETENTION_DAYS
    refused = f"runRetentionDays == 0 || runRetentionDays >= {least} ? runRetentionDays : fail("
    assert value("retentionDays").text.startswith(refused)
    assert f"must be {least} or more" in value("retentionDays").text
    assert MAIN.named("runRetentionDays").decorators["maxValue"] == [most]
    assert MAIN.named("app").at("params.runRetentionDays") == Code("retentionDays")


def test_the_secret_of_callbacks_is_secure_wherever_it_is_a_parameter() -> None:
    for template in (MAIN, read(INFRA / "modules" / "secrets.bicep")):
        assert "secure" in template.named("callbackSecret").decorators


def test_an_instance_takes_fewer_requests_at_a_time_than_its_host_refuses() -> None:
    ceiling = HOST["extensions"]["http"]["maxConcurrentRequests"]
    assert MAIN.named("httpConcurrency").decorators["maxValue"] == [ceiling]
    assert value("httpConcurrency") < ceiling


def test_the_calls_in_flight_that_the_ceiling_of_instances_is_said_to_hold_follow_from_host_json() -> None:
    calls = value("maximumInstanceCount") * HOST["extensions"]["durableTask"]["maxConcurrentActivityFunctions"]
    assert f"{calls:,} calls in flight" in MAIN.named("maximumInstanceCount").decorators["description"][0]


def test_the_app_runs_on_the_python_that_it_is_tested_with() -> None:
    runtime = APP.named("app").at("properties.functionAppConfig.runtime")
    assert runtime == {"name": "python", "version": (ROOT / ".python-version").read_text().strip()}


def test_the_variant_of_host_json_differs_in_where_the_task_hub_is_and_in_nothing_else() -> None:
    variant = json.loads((INFRA / "host.scheduler.json").read_text(encoding="utf-8"))
    provider = variant["extensions"]["durableTask"]["storageProvider"]
    assert provider == {"type": "azureManaged", "connectionStringName": "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"}
    variant["extensions"]["durableTask"]["storageProvider"] = HOST["extensions"]["durableTask"]["storageProvider"]
    assert variant == HOST, "python -m tests.infra.host_variant writes it"


def test_the_task_hub_of_the_scheduler_is_the_one_that_the_host_asks_for() -> None:
    assert MAIN.named("scheduler").at("params.taskHubName") == HOST["extensions"]["durableTask"]["hubName"]


def test_azd_finds_the_app_by_the_tag_of_its_service() -> None:
    services = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))["services"]
    tags = APP.named("app").at("tags")
    assert [f"union(tags, {{ 'azd-service-name': '{name}' }})" for name in services] == [tags.text]
    assert value("allTags") == Code("union(tags, { 'azd-env-name': environmentName })")


def test_the_outputs_have_the_names_by_which_azd_and_the_pages_ask_for_them() -> None:
    assert [one.name for one in MAIN.of("output")] == [
        "AZURE_RESOURCE_GROUP",  # azd looks for the app in it
        "CHORUS_APP_NAME",
        "CHORUS_URL",
        "CHORUS_DOCUMENTS_URL",
        "CHORUS_INSIGHTS_NAME",
    ]
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?:get-value|\$\(output) (\w+)", page))
    assert asked > {"AZURE_RESOURCE_GROUP", "CHORUS_APP_NAME", "CHORUS_URL"}
    set_by_hand = {FROM_ENVIRONMENT.fullmatch(given["value"])[1] for given in PARAMETERS.values()}  # type: ignore[index]
    assert asked <= {one.name for one in MAIN.of("output")} | set_by_hand


def test_the_groups_that_are_always_ready_are_those_in_which_flex_consumption_scales_the_app() -> None:
    groups = re.findall(
        r"name: '(\w+)'", APP.named("app").at("properties.functionAppConfig.scaleAndConcurrency.alwaysReady").text
    )
    assert groups == ["http", "durable"]


def test_azd_is_told_where_the_templates_are_and_that_this_is_a_function_app_in_python() -> None:
    azd = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
    service = azd["services"]["chorus"]
    assert (ROOT / azd["infra"]["path"] / f"{azd['infra']['module']}.bicep").is_file()
    assert (service["project"], service["language"], service["host"]) == (".", "py", "function")
    assert service["remoteBuild"] is True  # wheels for Azure's Linux, whatever the machine is that deploys
    for hook in (*service["hooks"].values(), *azd["hooks"].values()):
        for system in hook.values():
            assert (ROOT / re.sub(r"^(sh|\./) ?", "", system["run"]).split()[0]).is_file()
    assert azd["hooks"].keys() == {"predown"}
    assert [hook["windows"]["run"].split()[-1] for hook in service["hooks"].values()] == ["put", "back"]
    assert {name: hook["posix"]["run"].split()[-1] for name, hook in service["hooks"].items()} == {
        "prepackage": "put",
        "postpackage": "back",
    }


def packaged(folder: Path, action: str, backend: str | None) -> dict[str, str]:
    env = {"PATH": "/usr/bin:/bin"} | ({"CHORUS_DURABLE_BACKEND": backend} if backend else {})
    subprocess.run(["sh", INFRA / "host-json.sh", action], cwd=folder, env=env, check=True)
    return json.loads((folder / "host.json").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "infra").mkdir()
    (tmp_path / "host.json").write_text('{"of": "storage"}')
    (tmp_path / "infra" / "host.scheduler.json").write_text('{"of": "scheduler"}')
    return tmp_path


@pytest.mark.parametrize(
    ("backend", "of"), [(None, "storage"), ("azureStorage", "storage"), ("scheduler", "scheduler")]
)
def test_the_package_gets_the_host_json_of_its_backend(project: Path, backend: str | None, of: str) -> None:
    assert packaged(project, "put", backend) == {"of": of}
    assert packaged(project, "back", backend) == {"of": "storage"}


def test_after_a_packaging_that_was_broken_off_the_next_one_starts_from_the_own_host_json(project: Path) -> None:
    packaged(project, "put", "scheduler")
    assert packaged(project, "put", "scheduler") == {"of": "scheduler"}
    assert packaged(project, "put", "azureStorage") == {"of": "storage"}
    assert packaged(project, "back", "azureStorage") == {"of": "storage"}


def taken_down(**env: str) -> subprocess.CompletedProcess[str]:
    """What the hook before `azd down` says."""
    return subprocess.run(["sh", INFRA / "down.sh"], env=env, capture_output=True, text=True, check=False)


def test_azd_down_does_not_delete_the_resource_group_of_a_model_account_that_existed_already() -> None:
    account = "/subscriptions/s/resourceGroups/theirs/providers/Microsoft.CognitiveServices/accounts/a"
    done = taken_down(CHORUS_EXISTING_MODEL_ACCOUNT_ID=account, AZURE_RESOURCE_GROUP="rg-ours")
    assert done.returncode == 1
    assert account in done.stderr
    assert "az group delete --name rg-ours\n" in done.stderr


def test_azd_down_is_told_the_group_by_the_environment_where_nothing_was_deployed_to_the_end() -> None:
    done = taken_down(CHORUS_EXISTING_MODEL_ACCOUNT_ID="/subscriptions/s", AZURE_ENV_NAME="chorus-test")
    assert "az group delete --name rg-chorus-test\n" in done.stderr


@pytest.mark.parametrize("env", [{}, {"CHORUS_EXISTING_MODEL_ACCOUNT_ID": ""}])
def test_azd_down_goes_on_where_the_model_account_is_ours(env: dict[str, str]) -> None:
    assert taken_down(**env).returncode == 0


def test_the_hook_before_azd_down_says_the_same_on_windows() -> None:
    script = (INFRA / "down.ps1").read_text(encoding="utf-8")
    assert "if ($env:CHORUS_EXISTING_MODEL_ACCOUNT_ID)" in script
    assert "az group delete --name $group" in script
    assert "exit 1" in script
