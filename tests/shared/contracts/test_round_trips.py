"""What crosses the durable boundary comes back as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from shared.contracts.agent import AgentSpec
from shared.contracts.base import Contract, restored
from shared.contracts.branch import (
    AgentReply,
    AttemptInput,
    AttemptOutcome,
    Branch,
    BranchError,
    BranchOutcome,
    Usage,
)
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.policy import RunPolicy
from shared.contracts.run import Redrive, RunInput
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.stop import StopCalls
from shared.contracts.voting import VotingRequest
from tests.shared.contracts.rejection import accepted, rejection
from tests.shared.strategies import (
    AGENTS,
    JSON_OBJECTS,
    JSON_VALUES,
    MAP_REDUCE_REQUESTS,
    NAMES,
    SECTIONING_REQUESTS,
    TEXTS,
    VOTING_REQUESTS,
)

MOMENTS = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
STATUSES = st.sampled_from(["succeeded", "failed", "timed_out", "cancelled"])
USAGES = st.builds(Usage, model_calls=st.integers(0, 9), total_tokens=st.integers(0, 10**9))
ERRORS = st.none() | st.builds(
    BranchError, code=NAMES, message=TEXTS, retriable=st.booleans(), http_status=st.none() | st.integers(400, 599)
)


def through_history[C: Contract](value: C) -> C:
    """As the SDK does it: JSON text without NaN or infinity, in UTF-8."""
    text = json.dumps(value.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode().decode()
    return restored(type(value), json.loads(text))


def body_with_maximum(token: str) -> str:
    """A request whose schema has this number, which Python's own JSON writer would not write."""
    schema = {"type": "object", "properties": {"n": {"type": "number", "maximum": "TOKEN"}}}
    section = {"name": "a", "agent": {"instructions": "i", "output_schema": schema}}
    return json.dumps({"input": "x", "sections": [section]}).replace('"TOKEN"', token)


