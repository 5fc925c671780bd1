"""The result of a run that could not write its own, put together from the calls of its branches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from durabletask.client import OrchestrationState
from hypothesis import given

from shared.contracts.run import RunResult
from tests.shared.strategies import JSON_VALUES
from tests.triggers.handlers import ask
from tests.triggers.requests import (
    EARLIER_ID,
    RUN_ID,
    USAGE,
    child,
    failure,
    json_of,
    orchestration,
    outcome,
    problem_of,
    report,
    result,
    run_input,
    sections,
)
from triggers.results import put_together
from triggers.views import RunState

VOTING = {"question": "Is it safe?", "voters": 2}
AGENT = {"instructions": "read"}
MAP_REDUCE = {"documents": [{"id": "d", "content": "text"}], "map": AGENT, "reduce": AGENT}


async def result_of(*states: Any) -> RunResult:
    answer = await ask("GET", *states)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    for secret in (b"secret", b"by hand"):
        assert secret not in answer.get_body()
    return RunResult.model_validate(json_of(answer))


def dead(status: str = "TERMINATED", **fields: Any) -> OrchestrationState:
    return orchestration(status, **{"given": run_input(sections(*"abcd")), **fields})


@pytest.mark.parametrize(
    ("state", "status", "reason", "code"),
    [
        (orchestration("FAILED", error="ValueError"), "failed", "internal_error", "internal_error"),
        (orchestration("FAILED"), "failed", "internal_error", "internal_error"),
        (orchestration("TERMINATED", output="by hand"), "cancelled", "cancelled", "terminated"),
        (orchestration("TERMINATED"), "cancelled", "cancelled", "terminated"),
        (orchestration("COMPLETED"), "failed", "internal_error", "internal_error"),
    ],
)
async def test_a_run_that_died_answers_in_the_shape_of_a_result(
    state: Any, status: str, reason: str, code: str
) -> None:
    found = await result_of(state)

    assert (found.id, found.status, found.completion_reason) == (RUN_ID, status, reason)
    assert found.error is not None
    assert found.error.code == code
    assert found.started_at.isoformat() == "2026-01-01T12:00:00+00:00"
    assert found.error.retriable
    assert (found.outcomes, found.missing, found.policy) == ([], [], None)


@pytest.mark.parametrize(
    ("state", "status", "code"), [("TERMINATED", "cancelled", "terminated"), ("FAILED", "failed", "internal_error")]
)
async def test_every_branch_is_in_it_in_the_request_s_order_whatever_became_of_it(
    state: str, status: str, code: str
) -> None:
    found = await result_of(
        dead(state),
        child("d", "RUNNING", 1),
        child("c", output=failure("content_filtered", retriable=False)),
        child("b", output=failure()),
        child("b~2", after_s=2, output=report()),
    )

    assert [(outcome.name, outcome.status) for outcome in found.outcomes] == [
        ("a", status), ("b", "succeeded"), ("c", "failed"), ("d", status),
    ]  # fmt: skip
    assert [outcome.error.code if outcome.error else None for outcome in found.outcomes] == [
        code, None, "content_filtered", code,
    ]  # fmt: skip
    assert [(outcome.attempts, outcome.usage.model_calls) for outcome in found.outcomes] == [
        (0, 0), (2, 2), (1, 1), (1, 1),
    ]  # fmt: skip
    assert found.missing == ["a", "c", "d"]
    assert (found.usage.model_calls, found.usage.total_tokens) == (4, 3 * USAGE["total_tokens"])
    assert found.policy is not None
    assert found.output is None


async def test_hedges_are_no_attempts() -> None:
    found = await result_of(dead(), child("a", "RUNNING"), child("a~2h", output=report()))

    assert (found.outcomes[0].attempts, found.outcomes[0].hedges) == (1, 1)


@pytest.mark.parametrize(
    ("pattern", "request_", "names"),
    [("voting", VOTING, ["voter-1", "voter-2"]), ("map_reduce", MAP_REDUCE, ["d"]), ("sectioning", None, [])],
)
async def test_each_pattern_names_its_branches(pattern: str, request_: Any, names: list[str]) -> None:
    found = await result_of(dead(name=pattern, given=request_ and run_input(request_)))

    assert [outcome.name for outcome in found.outcomes] == names
    assert found.pattern == pattern


async def test_the_aggregation_is_in_it_too() -> None:
    found = await result_of(dead("FAILED"), child("a", output=report()), child("~synthesis", output=report()))

    assert found.aggregation is not None
    assert (found.aggregation.name, found.aggregation.status) == ("~synthesis", "succeeded")
    assert found.usage.model_calls == 2


async def test_the_calls_below_the_last_of_a_reduction_are_in_it_too() -> None:
    calls = ["~reduce-1-1", "~reduce-1-2", "~reduction"]
    state = orchestration("FAILED", name="map_reduce", given=run_input(MAP_REDUCE))
    found = await result_of(state, child("d", output=report()), *(child(call, output=report()) for call in calls))

    assert [outcome.name for outcome in found.reductions] == calls[:2]
    assert found.aggregation is not None
    assert found.aggregation.name == "~reduction"
    assert found.usage.model_calls == 4


async def test_what_a_redrive_took_over_is_in_it_and_not_paid_again() -> None:
    given = run_input(sections(*"ab"), reused=[outcome("a", output="kept")])
    found = await result_of(dead(given=given), child("b", output=report()))

    assert (found.redrive_of, found.reused, found.missing) == (EARLIER_ID, ["a"], [])
    assert found.outcomes[0].output == "kept"
    assert found.usage.total_tokens == USAGE["total_tokens"]


@pytest.mark.parametrize("given", [None, "text", 5, [], {}, sections("a"), {"request": {}}, {"request": "?"}])
@pytest.mark.parametrize("method", ["GET", "VIEW"])
async def test_a_run_whose_input_this_version_cannot_read_is_no_error(method: str, given: Any) -> None:
    answer = await ask(method, dead("FAILED", given=given, error="ValidationError"), child("a", output=report()))

    assert answer.status_code == 200
    assert json_of(answer)["status"] == "failed"


@pytest.mark.parametrize("output", ["text", 5, [], {}, {**result(), "status": "of a newer version"}])
async def test_an_output_that_this_version_cannot_read_is_given_as_it_is_and_told_where_it_must_be_read(
    output: Any,
) -> None:
    state = orchestration("COMPLETED", given=run_input(sections("a")), output=output)

    assert json_of(await ask("GET", state)) == output
    for method in ("VIEW", "REDRIVE"):
        body = problem_of(await ask(method, state), 409, "run_not_readable")
        assert "status_url" in body["detail"]


@given(value=JSON_VALUES)
def test_any_output_of_a_call_is_kept_as_it_was(value: Any) -> None:
    run = RunState.of(dead())
    assert run is not None

    found = put_together(run, [child("a", output=report(output=value))]).outcomes[0]

    assert json.dumps(found.output) == json.dumps(value)


async def test_voters_of_a_section_are_in_it_as_far_as_they_were_asked_and_judges_apart() -> None:
    vote = {"question": "Is it safe?", "voters": {"max": 9}}
    request = {"input": "t", "sections": [{"name": "s", "vote": vote}, {"name": "reduce-1", "vote": VOTING}]}
    calls = ["s:voter-1", "s:voter-2", "reduce-1:voter-1", "~judge-1:reduce-1", "~judge-2:reduce-1", "~synthesis"]
    found = await result_of(dead(given=run_input(request)), *(child(call, output=report()) for call in calls))

    assert [(outcome.name, outcome.status) for outcome in found.outcomes] == [
        ("s:voter-1", "succeeded"), ("s:voter-2", "succeeded"),
        ("reduce-1:voter-1", "succeeded"), ("reduce-1:voter-2", "cancelled"),
    ]  # fmt: skip
    assert [outcome.name for outcome in found.judges] == ["~judge-1:reduce-1", "~judge-2:reduce-1"]
    assert found.aggregation is not None
    assert (found.aggregation.name, found.reductions) == ("~synthesis", [])
    assert found.usage.model_calls == 6
