from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.completion import certainty, meets, verdict, verdict_by_counts
from shared.contracts.branch import BranchOutcome, BranchStatus
from shared.contracts.policy import Interruption, RunPolicy
from tests.shared.aggregation.outcomes import failed, succeeded

UNSUCCESSFUL: tuple[BranchStatus, ...] = ("failed", "timed_out", "cancelled")


def branches(successes: int, failures: int) -> list[BranchOutcome]:
    good = [succeeded(f"s{number}") for number in range(successes)]
    return good + [failed(f"f{number}", UNSUCCESSFUL[number % 3]) for number in range(failures)]


@pytest.mark.parametrize(
    ("successes", "failures", "policy", "interruption", "expected"),
    [
        (3, 0, {}, None, ("succeeded", "all_completed")),
        (2, 1, {}, None, ("partial", "all_completed")),
        (1, 2, {}, None, ("partial", "all_completed")),
        (0, 3, {}, None, ("failed", "failure_tolerance_exceeded")),
        (2, 1, {"min_successful": 3}, None, ("failed", "failure_tolerance_exceeded")),
        (2, 1, {"min_successful": 2}, None, ("partial", "all_completed")),
        (2, 1, {"tolerated_failure_count": 0}, None, ("failed", "failure_tolerance_exceeded")),
        (2, 1, {"tolerated_failure_count": 1}, None, ("partial", "all_completed")),
        (3, 0, {"tolerated_failure_count": 0}, None, ("succeeded", "all_completed")),
        (3, 0, {"tolerated_failure_percentage": 0}, None, ("succeeded", "all_completed")),
        (3, 0, {}, "deadline_exceeded", ("succeeded", "deadline_exceeded")),
        (2, 1, {}, "deadline_exceeded", ("partial", "deadline_exceeded")),
        (0, 3, {}, "deadline_exceeded", ("failed", "deadline_exceeded")),
        (2, 1, {"min_successful": 3}, "deadline_exceeded", ("failed", "deadline_exceeded")),
        (3, 0, {}, "cancelled", ("cancelled", "cancelled")),
        (2, 1, {"min_successful": 3}, "cancelled", ("cancelled", "cancelled")),
        (0, 3, {}, "cancelled", ("cancelled", "cancelled")),
        (2, 1, {}, "budget_exhausted", ("partial", "budget_exhausted")),
        (0, 3, {}, "budget_exhausted", ("failed", "budget_exhausted")),
        (2, 1, {"tolerated_failure_count": 0}, "budget_exhausted", ("failed", "budget_exhausted")),
        (2, 1, {"min_successful": 2}, "min_successful_reached", ("partial", "min_successful_reached")),
        (3, 0, {"min_successful": 2}, "min_successful_reached", ("succeeded", "min_successful_reached")),
        (2, 1, {"tolerated_failure_count": 0}, "failure_tolerance_exceeded", ("failed", "failure_tolerance_exceeded")),
    ],
)
def test_the_verdict_of_a_run(
    successes: int, failures: int, policy: dict[str, Any], interruption: Interruption | None, expected: tuple[str, str]
) -> None:
    assert verdict(branches(successes, failures), RunPolicy(**policy), interruption) == expected
    assert verdict_by_counts(successes, failures, RunPolicy(**policy), interruption) == expected


@pytest.mark.parametrize(
    ("successes", "failures", "percentage", "met"),
    [
        (19, 1, 5, True),
        (18, 2, 5, False),
        (2, 1, 33.3, False),
        (2, 1, 33.4, True),
        (1, 1, 50, True),
        (1, 1, 49.999999, False),
        (1, 199, 100, True),
        (0, 200, 100, False),
        (199, 1, 0.5, True),
        (199, 1, 0.4999, False),
        (997, 3, 0.3, True),
        (9, 1, 10, True),
        (7, 3, 30, True),
    ],
)
def test_a_share_of_failures_is_tolerated_up_to_the_percentage_itself(
    successes: int, failures: int, percentage: float, met: bool
) -> None:
    assert meets(branches(successes, failures), RunPolicy(tolerated_failure_percentage=percentage)) == met


@pytest.mark.parametrize("total", [3, 7, 10, 19, 21, 200])
def test_the_exact_percentage_of_any_count_is_tolerated(total: int) -> None:
    for failures in range(1, total):
        policy = RunPolicy(tolerated_failure_percentage=failures * 100 / total)
        assert meets(branches(total - failures, failures), policy), f"{failures} of {total}"


