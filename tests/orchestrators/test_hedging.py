"""A second call beside one that takes long: when, for whom, and what becomes of the two."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.names import CANCEL_EVENT
from shared.scheduling.hedging import LEAST_COMPLETED, MARGIN, MAX_HEDGES_PER_BRANCH
from tests.orchestrators.fake_context import START, Drive
from tests.orchestrators.given import (
    EVERYONE,
    NO_TOKENS,
    error_codes,
    failed,
    instances,
    let_stop,
    only,
    outcome_of,
    start_fan_out,
    start_sections,
    statuses,
    stops,
    succeed,
    succeeded,
    throttled,
    timed_out,
    told_to_stop,
    usage,
    verdict,
)

TEN = [f"s{number}" for number in range(10)]


def hedging(*names: str, **policy: object) -> Drive:
    """A run that hedges after 2 s, every branch if need be."""
    return start_fan_out(*names, **{"hedge_after_s": 2, "max_hedge_percentage": 100, **policy})


def hedged(*names: str, **policy: object) -> Drive:
    """The same, after 2 s: all of its branches are slow and have a second call."""
    drive = hedging(*names, **policy)
    drive.pass_time(2)
    assert instances(drive.running) == [*names, *(f"{name}~2h" for name in names)]
    return drive


# --- When ---


def test_a_call_that_takes_long_gets_a_second_one_beside_it() -> None:
    drive = hedging("a")
    drive.pass_time(1.9)
    assert instances(drive.running) == ["a"]
    drive.pass_time(0.1)
    assert instances(drive.running) == ["a", "a~2h"]
    first, second = drive.running
    assert second.input == {**first.input, "number": 2}


def test_a_call_that_is_answered_in_time_gets_none() -> None:
    drive = hedging("a", "b")
    drive.pass_time(1)
    succeed(drive, "a", "b")
    assert instances(drive.context.children) == ["a", "b"]
    assert drive.pending_timers == []


def test_without_the_policys_word_no_call_is_doubled() -> None:
    drive = start_fan_out("a", deadline_s=3000, branch_timeout_s=3000)
    drive.pass_time(2999)
    assert instances(drive.running) == ["a"]


def test_a_hedge_that_takes_long_itself_is_hedged_up_to_a_limit() -> None:
    drive = hedging("a", "b", "c", "d", "e")
    succeed(drive, "b", "c", "d", "e")
    drive.pass_time(2 * (MAX_HEDGES_PER_BRANCH + 3))
    assert instances(drive.running) == ["a", "a~2h", "a~3h", "a~4h"]
    assert [(child.at - START).total_seconds() for child in drive.running] == [0, 2, 4, 6]


def test_a_retry_that_takes_long_is_hedged_too() -> None:
    drive = hedging("a")
    drive.complete(drive.child("a"), failed("a", retriable=True))
    drive.pass_time(1)
    assert instances(drive.running) == ["a~2"]
    drive.pass_time(2)
    assert instances(drive.running) == ["a~2", "a~3h"]
    succeed(drive, "a")
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["attempts"], outcome["hedges"]) == (2, 1)


def test_a_hedge_keeps_the_deadline_of_its_branch() -> None:
    drive = hedged("a", branch_timeout_s=30)
    deadlines = {datetime.fromisoformat(child.input["deadline"]) for child in drive.running}
    assert deadlines == {START + timedelta(seconds=30)}


def test_a_branch_that_started_late_is_hedged_late() -> None:
    drive = hedging("a", "b", max_concurrency=1)
    drive.pass_time(1.5)
    succeed(drive, "a")
    drive.pass_time(1.9)
    assert instances(drive.running) == ["b"]


def test_a_turn_for_another_reason_leaves_the_alarm_as_it_is() -> None:
    drive = hedging("a", "b", "c", "d")
    succeed(drive, "c", "d")
    drive.pass_time(3)
    timers = len(drive.context.timers)
    succeed(drive, "a")
    assert stops(drive) == [only("a")]
    assert len(drive.context.timers) == timers
    drive.pass_time(1)
    assert instances(drive.running) == ["a", "b", "b~2h", "b~3h"]


# --- How many ---


def test_extra_calls_are_a_share_of_the_branches_rounded_up() -> None:
    drive = hedging(*TEN, max_hedge_percentage=25)
    drive.pass_time(20)
    assert instances(drive.running) == [*TEN, "s0~2h", "s1~2h", "s2~2h"]


def test_by_default_it_is_a_fifth() -> None:
    drive = start_fan_out(*TEN, hedge_after_s=2)
    drive.pass_time(20)
    assert instances(drive.running) == [*TEN, "s0~2h", "s1~2h"]


def test_a_hedge_takes_a_place_in_the_window() -> None:
    drive = hedging("a", "b", "c", max_concurrency=2)
    drive.pass_time(5)
    assert instances(drive.running) == ["a", "b"]
    succeed(drive, "b")
    assert instances(drive.running) == ["a", "a~2h"], "the straggler goes before the branch that waits"


def test_while_the_model_throttles_nothing_is_hedged() -> None:
    drive = hedging("a", "b", "c", max_concurrency=4)
    drive.complete(drive.child("a"), throttled("a", retry_after_s=60.0))
    drive.pass_time(10)
    assert instances(drive.running) == ["b", "c"]


# --- What becomes of the two ---


@pytest.mark.parametrize(("winner", "loser"), [(2, "a"), (1, "a~2h")])
def test_the_first_success_wins_and_the_other_call_is_told_to_stop(winner: int, loser: str) -> None:
    drive = hedged("a", "b")
    drive.complete(drive.child("a", winner), succeeded("a", f"from call {winner}"))
    assert stops(drive) == [only(loser)]
    succeed(drive, "b")
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["output"]) == ("succeeded", f"from call {winner}")
    assert (outcome["attempts"], outcome["hedges"]) == (1, 1)
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.pending_timers == []


def test_the_loser_of_the_last_branch_is_told_to_stop_too_and_not_waited_for() -> None:
    drive = hedged("a")
    succeed(drive, "a")
    assert stops(drive) == [only("a")]
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert datetime.fromisoformat(drive.ended["ended_at"]) == START + timedelta(seconds=2)
    assert drive.pending_timers == []


def test_the_loser_of_the_last_branch_is_told_to_stop_before_the_synthesis() -> None:
    drive = start_sections("a", policy={"hedge_after_s": 2})
    drive.pass_time(2)
    succeed(drive, "a")
    assert stops(drive) == [only("a")]
    assert instances(drive.running) == ["a", "~synthesis"]


def test_all_losers_of_a_branch_are_told_to_stop_at_once() -> None:
    drive = hedging("a", "b", "c")
    succeed(drive, "b", "c")
    drive.pass_time(4)
    assert instances(drive.running) == ["a", "a~2h", "a~3h"]
    drive.complete(drive.child("a", 2), succeeded("a"))
    assert stops(drive) == [only("a", "a~3h")]


def test_a_loser_that_has_ended_before_is_told_nothing() -> None:
    drive = hedged("a", "b")
    drive.complete(drive.child("a", 1), failed("a", retriable=True))
    succeed(drive, "a", "b")
    assert stops(drive) == [only("b")]


def test_both_calls_are_paid_for() -> None:
    drive = hedged("a", "b")
    drive.complete(drive.child("a", 2), succeeded("a", usage=usage(30)))
    drive.complete(drive.child("a", 1), told_to_stop("a", usage=usage(4)))
    drive.complete(drive.child("b", 1), succeeded("b", usage=usage(100)))
    assert outcome_of(drive.ended, "a")["usage"] == {**usage(34), "model_calls": 2}
    assert outcome_of(drive.ended, "b")["usage"] == {**usage(100), "model_calls": 2}
    assert drive.ended["usage"] == {**usage(134), "model_calls": 4}


def test_an_answer_of_the_loser_changes_nothing_but_the_bill() -> None:
    drive = hedged("a", "b")
    drive.complete(drive.child("a", 2), succeeded("a", "the first"))
    drive.complete(drive.child("a", 1), succeeded("a", "the second", usage=usage(4)))
    succeed(drive, "b")
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["output"], outcome["usage"]["model_calls"], outcome["usage"]["total_tokens"]) == (
        "the first",
        2,
        19,
    )


def test_an_answer_of_a_loser_while_the_synthesis_runs_changes_nothing() -> None:
    drive = start_sections("a", policy={"hedge_after_s": 2})
    drive.pass_time(2)
    succeed(drive, "a")
    drive.complete(drive.child("a", 1), succeeded("a", "late"))
    succeed(drive, "~synthesis")
    assert outcome_of(drive.ended, "a")["output"] == "output of a"
    assert verdict(drive.ended) == ("succeeded", "all_completed")


@pytest.mark.parametrize("number", [1, 2])
def test_a_failure_of_one_does_not_end_the_branch_while_the_other_is_out(number: int) -> None:
    drive = hedged("a")
    drive.complete(drive.child("a", number), failed("a", retriable=True))
    assert drive.result is None
    assert [timer.fire_at for timer in drive.pending_timers] != []
    other = 3 - number
    drive.complete(drive.child("a", other), succeeded("a", f"from call {other}"))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["output"], outcome["attempts"], outcome["hedges"]) == (f"from call {other}", 1, 1)
    assert (stops(drive), drive.pending_timers) == ([], [])


def test_when_both_have_failed_the_branch_is_tried_again_within_its_attempts() -> None:
    drive = hedged("a", attempts=2)
    drive.complete(drive.child("a", 1), failed("a", retriable=True))
    drive.complete(drive.child("a", 2), failed("a", retriable=True))
    assert drive.running == []
    drive.pass_time(1)
    assert instances(drive.running) == ["a~3"], "a hedge is no attempt"
    drive.complete(drive.child("a"), failed("a", retriable=True))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["hedges"]) == ("failed", 2, 1)


@pytest.mark.parametrize(("number", "other"), [(1, "a~2h"), (2, "a")])
def test_a_permanent_failure_of_one_ends_the_branch(number: int, other: str) -> None:
    drive = hedged("a", "b")
    drive.complete(drive.child("a", number), failed("a", "content_filtered"))
    assert stops(drive) == [only(other)]
    succeed(drive, "b")
    assert statuses(drive.ended) == {"a": "failed", "b": "succeeded"}
    assert error_codes(drive.ended) == {"a": "content_filtered"}
    assert outcome_of(drive.ended, "a")["usage"] == usage(15, output=5) | {"model_calls": 2}


def test_when_both_run_out_of_time_the_branch_has() -> None:
    drive = hedged("a")
    drive.complete(drive.child("a", 1), timed_out("a"))
    assert drive.result is None
    drive.complete(drive.child("a", 2), timed_out("a"))
    assert statuses(drive.ended) == {"a": "timed_out"}
    assert drive.ended["usage"] == {**NO_TOKENS, "model_calls": 2}


def test_a_cancel_stops_both() -> None:
    drive = hedged("a")
    drive.raise_event(CANCEL_EVENT)
    assert stops(drive) == [EVERYONE]
    drive.complete(drive.child("a", 1), told_to_stop("a"))
    assert drive.result is None
    let_stop(drive)
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["hedges"]) == ("cancelled", 1, 1)
    assert outcome["usage"] == {**NO_TOKENS, "model_calls": 2}


# --- A time that is learned ---


def after(drive: Drive, seconds: float, *names: str) -> None:
    """Let these branches succeed when the run is so many seconds old."""
    drive.pass_time_until(START + timedelta(seconds=seconds))
    succeed(drive, *names)


def test_the_time_is_learned_from_the_calls_that_have_succeeded() -> None:
    drive = start_fan_out(*TEN, hedge="p95")
    after(drive, 1, *TEN[:7])
    assert len(drive.pending_timers) == 1, "seven of ten say nothing yet"
    after(drive, 4, *TEN[7:9])
    assert instances(drive.running) == ["s9"]
    hedged_at = START + timedelta(seconds=4 * MARGIN)
    assert [timer.fire_at for timer in drive.pending_timers[1:]] == [hedged_at]
    drive.pass_time_until(hedged_at)
    assert instances(drive.running) == ["s9", "s9~2h"]
    succeed(drive, "s9")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert stops(drive) == [only("s9")]


def test_a_straggler_that_is_overdue_when_the_time_is_learned_is_hedged_at_once() -> None:
    drive = start_fan_out("a", "b", "c", "d", "e", hedge="p95", max_concurrency=2)
    after(drive, 1, "b")
    after(drive, 2, "c")
    assert instances(drive.running) == ["a", "d"]
    after(drive, 3, "d")
    assert instances(drive.running) == ["a", "a~2h"], "three of four calls took a second, and this one three"
    succeed(drive, "a", "e")
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_fewer_than_a_few_calls_teach_nothing() -> None:
    names = TEN[:LEAST_COMPLETED]
    drive = start_fan_out(*names, hedge="p95")
    after(drive, 1, *names[:-1])
    drive.pass_time(100)
    assert instances(drive.running) == [names[-1]]


def test_a_synthesis_is_not_hedged_by_a_time_learned_from_others() -> None:
    drive = start_sections(*TEN, policy={"hedge": "p95"})
    after(drive, 1, *TEN)
    drive.pass_time(100)
    assert instances(drive.running) == ["~synthesis"]


def test_a_synthesis_is_hedged_after_the_time_that_the_policy_states() -> None:
    drive = start_sections("a", policy={"hedge_after_s": 2})
    succeed(drive, "a")
    drive.pass_time(2)
    assert instances(drive.running) == ["~synthesis", "~synthesis~2h"]
    succeed(drive, "~synthesis")
    assert stops(drive) == [only("~synthesis")]
    assert drive.ended["aggregation"]["hedges"] == 1
    assert drive.pending_timers == []
