from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.completion import Interruption, meets, verdict
from shared.contracts.branch import BranchOutcome, BranchStatus
from shared.contracts.policy import RunPolicy
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
        (3, 0, {}, "deadline_exceeded", ("partial", "deadline_exceeded")),
        (2, 1, {}, "deadline_exceeded", ("partial", "deadline_exceeded")),
        (0, 3, {}, "deadline_exceeded", ("failed", "deadline_exceeded")),
        (2, 1, {"min_successful": 3}, "deadline_exceeded", ("failed", "deadline_exceeded")),
        (3, 0, {}, "cancelled", ("cancelled", "cancelled")),
        (2, 1, {"min_successful": 3}, "cancelled", ("cancelled", "cancelled")),
        (0, 3, {}, "cancelled", ("cancelled", "cancelled")),
    ],
)
def test_the_verdict_of_a_run(
    successes: int, failures: int, policy: dict[str, Any], interruption: Interruption | None, expected: tuple[str, str]
) -> None:
    assert verdict(branches(successes, failures), RunPolicy(**policy), interruption) == expected


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
    interruption=st.none() | st.sampled_from(get_args(Interruption)),
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
        whole = failures == 0 and interruption is None
        assert (status, reason) == ("succeeded" if whole else "partial", interruption or "all_completed")
    else:
        assert (status, reason) == ("failed", interruption or "failure_tolerance_exceeded")


@pytest.mark.parametrize("status", UNSUCCESSFUL)
def test_every_unsuccessful_status_counts_as_a_failure(status: BranchStatus) -> None:
    policy = RunPolicy(tolerated_failure_count=0)

    assert not meets([succeeded("a"), failed("b", status)], policy)
