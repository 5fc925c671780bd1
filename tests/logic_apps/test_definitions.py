"""The workflows of `connector/` keep the rules that Logic Apps checks on saving, and ours for keys."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.logic_apps.definitions import complaints
from tests.logic_apps.samples import WORKFLOWS, workflow


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_sample_keeps_the_rules(name: str) -> None:
    assert complaints(workflow(name)) == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_sample_answers_its_caller_also_when_the_run_fails(name: str) -> None:
    answers = [action for action in workflow(name)["actions"].values() if action["type"] == "Response"]

    assert any("Failed" in statuses for action in answers for statuses in action["runAfter"].values())


BROKEN: dict[str, tuple[list[str], Any, str]] = {
    "own outputs": (["Analyse", "inputs", "uri"], "@{body('Analyse')}", "reads 'Analyse'"),
    "later action": (["Analyse", "inputs", "uri"], "@{body('Answer')}", "reads 'Answer'"),
    "no such parameter": (["Analyse", "inputs", "uri"], "@{parameters('x')}", "no parameter 'x'"),
    "no such function": (["Analyse", "inputs", "uri"], "@{guid()}", "function 'guid'"),
    "no callback": (["Analyse", "inputs", "uri"], "@{listCallbackUrl()}", "listCallbackUrl has no meaning"),
    "circle": (["Analyse", "runAfter"], {"Answer": ["Succeeded"]}, "runs after itself"),
    "key in the query": (["Analyse", "inputs", "queries"], {"code": "@parameters('chorus_key')"}, "and nowhere else"),
    "shown inputs": (["Analyse", "runtimeConfiguration"], {}, "run history"),
    "no idempotency": (
        ["Analyse", "inputs", "headers"],
        {"x-functions-key": "@parameters('chorus_key')"},
        "another run",
    ),
    "retries": (["Analyse", "inputs", "retryPolicy", "interval"], "PT1S", "out of bounds"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_definition_that_breaks_a_rule_is_told_so(case: str) -> None:
    path, value, expected = BROKEN[case]
    definition = copy.deepcopy(workflow("polling"))
    part = definition["actions"]
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    found = complaints(definition)

    assert any(expected in complaint for complaint in found), found


def test_an_unsubscribe_cannot_read_what_the_subscribe_was_answered() -> None:
    definition = copy.deepcopy(workflow("webhook"))
    definition["actions"]["Analyse"]["inputs"]["unsubscribe"]["uri"] = "@{body('Analyse')?['cancel_url']}"

    assert complaints(definition) == ["Analyse: reads 'Analyse', which need not have run before it"]
