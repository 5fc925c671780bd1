"""The pages for who deploys and runs the app say what is true, as far as it can be checked without Azure."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from pathlib import Path

import pytest

from orchestrators import versions
from shared import settings
from shared.errors import AgentError
from shared.settings import LEAST_RETENTION_DAYS, PAYLOADS_CONTAINER
from tools import concurrency
from tools.run_cost import (
    CONTROL_QUEUES,
    EXAMPLE_PRICES,
    EXECUTIONS_A_CALL,
    EXECUTIONS_A_PAGE,
    EXECUTIONS_A_RUN,
    EXECUTIONS_A_STORED_CALL,
    OPERATIONS_A_STORED_CALL,
    OPERATIONS_AN_EXECUTION,
    Prices,
)
from triggers.run_filters import RUNTIME_STATUSES

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "operations.md", ROOT / "docs" / "deploy.md")}
OPERATIONS, DEPLOY = PAGES["operations.md"], PAGES["deploy.md"]
HOST = json.loads((ROOT / "host.json").read_text("utf-8"))
DURABLE = HOST["extensions"]["durableTask"]
FOLDERS = "docs|infra|local_host|orchestrators|samples|shared|tests|tools|triggers"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_each_path_that_a_page_names_exists(name: str) -> None:
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", PAGES[name]))
    named |= {f"docs/{link}" for link in re.findall(r"\]\(([\w.-]+\.md)", PAGES[name])}
    assert len(named) > 3
    missing = [path for path in named if not (ROOT / path).exists() and (ROOT / path.split("/")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("name", [*PAGES, "README.md"])
def test_each_link_to_a_heading_of_these_pages_leads_to_one(name: str) -> None:
    text = PAGES.get(name) or (ROOT / name).read_text("utf-8")
    links = re.findall(r"\]\((?:docs/)?(operations\.md|deploy\.md)?#([\w-]+)\)", text)
    own = [(page or name, anchor) for page, anchor in links if page or name in PAGES]
    assert own
    assert [(page, anchor) for page, anchor in own if anchor not in anchors(PAGES[page])] == []


@pytest.mark.parametrize("name", PAGES)
def test_each_setting_of_the_app_that_a_page_names_is_one(name: str) -> None:
    app = {value for key, value in vars(settings).items() if key == value}
    parameters = ROOT / "infra" / "main.parameters.json"
    infra = set(re.findall(r"\$\{(\w+)", parameters.read_text("utf-8"))) if parameters.exists() else None
    outputs = {"CHORUS_URL", "CHORUS_APP_NAME", "CHORUS_DOCUMENTS_URL"}
    named = set(re.findall(r"\bCHORUS_[A-Z_]+\b", PAGES[name])) - outputs
    assert named
    assert infra is None or named <= app | infra
    if name == "operations.md":
        assert named <= app


def commands(text: str) -> str:
    """The shell commands of a text, one block after the other."""
    return "".join(re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL))


def route(heading: str) -> str:
    """A part of the guide that is followed from its beginning."""
    return DEPLOY.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        pytest.param(route("With azd"), set[str](), id="azd"),
        pytest.param(route("With the Azure CLI"), set[str](), id="cli"),
        pytest.param(route("From GitHub"), set[str](), id="github"),
        pytest.param(OPERATIONS, {"URL", "KEY"}, id="operations"),
    ],
)
def test_each_variable_that_a_command_uses_was_set_by_one_before(text: str, given: set[str]) -> None:
    known = {*given, "HOME"}
    unset: list[str] = []
    for assigned, used in re.findall(r"\b([A-Z_]{3,})=|\$\{?([A-Z_]{3,})", commands(text)):
        known |= {assigned}
        unset += [used] if used and used not in known else []
    assert len(known) > 2
    assert unset == []


@pytest.mark.parametrize("name", [*PAGES, "README.md", "CONTRIBUTING.md", "infra/README.md"])
def test_each_module_is_run_by_the_python_that_has_its_packages(name: str) -> None:
    text = PAGES.get(name) or (ROOT / name).read_text("utf-8")
    run = re.findall(r"[\w./]*python -m (?:tools|tests|local_host|pytest)\b|(?<!-m )pytest tests\b", text)
    assert run
    assert [command for command in run if not command.startswith(".venv/bin/python")] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_command_wants_a_key_or_a_connection_string_of_the_storage_that_has_none(name: str) -> None:
    wanted = r"\bfunc durable\b|--connection-string|--account-key|\bstorage account keys\b"
    assert re.findall(wanted, commands(PAGES[name])) == []


def test_the_example_of_rate_limits_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"^\.venv/bin/python -m tools\.concurrency (.+)$", OPERATIONS, re.MULTILINE)
    assert command
    concurrency.main(shlex.split(command[1]))
    assert capsys.readouterr().out in OPERATIONS
    alone = concurrency.max_concurrency(tpm=300_000, rpm=1_800, tokens=3_500, seconds=12)
    assert f"One run alone could have {alone}." in OPERATIONS


def test_the_formula_of_costs_is_the_one_of_the_tool() -> None:
    history = f"executions ≤ {EXECUTIONS_A_RUN} + {EXECUTIONS_A_CALL} × calls"
    stored = f"{EXECUTIONS_A_RUN} + {EXECUTIONS_A_STORED_CALL} × calls + {EXECUTIONS_A_PAGE} × pages"
    operations = (
        f"operations ≤ {OPERATIONS_AN_EXECUTION} × executions + seconds × ({CONTROL_QUEUES} partitions + instances)"
    )
    for part in (history, stored, operations, f"+ {OPERATIONS_A_STORED_CALL} × documents"):
        assert part in OPERATIONS
    assert DURABLE["storageProvider"]["partitionCount"] == CONTROL_QUEUES
    assert DURABLE["storageProvider"]["maxQueuePollingInterval"] == "00:00:01"


def test_the_example_of_costs_adds_up() -> None:
    shown = re.search(r"^run \w{32}, sectioning.*?EUR\n```", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert shown
    *parts, total = [float(amount) for amount in re.findall(r"([\d.]+) EUR$", shown[0].strip("`\n"), re.MULTILINE)]
    assert total == pytest.approx(sum(parts), abs=2e-6)
    prices = Prices.read(EXAMPLE_PRICES.read_text("utf-8")).of_model("offline-extractive")
    by_hand = (4_068 * prices.million_input_tokens + 489 * prices.million_output_tokens) / 1e6
    assert parts[0] == pytest.approx(by_hand)


def test_the_lifecycle_rule_is_for_the_container_of_payloads_and_outlives_the_retention() -> None:
    block = re.search(r"^```json lifecycle\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    days = re.search(r"^CHORUS_RETENTION_DAYS=(\d+)$", OPERATIONS, re.MULTILINE)
    assert block
    assert days
    [rule] = json.loads(block[1])["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == [f"{PAYLOADS_CONTAINER}/"]
    kept = rule["definition"]["actions"]["baseBlob"]["delete"]["daysAfterModificationGreaterThan"]
    assert kept > int(days[1]) >= LEAST_RETENTION_DAYS


def test_the_versions_shown_are_those_of_host_json() -> None:
    shown = re.search(r'^"durableTask": (\{.*\})$', OPERATIONS, re.MULTILINE)
    assert shown
    assert json.loads(shown[1]).items() <= DURABLE.items()
    bundle = re.fullmatch(r"\[(\d+)\.(\d+)\.\d+, 5\.0\.0\)", HOST["extensionBundle"]["version"])
    assert bundle, "versions need a bundle of 4.26.0 or newer, and the range says so"
    assert (int(bundle[1]), int(bundle[2])) >= (4, 26)


def test_the_statuses_and_error_codes_named_exist() -> None:
    statuses = re.search(r"status=([\w,]+)&", OPERATIONS)
    assert statuses
    assert set(statuses[1].split(",")) <= set(RUNTIME_STATUSES)
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", DEPLOY, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"[a-z_]+", row)}
    assert len(codes) == 4
    assert codes <= {kind.code for kind in subclasses(AgentError)}


def subclasses(kind: type[AgentError]) -> list[type[AgentError]]:
    """A class and all below it."""
    return [kind, *(below for child in kind.__subclasses__() for below in subclasses(child))]


def test_each_command_of_the_deployment_is_marked_unless_it_was_run() -> None:
    body = DEPLOY.partition("## With azd")[2]
    steps = re.split(r"(?m)^(?=⚠|\*\*\d|##|To take it down|Azurite prints)", body)
    unmarked = [step for step in steps if re.search(r"(?m)^(azd|az|func|source .* func) ", step) and "⚠" not in step]
    assert unmarked == []


def test_the_page_tells_what_each_version_of_orchestrations_decides() -> None:
    rows = re.findall(r"^\| (\d+\.\d+) \| .*?`(\w+)`\) \|$", OPERATIONS, re.MULTILINE)

    assert rows[-1][0] == DURABLE["defaultVersion"]
    assert {decision for _, decision in rows} == {name for name, _ in inspect.getmembers(versions, inspect.isfunction)}
