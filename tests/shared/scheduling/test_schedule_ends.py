"""What keeps calls from starting: the budget, certainty, the end."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.branch import Usage
from shared.scheduling.budget import Budget
from tests.shared.scheduling.given import (
    AGENT,
    INPUT_TOKENS,
    PERMANENT,
    at,
    decided,
    failed,
    ids,
    schedule,
    spent,
    succeeded,
    throttled,
)

# --- The budget ---


def test_nothing_starts_once_the_budget_is_spent() -> None:
    given = schedule(3, max_concurrency=1, max_total_tokens=1_000)
    [first] = given.due(at(0))
    given.ended(first, spent(1_000), at(1))

    assert given.due(at(1)) == []
    assert (given.finished, given.withheld, decided(given)) == (True, True, ["b0"])


def test_a_waiting_retry_is_withheld_too() -> None:
    given = schedule(2, max_concurrency=2, max_total_tokens=10_000)
    first, second = given.due(at(0))
    given.ended(first, failed(), at(1))
    given.ended(second, spent(10_000), at(1.1))

    assert (given.finished, given.withheld) == (True, True)


def test_a_branch_whose_failure_spent_the_budget_is_withheld() -> None:
    given = schedule(1, max_total_tokens=100)
    [call] = given.due(at(0))
    given.ended(call, failed(usage=Usage(model_calls=1, total_tokens=100)), at(1))

    assert (given.finished, given.withheld, decided(given)) == (True, True, [])


def test_a_budget_that_was_just_enough_withheld_nothing() -> None:
    given = schedule(1, max_total_tokens=1_000)
    [call] = given.due(at(0))
    given.ended(call, spent(1_000), at(1))

    assert (given.finished, given.withheld) == (True, False)


def test_calls_in_flight_come_to_their_end_although_the_budget_is_spent() -> None:
    given = schedule(3, max_concurrency=2, max_total_tokens=10_000)
    first, second = given.due(at(0))
    given.ended(first, spent(10_000), at(1))
    assert (given.finished, given.certain) == (False, None)
    given.ended(second, succeeded(), at(2))

    assert decided(given) == ["b0", "b1"]


def test_no_retry_and_no_hedge_once_the_budget_is_spent() -> None:
    given = schedule(2, max_total_tokens=10_000, hedge_after_s=2)
    _, second = given.due(at(0))
    given.ended(second, spent(10_000), at(1))

    assert given.due(at(3)) == []


def test_calls_wait_until_their_estimates_fit_into_what_is_left() -> None:
    one_call = Budget(1).estimate(AGENT, INPUT_TOKENS)
    given = schedule(4, max_total_tokens=2 * one_call)
    first, _ = given.due(at(0))
    assert given.due(at(0)) == []
    given.ended(first, spent(INPUT_TOKENS + 10, 10), at(1))

    assert ids(given.due(at(1))) == ["b2", "b3"], "answers are shorter than was assumed"


def test_a_budget_keeps_nothing_for_calls_that_nobody_awaits() -> None:
    budget = Budget(2_000)
    given = schedule(2, budget=budget)
    first, _ = given.due(at(0))
    assert not budget.allows(2_000)
    given.close()
    assert budget.allows(2_000)
    given.ended(first, spent(500), at(1))

    assert budget.left == 1_500


def test_a_schedule_that_begins_without_budget_withholds_everything() -> None:
    budget = Budget(10)
    budget.spend(10, 5)
    given = schedule(1, budget=budget)

    assert given.due(at(0)) == []
    assert (given.finished, given.withheld) == (True, True)


# --- What is certain ---


def test_enough_successes_are_certain_at_once() -> None:
    given = schedule(5, min_successful=2, stop_early=True)
    calls = given.due(at(0))
    given.ended(calls[0], succeeded(), at(1))
    assert given.certain is None
    given.ended(calls[3], succeeded(), at(1))

    assert given.certain == "min_successful_reached"
    assert given.wants_turn(at(1), None)


def test_a_tolerance_that_is_exceeded_is_certain_at_once() -> None:
    given = schedule(5, tolerated_failure_count=1)
    calls = given.due(at(0))
    given.ended(calls[0], PERMANENT, at(1))
    assert given.certain is None
    given.ended(calls[1], PERMANENT, at(1))

    assert given.certain == "failure_tolerance_exceeded"


def test_a_branch_that_may_be_tried_again_is_no_failure_yet() -> None:
    given = schedule(5, tolerated_failure_count=0)
    calls = given.due(at(0))
    given.ended(calls[0], failed(), at(1))

    assert given.certain is None


def test_nothing_is_left_to_be_certain_about_when_all_branches_have_ended() -> None:
    given = schedule(1, min_successful=1, stop_early=True)
    [call] = given.due(at(0))
    given.ended(call, succeeded(), at(1))

    assert (given.finished, given.certain) == (True, None)


def test_reused_successes_count_for_the_policy() -> None:
    given = schedule(3, reused=2, min_successful=3, stop_early=True)
    calls = given.due(at(0))
    given.ended(calls[0], succeeded(), at(1))

    assert given.certain == "min_successful_reached"


def test_enough_reused_successes_are_certain_before_anything_has_started() -> None:
    assert schedule(3, reused=2, min_successful=2, stop_early=True).certain == "min_successful_reached"


def test_reused_branches_are_part_of_the_share_that_failures_are_measured_by() -> None:
    given = schedule(2, reused=8, tolerated_failure_percentage=10)
    calls = given.due(at(0))
    given.ended(calls[0], PERMANENT, at(1))

    assert given.certain is None, "one of ten"


def test_a_budget_that_cannot_reach_the_minimum_any_more_ends_the_run() -> None:
    given = schedule(4, max_concurrency=2, min_successful=3, max_total_tokens=10_000)
    first, _ = given.due(at(0))
    given.ended(first, spent(10_000), at(1))

    assert given.certain == "budget_exhausted", "two are withheld: at most two can succeed"


def test_withheld_branches_are_as_good_as_failed_for_a_tolerance() -> None:
    given = schedule(3, max_concurrency=2, tolerated_failure_count=0, max_total_tokens=10_000)
    first, _ = given.due(at(0))
    given.ended(first, spent(10_000), at(1))

    assert given.certain == "budget_exhausted"


# --- After the end ---


def test_an_answer_that_comes_after_the_end_is_kept() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, succeeded(), at(1))

    assert decided(given) == ["b0"]


@pytest.mark.parametrize("report", [failed("cancelled"), failed(), throttled()])
def test_a_call_that_was_stopped_or_may_be_tried_again_decides_nothing_after_the_end(report: Any) -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, report, at(1))

    assert decided(given) == []
    assert given.records["b0"].reports == [report], "its cost counts"
    assert given.due(at(60)) == []


def test_a_budget_that_is_spent_after_the_end_withholds_nothing() -> None:
    given = schedule(2, max_concurrency=1, max_total_tokens=1_000)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, spent(1_000), at(1))

    assert not given.withheld, "the other branch did not start for another reason"


def test_a_lost_call_decides_nothing_after_the_end() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.lost(call, "terminated")

    assert decided(given) == []


def test_a_call_that_was_stopped_from_outside_ends_its_branch() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed("cancelled"), at(1))

    assert given.finished
