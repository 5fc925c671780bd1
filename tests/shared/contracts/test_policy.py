from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.policy import RunPolicy
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from tests.shared.contracts.rejection import accepted, rejection

NUMBERS_NOT = [float("nan"), float("inf")]

BOUNDS: list[tuple[str, list[Any], list[Any]]] = [
    ("max_concurrency", [1, 1_000], [0, 1_001, 1.0, "1", True, None]),
    ("attempts", [1, 10], [0, 11, 2.5, "3", None]),
    ("branch_timeout_s", [0.1, 1, 3_600], [0, 0.09, 3_601, "1", *NUMBERS_NOT, None]),
    ("deadline_s", [0.1, 86_400], [0, -1, 86_401, float("-inf"), 10**400]),
    ("min_successful", [1, 10**30, None], [0, -1, 1.5, "1"]),
    ("tolerated_failure_count", [0, 3, None], [-1, 0.5, "0"]),
    ("tolerated_failure_percentage", [0, 33.3, 100, None], [-0.1, 100.1, "5", float("nan")]),
    ("stop_early", [True, False], [0, 1, "true", None]),
    ("hedge_after_s", [0.1, 1, 3_600, None], [0, 0.09, 3_601, "1", *NUMBERS_NOT]),
    ("hedge", ["p95", None], ["p99", "", 95, True]),
    ("max_hedge_percentage", [0.1, 1, 100], [0, -1, 100.1, "20", *NUMBERS_NOT, None]),
    ("max_total_tokens", [1, 10**12, None], [0, -1, 1.5, "1000"]),
]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, good, _ in BOUNDS for value in good])
def test_a_value_within_its_bounds_is_accepted(field: str, value: Any) -> None:
    assert getattr(accepted(RunPolicy, {field: value}), field) == value


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, _, bad in BOUNDS for value in bad])
def test_a_value_outside_its_bounds_is_rejected(field: str, value: Any) -> None:
    [(location, _)] = rejection(RunPolicy, {field: value})

    assert location == field


def test_every_field_of_the_policy_has_its_bounds_tested() -> None:
    assert {field for field, _, _ in BOUNDS} == set(RunPolicy.model_fields)


# --- Contradictions ---

CONTRADICTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"min_successful": 4}, "min_successful", "min_successful is 4, but the run has only 3 branches; lower"),
    ({"stop_early": True}, "stop_early", "state min_successful too"),
    ({"hedge": "p95", "hedge_after_s": 2}, "hedge", "give one of the two"),
    ({"max_hedge_percentage": 50}, "max_hedge_percentage", "no use without hedge or hedge_after_s"),
    ({"hedge": "p95", "max_concurrency": 1}, "max_concurrency", "needs a second place"),
    ({"hedge_after_s": 2, "max_concurrency": 1}, "max_concurrency", "needs a second place"),
    ({"hedge_after_s": 120}, "hedge_after_s", "a branch ends after 120 s, so none would ever be hedged"),
    ({"hedge_after_s": 5, "branch_timeout_s": 5}, "hedge_after_s", "a branch ends after 5 s"),
    ({"hedge_after_s": 60, "deadline_s": 60}, "hedge_after_s", "a branch ends after 60 s"),
    ({"branch_timeout_s": 61, "deadline_s": 60}, "branch_timeout_s", "lower branch_timeout_s or raise deadline_s"),
]

CONSISTENT: list[dict[str, Any]] = [
    {},
    {"min_successful": 3},
    {"min_successful": 3, "stop_early": True},
    {"min_successful": 2, "stop_early": False},
    {"tolerated_failure_count": 10, "tolerated_failure_percentage": 0, "min_successful": 1},
    {"hedge": "p95", "max_hedge_percentage": 100, "max_concurrency": 2},
    {"hedge_after_s": 119.9},
    {"hedge_after_s": 4.9, "branch_timeout_s": 5},
    {"max_hedge_percentage": 20},
    {"deadline_s": 60},
    {"branch_timeout_s": 3_600},
    {"branch_timeout_s": 60, "deadline_s": 60},
    {"hedge_after_s": None, "hedge": None, "max_concurrency": 1},
    {"max_total_tokens": 1},
]


