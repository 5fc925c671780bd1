from __future__ import annotations

import json
import re

from tests.infra.bicep import INFRA, ROOT, all_templates, text_of
from tests.infra.parameter_table import PAGE, with_table
from tests.infra.roles import ROLES
from tests.infra.test_settings import NOT_ON_FLEX_CONSUMPTION
from tools.concurrency import max_concurrency

TEXT = PAGE.read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_page_has_the_parameters_of_today() -> None:
    assert with_table(TEXT) == TEXT, "python -m tests.infra.parameter_table writes it"


def test_the_page_explains_every_role_that_is_assigned() -> None:
    section = TEXT.partition("## Roles")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| (?:app|operator) \| ([^|]+?) \|", section, re.M))
    assert explained == {title for title, _ in ROLES.values()}


def test_the_page_names_every_resource_by_what_its_name_begins_with() -> None:
    names = text_of(all_templates()[0].named("names").node)
    prefixes = re.findall(r": '([a-z-]+?)\$\{token\}'", names)
    assert len(prefixes) == names.count("${token}")
    assert [prefix for prefix in prefixes if f"{prefix}…" not in TEXT and not prefix.startswith("plan-")] == []


def test_the_files_that_the_page_names_are_there() -> None:
    for name in re.findall(r"`([\w-]+\.(?:sh|ps1|bicep|scheduler\.json))`", TEXT):
        assert (INFRA / name).is_file(), name


def test_the_limits_rest_on_the_figures_of_the_benchmarks() -> None:
    memory = re.search(r"Worker at most (\d+) and (\d+) MiB", README)
    assert memory
    assert "{} to {} MiB with 1,000 to 10,000 documents".format(*memory.groups()) in TEXT
    cpu = re.search(r"\((\d+) ms a run\)", README)
    assert cpu
    assert f"a run of three calls costs {cpu[1]} ms of CPU" in TEXT
    assert f"A run of three calls takes {cpu[1]} ms of CPU" in (INFRA / "main.bicep").read_text(encoding="utf-8")
    assert f"a run of three calls {cpu[1]} ms in all" in OPERATIONS
    at_once = re.search(r"(\d+) starts at once wait ([\d.]+) s at most", TEXT)
    assert at_once
    assert float(at_once[2]) == round(int(at_once[1]) * int(cpu[1]) / 1000, 1)


def test_the_calls_in_flight_that_the_page_computes_are_those_of_the_tool() -> None:
    row = re.search(r"tokens a minute \| ([\d,]+) \|.*with ([\d,]+) tokens and (\d+) s, (\d+)\.", TEXT)
    assert row
    tpm, tokens, seconds, calls = (int(number.replace(",", "")) for number in row.groups())
    assert max_concurrency(tpm=tpm, rpm=float("inf"), tokens=tokens, seconds=seconds) == calls


def test_the_requests_that_an_instance_runs_and_refuses_are_those_of_host_json() -> None:
    http = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["extensions"]["http"]
    running, held = http["maxConcurrentRequests"], http["maxOutstandingRequests"]
    assert f"`host.json` runs {running} at a time and refuses beyond {held}" in TEXT


def test_what_flex_consumption_has_no_use_for_is_advised_for_other_plans_only() -> None:
    advice = README.partition("### Concurrency on Azure")[2].partition("\n## ")[0]
    points = [" ".join(point.split()) for point in advice.split("\n- ")]
    named = [point for point in points if any(setting in point for setting in NOT_ON_FLEX_CONSUMPTION)]
    assert [point for point in named if "another than Flex Consumption" not in point] == []