@pytest.mark.parametrize(
    ("contract", "bodies"),
    [
        (SectioningRequest, SECTIONING_REQUESTS),
        (VotingRequest, VOTING_REQUESTS),
        (MapReduceRequest, MAP_REDUCE_REQUESTS),
    ],
)
@given(data=st.data())
def test_an_accepted_request_survives_history(
    contract: type[Contract], bodies: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    request = accepted(contract, data.draw(bodies))

    assert through_history(request) == request


OUTCOMES = st.builds(
    BranchOutcome,
    name=NAMES | NAMES.map(lambda name: f"~{name}"),
    status=STATUSES,
    output=JSON_VALUES,
    error=ERRORS,
    attempts=st.integers(0, 10),
    hedges=st.integers(0, 3),
    usage=USAGES,
    model=st.none() | TEXTS,
    truncated=st.booleans(),
    started_at=MOMENTS,
    ended_at=MOMENTS,
)
ATTEMPTS = st.builds(
    AttemptInput,
    run_id=NAMES,
    branch=st.builds(Branch, name=NAMES, agent=AGENTS.map(AgentSpec.model_validate), prompt=TEXTS),
    number=st.integers(1, 40),
    deadline=MOMENTS,
    max_tokens=st.none() | st.integers(0, 10**9),
)
ACCOUNTS = st.builds(
    AttemptOutcome,
    status=STATUSES,
    output=JSON_VALUES,
    error=ERRORS,
    retry_after_s=st.none() | st.floats(0, 1e6),
    usage=USAGES,
    started_at=MOMENTS,
    ended_at=MOMENTS,
)
POLICIES = st.builds(
    RunPolicy,
    deadline_s=st.floats(0.1, 86_400),
    min_successful=st.none() | st.integers(1, 9),
    stop_early=st.booleans(),
    hedge_after_s=st.none() | st.floats(0.1, 3_600),
    hedge=st.sampled_from([None, "p95"]),
    max_hedge_percentage=st.floats(0.1, 100),
    max_total_tokens=st.none() | st.integers(1, 10**12),
)
STOPS = st.builds(StopCalls, prefix=NAMES) | st.builds(StopCalls, instances=st.lists(NAMES, min_size=1))
REDRIVES = st.builds(Redrive, run_id=NAMES, reused=st.lists(OUTCOMES, max_size=3))
INPUTS = st.builds(RunInput, request=JSON_OBJECTS, redrive=st.none() | REDRIVES)


@pytest.mark.parametrize("values", [OUTCOMES, ATTEMPTS, ACCOUNTS, POLICIES, STOPS, INPUTS])
@given(data=st.data())
def test_what_is_put_into_history_comes_out_as_it_was(values: st.SearchStrategy[Contract], data: st.DataObject) -> None:
    value = data.draw(values)

    assert through_history(value) == value


@given(REDRIVES)
def test_outcomes_that_a_redrive_takes_over_are_written_as_they_were_read(redrive: Redrive) -> None:
    written = json.dumps(redrive.model_dump(mode="json"))

    assert json.dumps(restored(Redrive, json.loads(written)).model_dump(mode="json")) == written


@pytest.mark.parametrize("given_stop", [{}, {"prefix": "r:", "instances": ["r:a"]}, {"instances": []}])
def test_a_stop_has_a_prefix_or_instances_and_not_both(given_stop: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="a prefix or instances, and not both"):
        StopCalls.model_validate(given_stop)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_cannot_hide_in_a_schema(token: str) -> None:
    with pytest.raises(ValidationError, match="a number is not finite"):
        SectioningRequest.model_validate_json(body_with_maximum(token), strict=True)


@pytest.mark.parametrize("levels", [150, 5_000, 200_000])
def test_a_deeply_nested_body_is_an_error_and_no_crash(levels: int) -> None:
    body = '{"question": ' + "[" * levels + "]" * levels + "}"

    with pytest.raises(ValidationError):
        VotingRequest.model_validate_json(body, strict=True)


def test_a_deeply_nested_schema_is_rejected() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(30):
        schema = {"type": "object", "properties": {"a": schema}}
    body = {"input": "x", "sections": [{"name": "a", "agent": {"instructions": "i", "output_schema": schema}}]}

    [(location, message)] = rejection(SectioningRequest, body)

    assert location == "sections.0.agent.output_schema"
    assert "deeper than 24 levels" in message


@pytest.mark.parametrize("digits", [400, 4_299, 4_400])
def test_a_huge_integer_in_a_schema_survives_or_is_rejected(digits: int) -> None:
    try:
        request = SectioningRequest.model_validate_json(body_with_maximum("9" * digits), strict=True)
    except ValidationError:
        assert digits > 4_300
    else:
        assert through_history(request) == request


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(ValidationError):
        VotingRequest.model_validate_json(r'{"question": "a \ud800 b"}', strict=True)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_gets_into_no_contract(number: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        AgentReply(output={"deep": [number]})
    with pytest.raises(ValidationError, match="finite"):
        AgentReply(retry_after_s=number)


def test_contracts_are_immutable() -> None:
    request = accepted(VotingRequest, {"question": "x"})

    with pytest.raises(ValidationError, match="frozen"):
        request.question = "y"  # type: ignore[misc]


@pytest.mark.parametrize("output", [False, 0, "", [], {}])
def test_a_reply_has_an_output_or_an_error(output: JsonValue) -> None:
    assert through_history(AgentReply(output=output)).output == output
    with pytest.raises(ValidationError, match="an output or an error"):
        AgentReply(output=None)


def test_a_field_of_a_newer_version_is_no_obstacle_to_reading_history() -> None:
    written = {**AgentReply(output="x").model_dump(mode="json"), "added_later": 1}

    assert restored(AgentReply, written) == AgentReply(output="x")
    with pytest.raises(ValidationError, match="added_later"):
        AgentReply.model_validate(written)


def test_schemas_are_checked_when_they_come_in_and_not_again_at_every_replay() -> None:
    spec = {"instructions": "i", "output_schema": {"type": "array"}}

    with pytest.raises(ValidationError, match="root must have"):
        AgentSpec.model_validate(spec)
    assert restored(AgentSpec, spec).output_schema == {"type": "array"}
