from __future__ import annotations

import json
import re

import pytest
from tree_sitter import Node

from shared import settings
from tests.infra.bicep import INFRA, ROOT, Code, Template, parse, properties_of, read, text_of, value_of, walk
from tests.infra.names import keys_in

APP = read(INFRA / "modules" / "app.bicep")


def settings_node(app: Template) -> Node:
    """The expression that gives the app its settings."""
    return next(value for key, value in properties_of(app.named("settings").body_node) if key == "properties")


PROVIDED_NODE = settings_node(APP)
PROVIDED = keys_in(PROVIDED_NODE)

OF_THE_PLATFORM = {
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "PYTHON_ENABLE_INIT_INDEXING",
    "PYTHON_ENABLE_OPENTELEMETRY",
    # Read by azure-identity
    "AZURE_CLIENT_ID",
    "AZURE_TOKEN_CREDENTIALS",
}
"""What the host, the worker and the SDKs read, and no line of ours."""

LEFT_OUT = {
    "AzureWebJobsStorage": "a connection string: AzureWebJobsStorage__accountName and the identity stand for it",
    "FUNCTIONS_WORKER_RUNTIME": "functionAppConfig.runtime stands for it; Flex Consumption refuses it",
    "AZURE_OPENAI_API_KEY": "a key: the identity stands for it",
    "OPENAI_API_KEY": "a key of another service, which has no Entra ID",
    "OPENAI_BASE_URL": "another service, which AZURE_OPENAI_ENDPOINT would hide",
    "CHORUS_RECIPES": "the recipes of the package are used",
    "CHORUS_CALLBACK_LOOPBACK": "for development; the app refuses it on Azure",
    "CHORUS_TELEMETRY_CONTENT": "prompts and answers in telemetry are a decision to be taken by hand",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "telemetry goes to Application Insights",
    "OTEL_SERVICE_NAME": "the name of the app stands for it",
}
"""Settings that are known and not provided, each with the reason."""

NOT_ON_FLEX_CONSUMPTION = frozenset(
    {
        "ENABLE_ORYX_BUILD",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION",
        "FUNCTIONS_MAX_HTTP_CONCURRENCY",
        "FUNCTIONS_WORKER_PROCESS_COUNT",
        "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTOVERVNET",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_DNS_SERVER",
        "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
        "WEBSITE_NODE_DEFAULT_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
        "WEBSITE_TIME_ZONE",
        "WEBSITE_VNET_ROUTE_ALL",
    }
)
"""App settings that Flex Consumption has no use for, or refuses ("Flex Consumption plan deprecations")."""


def read_by_the_code() -> set[str]:
    """The names that `shared/settings.py` reads: its constants whose value is a setting's name, all of them its own."""
    constants = {name: value for name, value in vars(settings).items() if isinstance(value, str)}
    return {value for name, value in constants.items() if name == value and re.fullmatch(r"[A-Z][A-Z0-9_]+", value)}


def in_the_example() -> set[str]:
    """The names of `local.settings.json.example`."""
    return set(json.loads((ROOT / "local.settings.json.example").read_text(encoding="utf-8"))["Values"])


def in_host_json(name: str) -> set[str]:
    """The names of settings that a `host.json` refers to."""
    provider = json.loads((ROOT / name).read_text(encoding="utf-8"))["extensions"]["durableTask"]["storageProvider"]
    return {value for key, value in provider.items() if key.startswith("connection")}


def missing_from(provided: list[str]) -> set[str]:
    """Settings that the code or `host.json` reads, and that are neither provided nor left out for a reason."""
    known = read_by_the_code() | in_the_example() | in_host_json("infra/host.scheduler.json")
    return known - set(provided) - LEFT_OUT.keys()


def unknown_in(provided: list[str]) -> set[str]:
    """Settings that nothing reads, or that are left out for a reason, or that Flex Consumption refuses."""
    known = read_by_the_code() | OF_THE_PLATFORM | in_host_json("infra/host.scheduler.json")
    return set(provided) - known | set(provided) & (LEFT_OUT.keys() | NOT_ON_FLEX_CONSUMPTION)


def test_every_setting_that_the_code_reads_is_provided_or_left_out_for_a_reason() -> None:
    assert missing_from(PROVIDED) == set()


def test_no_setting_is_provided_that_nothing_reads_or_that_must_not_be() -> None:
    assert unknown_in(PROVIDED) == set()
    assert len(PROVIDED) == len(set(PROVIDED))


@pytest.mark.parametrize(
    ("written", "instead", "missing", "unknown"),
    [
        ("CHORUS_STORAGE: documentsUrl", "", {"CHORUS_STORAGE"}, set()),
        ("CHORUS_STORAGE:", "CHORUS_STORGE:", {"CHORUS_STORAGE"}, {"CHORUS_STORGE"}),
        ("AZURE_CLIENT_ID: identityClientId", "OPENAI_API_KEY: 'x'", set(), {"OPENAI_API_KEY"}),
        ("AZURE_CLIENT_ID:", "WEBSITE_RUN_FROM_PACKAGE:", set(), {"WEBSITE_RUN_FROM_PACKAGE"}),
        ("DURABLE_TASK_SCHEDULER_CONNECTION_STRING:", "DTS:", {"DURABLE_TASK_SCHEDULER_CONNECTION_STRING"}, {"DTS"}),
    ],
)
def test_a_setting_that_is_lacking_or_wrong_is_seen(
    written: str, instead: str, missing: set[str], unknown: set[str]
) -> None:
    source = APP.path.read_text(encoding="utf-8")
    assert written in source
    template = parse(source.replace(written, instead))
    assert template.syntax_errors == []
    provided = keys_in(settings_node(template))
    assert (missing_from(provided), unknown_in(provided)) == (missing, unknown)