@pytest.mark.parametrize(("stated", "field", "reason"), CONTRADICTIONS)
def test_a_policy_that_contradicts_itself_is_rejected_with_the_field_and_what_to_do(
    stated: dict[str, Any], field: str, reason: str
) -> None:
    [(found, told)] = RunPolicy(**stated).contradictions(branches=3)

    assert found == field
    assert reason in told


@pytest.mark.parametrize("stated", CONSISTENT)
def test_a_policy_that_makes_sense_contradicts_nothing(stated: dict[str, Any]) -> None:
    assert list(RunPolicy(**stated).contradictions(branches=3)) == []


def test_all_contradictions_of_a_policy_are_found() -> None:
    policy = RunPolicy(min_successful=2, max_hedge_percentage=1, branch_timeout_s=2, deadline_s=1)

    fields = [field for field, _ in policy.contradictions(branches=1)]

    assert fields == ["min_successful", "branch_timeout_s", "max_hedge_percentage"]


def test_one_branch_is_not_called_branches() -> None:
    [(_, told)] = RunPolicy(min_successful=2).contradictions(branches=1)

    assert "only 1 branch;" in told


@pytest.mark.parametrize("branches", [1, 2, 1_000])
def test_the_defaults_never_contradict(branches: int) -> None:
    assert list(RunPolicy().contradictions(branches)) == []


REQUESTS: list[tuple[type[SectioningRequest | VotingRequest | MapReduceRequest], dict[str, Any]]] = [
    (SectioningRequest, {"input": "x", "sections": [{"name": name, "instructions": "i"} for name in "abc"]}),
    (VotingRequest, {"question": "x", "voters": 3}),
    (
        MapReduceRequest,
        {
            "documents": [{"id": name, "content": "x"} for name in "abc"],
            "map": {"instructions": "i"},
            "reduce": {"instructions": "i"},
        },
    ),
]


@pytest.mark.parametrize(("contract", "body"), REQUESTS)
@pytest.mark.parametrize(("stated", "field", "reason"), CONTRADICTIONS)
def test_every_pattern_rejects_a_policy_that_contradicts_itself(
    contract: type[Any], body: dict[str, Any], stated: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(ValidationError, match="misfit") as caught:
        accepted(contract, {**body, "policy": stated})

    [error] = caught.value.errors()
    assert error["ctx"]["path"] == f"policy.{field}"
    assert reason in error["msg"]


# --- What a run follows, and history ---


@pytest.mark.parametrize(("contract", "body"), REQUESTS)
@pytest.mark.parametrize("stated", CONSISTENT)
def test_an_accepted_request_is_restored_from_history_with_its_policy(
    contract: type[Any], body: dict[str, Any], stated: dict[str, Any]
) -> None:
    request = accepted(contract, {**body, "policy": stated})

    assert restored(contract, request.model_dump(mode="json")).policy == request.policy


@pytest.mark.parametrize(("contract", "body"), REQUESTS)
@pytest.mark.parametrize(("stated", "field", "reason"), CONTRADICTIONS)
def test_history_is_read_whatever_rules_have_come_since(
    contract: type[Any], body: dict[str, Any], stated: dict[str, Any], field: str, reason: str
) -> None:
    assert restored(contract, {**body, "policy": stated}).policy == RunPolicy(**stated)


@pytest.mark.parametrize("stated", CONSISTENT)
def test_the_policy_that_a_result_tells_may_be_sent_with_the_next_request(stated: dict[str, Any]) -> None:
    told = RunPolicy(**stated).effective().model_dump(mode="json")

    assert list(accepted(RunPolicy, told).contradictions(branches=3)) == []


@given(branch_timeout_s=st.floats(0.1, 3_600), deadline_s=st.floats(0.1, 86_400))
def test_a_branch_never_has_more_time_than_its_run(branch_timeout_s: float, deadline_s: float) -> None:
    followed = RunPolicy(branch_timeout_s=branch_timeout_s, deadline_s=deadline_s).effective()

    assert followed.branch_timeout_s == min(branch_timeout_s, deadline_s)
    assert followed.deadline_s == deadline_s


@pytest.mark.parametrize(
    ("stated", "hedges"),
    [({}, False), ({"hedge": "p95"}, True), ({"hedge_after_s": 1}, True), ({"attempts": 2}, False)],
)
def test_a_policy_hedges_when_it_says_when(stated: dict[str, Any], hedges: bool) -> None:
    assert RunPolicy(**stated).hedges == hedges
