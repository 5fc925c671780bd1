from __future__ import annotations

from typing import get_args

import pytest

from shared.contracts.branch import BranchOutcome, BranchStatus, Usage
from shared.contracts.policy import Interruption
from shared.scheduling.accounts import CUT_SHORT, outcome_of
from shared.scheduling.schedule import Schedule
from tests.shared.scheduling.given import ANSWER, REJECTION, at, failed, schedule, succeeded, throttled

RUN_S = 900.0


def outcome(
    given: Schedule, *, cut_by: Interruption | None = None, branch: str = "b0", seconds: float = 99
) -> BranchOutcome:
    """What became of a branch, asked after so many seconds."""
    return outcome_of(given.records[branch], run_deadline=at(RUN_S), cut_by=cut_by, now=at(seconds))


def told(given: Schedule, *, cut_by: Interruption | None = None) -> tuple[str, str, str]:
    """The status, the code and the message of the first branch."""
    found = outcome(given, cut_by=cut_by)
    assert found.error is not None
    return found.status, found.error.code, found.error.message


def test_a_success_comes_with_its_answer_and_its_times() -> None:
    given = schedule(1)
    [call] = given.due(at(3))
    given.ended(call, succeeded(seconds=5), at(5))

    assert outcome(given) == BranchOutcome(
        name="b0",
        status="succeeded",
        output="an answer",
        attempts=1,
        usage=ANSWER,
        model="gpt-test",
        started_at=at(3),
        ended_at=at(5),
    )


def test_all_calls_for_a_branch_are_counted() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    given.ended(first, throttled(), at(1))
    [retry] = given.due(at(10))
    [hedge] = given.due(at(12))
    given.ended(hedge, succeeded(), at(21))
    given.ended(retry, succeeded(tokens=100, output_tokens=50), at(22))
    found = outcome(given)

    assert (found.attempts, found.hedges) == (2, 1)
    assert found.usage == ANSWER + REJECTION + Usage(model_calls=1, input_tokens=50, output_tokens=50, total_tokens=100)


def test_a_call_without_an_account_counts_as_one_call() -> None:
    given = schedule(1, hedge_after_s=2)
    given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, succeeded(), at(3))

    assert outcome(given).usage == ANSWER + Usage(model_calls=1)


def test_a_failure_keeps_its_own_words() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed("content_filtered", retriable=False, seconds=4), at(4))

    assert told(given) == ("failed", "content_filtered", "content_filtered!")
    assert outcome(given).ended_at == at(4)


def test_a_call_whose_time_was_up_is_a_branch_that_timed_out() -> None:
    given = schedule(1, attempts=1)
    [call] = given.due(at(0))
    given.ended(call, failed("call_timed_out"), at(120))

    assert told(given) == ("timed_out", "call_timed_out", "call_timed_out!")


def test_a_branch_that_timed_out_tells_what_had_gone_wrong_before() -> None:
    given = schedule(1)
    [first] = given.due(at(0))
    given.ended(first, throttled(), at(1))
    [retry] = given.due(at(10))
    given.ended(retry, failed("branch_timed_out"), at(120))

    message = "branch_timed_out!; the error before that: rate_limited!"
    assert told(given) == ("timed_out", "branch_timed_out", message)


def test_a_branch_that_had_until_the_run_s_deadline_names_that() -> None:
    given = schedule(1, branch_timeout_s=RUN_S)
    [call] = given.due(at(0))
    given.ended(call, failed("branch_timed_out"), at(RUN_S))

    assert told(given) == ("timed_out", "deadline_exceeded", "the run's deadline passed before the branch ended")


def test_a_retry_that_found_no_place_in_time_is_a_branch_that_timed_out() -> None:
    given = schedule(2, max_concurrency=1, branch_timeout_s=10)
    [first] = given.due(at(0))
    given.ended(first, failed(), at(1))
    [second] = given.due(at(1))
    given.ended(second, succeeded(), at(11))
    given.due(at(11))

    message = "the time was up before attempt 2 began; the error before that: model_unavailable!"
    assert told(given) == ("timed_out", "branch_timed_out", message)


def test_a_lost_call_is_told_by_its_branch() -> None:
    given = schedule(1)
    [first] = given.due(at(0))
    given.ended(first, failed(), at(1))
    [retry] = given.due(at(10))
    given.lost(retry, "terminated by hand")

    message = "branch 'b0' ended without an outcome: terminated by hand; the error before that: model_unavailable!"
    assert told(given) == ("failed", "branch_failed", message)


def test_every_interruption_has_its_words() -> None:
    interruptions = {name for part in get_args(Interruption) for name in (get_args(part) or (part,))}

    assert set(CUT_SHORT) == interruptions


@pytest.mark.parametrize(
    ("cut_by", "status", "why"),
    [
        ("deadline_exceeded", "timed_out", "the run's deadline passed"),
        ("cancelled", "cancelled", "the run was cancelled"),
        ("min_successful_reached", "cancelled", "enough branches had succeeded"),
        ("failure_tolerance_exceeded", "cancelled", "too many branches had failed"),
        ("budget_exhausted", "cancelled", "the run's budget of tokens was spent"),
    ],
)
def test_a_branch_that_was_cut_short_says_why_and_how_far_it_was(
    cut_by: Interruption, status: BranchStatus, why: str
) -> None:
    given = schedule(1)
    assert told(given, cut_by=cut_by) == (status, cut_by, f"{why} before the branch started")
    [call] = given.due(at(0))
    assert told(given, cut_by=cut_by) == (status, cut_by, f"{why} before the branch ended")
    given.ended(call, failed(), at(1))
    message = f"{why} before the branch ended; the error before that: model_unavailable!"
    assert told(given, cut_by=cut_by) == (status, cut_by, message)


def test_a_branch_that_never_started_has_cost_nothing_and_took_no_time() -> None:
    found = outcome(schedule(1), cut_by="cancelled", seconds=7)

    assert (found.attempts, found.usage) == (0, Usage())
    assert (found.started_at, found.ended_at) == (at(7), at(7))


def test_a_branch_that_was_stopped_counts_its_call() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, failed("cancelled"), at(1))

    assert outcome(given, cut_by="cancelled").usage == REJECTION
    assert told(given, cut_by="cancelled") == (
        "cancelled",
        "cancelled",
        "the run was cancelled before the branch ended",
    )


def test_an_answer_that_came_after_the_cancel_is_an_outcome() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, succeeded(), at(1))

    assert outcome(given, cut_by="cancelled").status == "succeeded"