@given(
    successes=st.integers(0, 8),
    failures=st.integers(0, 8),
    tolerances=st.tuples(
        st.none() | st.integers(1, 8),
        st.none() | st.integers(0, 8),
        st.none() | st.sampled_from([0, 12.5, 25, 50, 75, 100]),
    ),
    interruption=st.none() | st.sampled_from(["deadline_exceeded", "cancelled", "budget_exhausted"]),
)
def test_the_verdict_follows_the_rules_for_every_combination(
    successes: int,
    failures: int,
    tolerances: tuple[int | None, int | None, float | None],
    interruption: Interruption | None,
) -> None:
    minimum, count, percentage = tolerances
    policy = RunPolicy(min_successful=minimum, tolerated_failure_count=count, tolerated_failure_percentage=percentage)
    enough = successes >= max(1, minimum or 1)
    few_failures = count is None or failures <= count
    small_share = percentage is None or failures == 0 or failures / (successes + failures) <= percentage / 100

    status, reason = verdict(branches(successes, failures), policy, interruption)

    if interruption == "cancelled":
        assert (status, reason) == ("cancelled", "cancelled")
    elif enough and few_failures and small_share:
        assert (status, reason) == ("partial" if failures else "succeeded", interruption or "all_completed")
    else:
        assert (status, reason) == ("failed", interruption or "failure_tolerance_exceeded")


@pytest.mark.parametrize("status", UNSUCCESSFUL)
def test_every_unsuccessful_status_counts_as_a_failure(status: BranchStatus) -> None:
    policy = RunPolicy(tolerated_failure_count=0)

    assert not meets([succeeded("a"), failed("b", status)], policy)


def test_branches_that_were_stopped_because_enough_had_succeeded_are_no_failures() -> None:
    policy = RunPolicy(min_successful=1, stop_early=True, tolerated_failure_count=0)

    assert verdict(branches(1, 9), policy, "min_successful_reached") == ("partial", "min_successful_reached")


@pytest.mark.parametrize(
    ("successes", "failures", "policy", "expected"),
    [
        (0, 0, {}, None),
        (0, 9, {}, None),
        (0, 10, {}, "failure_tolerance_exceeded"),
        (9, 0, {}, None),
        (0, 3, {"min_successful": 7}, None),
        (0, 4, {"min_successful": 7}, "failure_tolerance_exceeded"),
        (0, 0, {"min_successful": 10}, None),
        (9, 1, {"min_successful": 10}, "failure_tolerance_exceeded"),
        (0, 2, {"tolerated_failure_count": 2}, None),
        (0, 3, {"tolerated_failure_count": 2}, "failure_tolerance_exceeded"),
        (0, 1, {"tolerated_failure_count": 0}, "failure_tolerance_exceeded"),
        (0, 3, {"tolerated_failure_percentage": 30}, None),
        (0, 4, {"tolerated_failure_percentage": 39.9}, "failure_tolerance_exceeded"),
        (0, 4, {"tolerated_failure_percentage": 40}, None),
        (9, 1, {"tolerated_failure_percentage": 0}, "failure_tolerance_exceeded"),
        (0, 9, {"tolerated_failure_percentage": 100}, None),
        (0, 10, {"tolerated_failure_percentage": 100}, "failure_tolerance_exceeded"),
        (0, 2, {"tolerated_failure_count": 5, "tolerated_failure_percentage": 10}, "failure_tolerance_exceeded"),
        (6, 0, {"min_successful": 7, "stop_early": True}, None),
        (7, 0, {"min_successful": 7, "stop_early": True}, "min_successful_reached"),
        (7, 0, {"min_successful": 7}, None),
        (7, 3, {"min_successful": 7, "stop_early": True, "tolerated_failure_count": 2}, "failure_tolerance_exceeded"),
    ],
)
def test_what_is_certain_of_ten_branches_before_all_have_ended(
    successes: int, failures: int, policy: dict[str, Any], expected: str | None
) -> None:
    assert certainty(successes, failures, 10, RunPolicy(**policy)) == expected


POLICIES = st.builds(
    RunPolicy,
    min_successful=st.none() | st.integers(1, 12),
    tolerated_failure_count=st.none() | st.integers(0, 12),
    tolerated_failure_percentage=st.none() | st.floats(0, 100),
    stop_early=st.booleans(),
)


@given(total=st.integers(1, 12), successes=st.integers(0, 12), failures=st.integers(0, 12), policy=POLICIES)
def test_a_miss_is_certain_exactly_when_no_end_of_the_other_branches_meets_the_policy(
    total: int, successes: int, failures: int, policy: RunPolicy
) -> None:
    successes = min(successes, total)
    failures = min(failures, total - successes)
    hopeless = not meets(branches(total - failures, failures), policy)

    certain = certainty(successes, failures, total, policy) == "failure_tolerance_exceeded"

    assert certain == hopeless


@given(total=st.integers(1, 12), successes=st.integers(0, 12), failures=st.integers(0, 12), policy=POLICIES)
def test_what_is_certain_stays_certain_as_more_branches_fail(
    total: int, successes: int, failures: int, policy: RunPolicy
) -> None:
    if successes + failures < total and certainty(successes, failures, total, policy) == "failure_tolerance_exceeded":
        assert certainty(successes, failures + 1, total, policy) == "failure_tolerance_exceeded"
        assert certainty(successes + 1, failures, total, policy) == "failure_tolerance_exceeded"