def test_the_code_reads_the_settings_that_we_think_it_reads() -> None:
    assert {"AZURE_OPENAI_ENDPOINT", "CHORUS_STORAGE", "CHORUS_CALLBACK_HOSTS"} <= read_by_the_code()


def test_settings_in_all_objects_that_are_joined_are_found() -> None:
    template = parse("resource s 'A/b@2024-01-01' = { properties: union({ A: 1 }, c ? {} : { B: { C: 2 } }) }")
    node = next(value for key, value in properties_of(template.named("s").body_node) if key == "properties")
    assert keys_in(node) == ["A", "B"]


def test_what_connects_to_a_service_is_an_address_and_the_identity() -> None:
    values = {
        key: value_of(value)
        for node in walk(PROVIDED_NODE)
        if node.type == "object"
        for key, value in properties_of(node)
    }
    assert values["AzureWebJobsStorage__credential"] == "managedidentity"
    assert values["AZURE_TOKEN_CREDENTIALS"] == "ManagedIdentityCredential"
    assert values["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] == "ClientId=${identityClientId};Authorization=AAD"
    for name in ("AzureWebJobsStorage__clientId", "AZURE_CLIENT_ID"):
        assert values[name] == Code("identityClientId")


def test_only_two_settings_sound_like_connection_strings_and_neither_has_a_key() -> None:
    assert {name for name in PROVIDED if "CONNECTION" in name} == {
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
    }
    address = read(INFRA / "modules" / "scheduler.bicep").named("address").value_node
    assert address is not None
    assert re.sub(r"\$\{[^}]+\}", "…", value_of(address)) == "Endpoint=…;Authentication=ManagedIdentity;ClientID=…"


def test_the_callback_secret_is_a_reference_into_the_vault() -> None:
    text = text_of(PROVIDED_NODE)
    assert "CHORUS_CALLBACK_SECRET: '@Microsoft.KeyVault(SecretUri=${callbackSecretAddress})'" in text
    assert "keyVaultReferenceIdentity" in keys_in(
        next(value for key, value in properties_of(APP.named("app").body_node) if key == "properties")
    )


def test_the_reference_into_the_vault_names_no_version_so_that_a_renewed_secret_is_followed() -> None:
    address = read(INFRA / "modules" / "secrets.bicep").named("callbackSecretAddress").value_node
    assert address is not None
    assert value_of(address) == "${vault.properties.vaultUri}secrets/${secret.name}"


def test_settings_that_are_not_always_there_are_there_with_what_they_are_made_of() -> None:
    choices = [node for node in PROVIDED_NODE.children[-1].children if node.type == "ternary_expression"]
    made_of = {
        text_of(node.children[0]): keys_in(node.children[4]) for node in choices if text_of(node.children[2]) == "{}"
    }
    assert made_of == {
        "empty(callbackSecretAddress)": ["CHORUS_CALLBACK_SECRET", "CHORUS_CALLBACK_HOSTS"],
        "empty(schedulerAddress)": ["DURABLE_TASK_SCHEDULER_CONNECTION_STRING"],
    }


def test_settings_like_those_of_the_app_are_taken_by_the_settings_module() -> None:
    env = {
        "AZURE_OPENAI_ENDPOINT": "https://oai-chorus-abcdefghijklm.openai.azure.com",
        "CHORUS_MODEL": "gpt-5-mini",
        "CHORUS_MODEL_API": "responses",
        "CHORUS_STORAGE": "https://stdocsabcdefghijklm.blob.core.windows.net/",
        "CHORUS_SOURCE_CONTAINERS": "documents",
        "CHORUS_SINK_CONTAINERS": "results",
    }
    model = settings.load_model_settings(env)
    storage = settings.load_storage_settings(env)
    assert (model.base_url, model.api_key) == ("https://oai-chorus-abcdefghijklm.openai.azure.com/openai/v1/", None)
    assert storage is not None
    assert (storage.connection_string, storage.sources, storage.sinks) == (None, ("documents",), ("results",))


def test_payloads_go_into_the_container_that_the_template_makes() -> None:
    documents = read(INFRA / "modules" / "documents.bicep")
    assert value_of(documents.named("payloadsContainer").value_node) == settings.PAYLOADS_CONTAINER  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["sourceContainers", "sinkContainers"])
def test_the_containers_that_are_made_are_ones_that_requests_may_name(name: str) -> None:
    container = value_of(read(INFRA / "main.bicep").named(name).value_node)  # type: ignore[arg-type]
    assert settings.CONTAINER_NAME.fullmatch(container)
    assert not container.startswith(settings.PRIVATE_CONTAINERS)
