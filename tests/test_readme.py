"""README.md and the samples say what is true: requests, settings, policy, statuses, targets and paths."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from local_host.demo_storage import SOURCE, sample_blobs
from samples.embed import EMBED, REQUESTS, embedded
from shared import settings
from shared.contracts.base import Contract
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.policy import RunPolicy
from shared.contracts.run import CompletionReason, RunStatus
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.estimation import estimate

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CONTRACTS: dict[str, type[Contract]] = {
    "sectioning": SectioningRequest,
    "voting": VotingRequest,
    "map-reduce": MapReduceRequest,
}
JSON_BLOCKS = re.findall(r"^```json request=(\S+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CURL_FILES = re.findall(r"curl .*--json @(\S+) http://localhost:7071/api/([\w-]+)", README)
MAKEFILE_TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def table_below(heading: str) -> list[list[str]]:
    """The cells of the table whose header line begins with `heading`, without code marks."""
    lines = README.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def test_the_readme_shows_a_request_and_a_curl_for_each_pattern() -> None:
    assert {pattern for pattern, _ in JSON_BLOCKS} == set(CONTRACTS)
    assert {pattern for _, pattern in CURL_FILES} == set(CONTRACTS)


@pytest.mark.parametrize(("pattern", "text"), JSON_BLOCKS)
def test_each_request_in_the_readme_fits_its_contract(pattern: str, text: str) -> None:
    CONTRACTS[pattern].model_validate_json(text, strict=True)


@pytest.mark.parametrize(("path", "pattern"), CURL_FILES)
def test_each_file_that_a_curl_sends_fits_the_contract_of_its_route(path: str, pattern: str) -> None:
    CONTRACTS[pattern].model_validate_json((ROOT / path).read_bytes(), strict=True)


def test_the_estimate_in_the_readme_is_the_one_that_the_app_gives() -> None:
    request = SectioningRequest.model_validate_json((ROOT / "samples/requests/code-review.json").read_bytes())
    estimated = estimate("sectioning", request)
    shown = re.search(r'^\{"pattern": "sectioning", "branches".*?\}\}$', README, re.MULTILINE | re.DOTALL)
    assert shown
    body = json.loads(shown.group().replace("{…}", "null"))
    assert body == {**estimated.model_dump(), "policy": None}


def test_the_refused_request_in_the_readme_is_refused_for_the_reasons_given() -> None:
    body = re.search(r"--json '(.*)' http://localhost:7071/api/voting", README)
    assert body is not None
    with pytest.raises(ValueError, match="greater than or equal to 1") as refused:
        VotingRequest.model_validate_json(body[1], strict=True)
    assert "Extra inputs are not permitted" in str(refused.value)


STORED = sorted(path.name for path in REQUESTS.glob("*.json") if "source" in json.loads(path.read_text("utf-8")))
CARRYING = sorted({path.name for path in REQUESTS.glob("*.json")} - {*STORED})


@pytest.mark.parametrize("name", CARRYING)
def test_each_sample_request_carries_the_sample_files_as_they_are(name: str) -> None:
    assert name in EMBED, f"samples/embed.py does not know {name!r}"
    assert (REQUESTS / name).read_text("utf-8") == embedded(name), "run: python samples/embed.py"


@pytest.mark.parametrize("name", STORED)
def test_each_sample_request_over_storage_fits_its_contract_and_finds_its_documents(name: str) -> None:
    request = MapReduceRequest.model_validate_json((REQUESTS / name).read_bytes(), strict=True)
    source = request.source
    assert source is not None
    assert source.container == SOURCE
    found = [blob for blob, _ in sample_blobs() if blob.startswith(source.prefix)]
    assert len(found) == (40 if name == "invoices.json" else 1)


def test_the_readme_shows_how_to_send_each_sample_request_over_storage() -> None:
    assert {f"samples/requests/{name}" for name in STORED} <= {row[2] for row in table_below("example")}


def test_the_log_analysis_request_fits_its_contract() -> None:
    MapReduceRequest.model_validate_json((REQUESTS / "log-analysis.json").read_bytes(), strict=True)


def test_the_settings_table_has_every_setting_and_no_other() -> None:
    names = [name for name, value in vars(settings).items() if isinstance(value, str) and value == name]
    assert len(names) >= 6
    assert sorted(row[0] for row in table_below("setting")) == sorted(names)


def test_the_settings_table_names_the_default_model() -> None:
    (model,) = [row for row in table_below("setting") if row[0] == settings.CHORUS_MODEL]
    assert f"`{settings.DEFAULT_OPENAI_MODEL}" in f"`{model[2]}"


def test_the_policy_table_has_every_field_with_its_default() -> None:
    fields = {name: field.default for name, field in RunPolicy.model_fields.items()}
    shown = {row[0]: None if row[1] == "none" else json.loads(row[1]) for row in table_below("field")}
    assert shown == fields


def test_the_result_tables_have_every_status_and_reason() -> None:
    assert {row[0] for row in table_below("`status`")} == set(get_args(RunStatus))
    assert {row[0] for row in table_below("`completion_reason`")} == set(get_args(CompletionReason))


def test_the_error_table_has_every_code_of_the_triggers() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "triggers").glob("*.py"))
    codes = set(re.findall(r"HTTPStatus\.[A-Z_]+,\s*\"([a-z_]+)\"", sources))
    assert len(codes) >= 6
    shown = {code for row in table_below("status") for code in re.findall(r"[a-z]+(?:_[a-z]+)+", row[1])}
    assert shown == codes


def test_each_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"(?:`|^|\s)make ([a-z][a-z-]*)\b(?=`|\s|$)", README, re.MULTILINE)) - {"good"}
    assert {"demo", "test", "start", "bench"} <= targets
    assert targets <= MAKEFILE_TARGETS


def test_each_path_in_the_readme_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    folders = "function_app|triggers|orchestrators|activities|shared|local_host|samples|benchmarks|tests|docs"
    mentioned = re.findall(rf"(?<![\w/])((?:{folders})(?:/[\w./-]+)?(?:\.py|\.json|/))", README)
    assert links
    assert mentioned
    missing = [path for path in [*links, *mentioned] if not (ROOT / path).exists()]
    assert missing == []


def test_each_path_in_the_decisions_exists() -> None:
    for decision in (ROOT / "docs" / "decisions").glob("*.md"):
        paths = re.findall(r"`((?:[a-z_]+/)+[\w./-]*|host\.json|function_app\.py)`", decision.read_text("utf-8"))
        missing = [path for path in paths if not (ROOT / path).exists()]
        assert missing == [], decision.name
