"""What ends a fan-out before its branches do: the deadline, a cancel, a certain outcome."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.names import CANCEL_EVENT
from orchestrators.fan_out import STOP_GRACE_S
from orchestrators.sectioning import sectioning
from tests.orchestrators.fake_context import JSON, START, Drive, FakeContext
from tests.orchestrators.given import (
    EVERYONE,
    NO_TOKENS,
    branch_names,
    error_codes,
    failed,
    let_stop,
    outcome_of,
    run_input,
    sections_request,
    start_fan_out,
    statuses,
    stops,
    succeed,
    succeeded,
    timed_out,
    told_to_stop,
    usage,
    verdict,
)

SIX = ["s0", "s1", "s2", "s3", "s4", "s5"]


def test_the_deadline_ends_the_run_with_what_it_has() -> None:
    drive = start_fan_out("a", "b", "c", deadline_s=10)
    succeed(drive, "b")
    drive.pass_time(10)
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert statuses(drive.ended) == {"a": "timed_out", "b": "succeeded", "c": "timed_out"}
    error = drive.ended["outcomes"][0]["error"]
    assert (error["code"], error["message"]) == (
        "deadline_exceeded",
        "the run's deadline passed before the branch ended",
    )


def test_the_deadline_with_no_success_fails_the_run() -> None:
    drive = start_fan_out("a", deadline_s=10)
    drive.pass_time(10)
    let_stop(drive)
    assert verdict(drive.ended) == ("failed", "deadline_exceeded")


def test_a_cancel_ends_the_run_with_what_it_has() -> None:
    drive = start_fan_out("a", "b", "c")
    succeed(drive, "c")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "cancelled", "c": "succeeded"}
    assert drive.ended["outcomes"][0]["error"]["message"] == "the run was cancelled before the branch ended"
    assert drive.pending_timers == []


def test_a_run_that_is_cut_short_tells_all_of_its_calls_to_stop_once() -> None:
    drive = start_fan_out("a", "b", "c")
    succeed(drive, "b")
    drive.raise_event(CANCEL_EVENT)
    assert stops(drive) == [EVERYONE]
    let_stop(drive)
    assert drive.result is not None
    assert stops(drive) == [EVERYONE]


def test_a_run_with_no_call_in_flight_tells_nobody_to_stop() -> None:
    drive = start_fan_out("a", "b", max_concurrency=1)
    drive.complete(drive.child("a"), failed("a", retriable=True))
    drive.complete(drive.child("b"), failed("b", retriable=True))
    drive.raise_event(CANCEL_EVENT)
    assert statuses(drive.ended) == {"a": "cancelled", "b": "cancelled"}
    assert stops(drive) == []
    assert drive.pending_timers == []


def test_calls_that_were_told_to_stop_have_a_moment_to_give_their_account() -> None:
    drive = start_fan_out("a", "b")
    drive.raise_event(CANCEL_EVENT)
    drive.pass_time(STOP_GRACE_S * 0.9)
    drive.complete(drive.child("a"), told_to_stop("a", usage=usage(40)))
    assert drive.result is None
    drive.complete(drive.child("b"), failed("b", usage=usage(2)))
    assert drive.ended["usage"] == {**usage(42), "model_calls": 2}
    assert statuses(drive.ended) == {"a": "cancelled", "b": "failed"}
    assert drive.pending_timers == []


def test_after_that_moment_the_run_ends_without_it() -> None:
    drive = start_fan_out("a", "b")
    drive.raise_event(CANCEL_EVENT)
    drive.complete(drive.child("a"), told_to_stop("a", usage=usage(40)))
    drive.pass_time(STOP_GRACE_S)
    ended = datetime.fromisoformat(drive.ended["ended_at"])
    assert ended == START + timedelta(seconds=STOP_GRACE_S)
    assert statuses(drive.ended) == {"a": "cancelled", "b": "cancelled"}
    assert outcome_of(drive.ended, "b")["usage"] == NO_TOKENS
    assert drive.ended["usage"] == {**usage(40), "model_calls": 2}
    assert drive.pending_timers == []


def test_the_moment_is_short_enough_for_a_cancel_to_end_the_run_within_two_seconds() -> None:
    assert STOP_GRACE_S <= 1.5


def test_a_failure_to_stop_calls_is_harmless() -> None:
    drive = start_fan_out("a", "b")
    succeed(drive, "a")
    drive.raise_event(CANCEL_EVENT)
    drive.fail(drive.context.activities[-1], "the engine is gone")
    assert drive.result is None
    drive.pass_time(STOP_GRACE_S)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "cancelled"}


@pytest.mark.parametrize("interruption", ["cancelled", "deadline_exceeded"])
@pytest.mark.parametrize("ends", ["told", "terminated", "not at all"])
def test_a_branch_that_was_told_to_stop_has_not_failed(interruption: str, ends: str) -> None:
    drive = start_fan_out("a", "b", deadline_s=10)
    succeed(drive, "b")
    if interruption == "cancelled":
        drive.raise_event(CANCEL_EVENT)
    else:
        drive.pass_time(10)
    if ends == "told":
        let_stop(drive)
    elif ends == "terminated":
        drive.fail(drive.child("a"), "terminated")
    else:
        drive.pass_time(STOP_GRACE_S)
    status = {"cancelled": "cancelled", "deadline_exceeded": "timed_out"}[interruption]
    assert statuses(drive.ended) == {"a": status, "b": "succeeded"}
    assert error_codes(drive.ended) == {"a": interruption}


def test_an_answer_that_comes_while_calls_are_stopped_is_kept() -> None:
    drive = start_fan_out("a", "b", "c")
    drive.raise_event(CANCEL_EVENT)
    succeed(drive, "b")
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "succeeded", "c": "cancelled"}
    assert drive.ended["usage"]["total_tokens"] == 15


def test_a_failure_that_comes_while_calls_are_stopped_is_not_retried() -> None:
    drive = start_fan_out("a", "b")
    drive.raise_event(CANCEL_EVENT)
    drive.complete(drive.child("a"), failed("a", retriable=True))
    let_stop(drive)
    assert branch_names(drive.context.children) == ["a", "b"]
    assert error_codes(drive.ended) == {"a": "cancelled", "b": "cancelled"}
    message = "the run was cancelled before the branch ended; the error before that: a failed"
    assert outcome_of(drive.ended, "a")["error"]["message"] == message


def test_a_branch_that_failed_before_the_cancel_stays_failed() -> None:
    drive = start_fan_out("a", "b")
    drive.fail(drive.child("a"), "defect")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert statuses(drive.ended) == {"a": "failed", "b": "cancelled"}


def test_a_cancel_that_comes_while_the_deadline_is_dealt_with_changes_no_account() -> None:
    drive = start_fan_out("a", "b", deadline_s=10)
    succeed(drive, "b")
    drive.pass_time(10)
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["outcomes"][0]["error"]["code"] == "deadline_exceeded"


def test_branches_that_wait_never_start_after_the_deadline() -> None:
    drive = start_fan_out(*SIX, max_concurrency=2, deadline_s=10)
    succeed(drive, "s0")
    drive.pass_time(10)
    succeed(drive, "s1")
    let_stop(drive)
    assert branch_names(drive.context.children) == ["s0", "s1", "s2"]
    assert stops(drive) == [EVERYONE]
    assert statuses(drive.ended) == {"s0": "succeeded", "s1": "succeeded"} | dict.fromkeys(SIX[2:], "timed_out")
    assert drive.ended["outcomes"][-1]["error"]["message"] == "the run's deadline passed before the branch started"


def test_branches_that_wait_never_start_after_a_cancel() -> None:
    drive = start_fan_out(*SIX, max_concurrency=2)
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert branch_names(drive.context.children) == ["s0", "s1"]
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == dict.fromkeys(SIX, "cancelled")


def test_a_branch_that_was_cut_short_tells_its_own_times() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=1, deadline_s=60)
    drive.pass_time(4)
    succeed(drive, "a")
    drive.pass_time(3)
    drive.raise_event(CANCEL_EVENT)
    drive.pass_time(0.5)
    let_stop(drive)
    times = [(outcome["started_at"], outcome["ended_at"]) for outcome in drive.ended["outcomes"][1:]]
    seconds = [[(datetime.fromisoformat(at) - START).total_seconds() for at in both] for both in times]
    assert seconds == [[4, 7.5], [7.5, 7.5]]


@pytest.mark.parametrize("window", [1, 2])
def test_a_run_that_was_cancelled_before_it_began_starts_no_branch(window: int) -> None:
    context = FakeContext(run_input(sections_request("a", "b", policy={"max_concurrency": window})))
    context.wait_for_external_event(CANCEL_EVENT)
    context.events[CANCEL_EVENT].complete(None)
    drive = Drive(sectioning, context)
    assert context.children == []
    assert context.activities == []
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "cancelled"}
    assert drive.ended["outcomes"][0]["error"]["message"] == "the run was cancelled before the branch started"


def test_a_cancel_in_the_turn_of_the_last_completion_but_before_it_cancels() -> None:
    drive = start_fan_out("a", "b")
    succeed(drive, "a")
    drive.raise_event(CANCEL_EVENT)
    succeed(drive, "b")
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}


def test_a_deadline_that_cost_nothing_is_not_the_reason() -> None:
    drive = start_fan_out("a", "b", deadline_s=10)
    succeed(drive, "a")
    drive.pass_time(10)
    succeed(drive, "b")
    assert verdict(drive.ended) == ("succeeded", "all_completed")


@pytest.mark.parametrize(
    ("account", "code"),
    [(timed_out("b"), "deadline_exceeded"), (failed("b", "call_timed_out", retriable=True), "call_timed_out")],
)
def test_branches_that_end_at_the_deadline_before_the_runs_timer_end_the_run_by_deadline(
    account: JSON, code: str
) -> None:
    """Branch and run have the same moment to end at; which timer goes off first is chance."""
    drive = start_fan_out("a", "b", deadline_s=10)
    succeed(drive, "a")
    drive.pass_time(10.01, firing=False)
    drive.complete(drive.child("b"), account)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "timed_out"}
    assert error_codes(drive.ended) == {"b": code}


def test_a_branch_with_a_time_of_its_own_did_not_end_by_the_runs_deadline() -> None:
    drive = start_fan_out("a", "b", branch_timeout_s=9, deadline_s=10)
    drive.pass_time(9.5)
    drive.complete(drive.child("a"), timed_out("a"))
    drive.pass_time(0.5)
    drive.complete(drive.child("b"), timed_out("b"))
    assert verdict(drive.ended) == ("failed", "deadline_exceeded")
    assert error_codes(drive.ended) == {"a": "branch_timed_out", "b": "branch_timed_out"}


def test_a_branch_that_succeeds_after_the_deadline_but_before_the_timer_counts() -> None:
    drive = start_fan_out("a", deadline_s=10)
    drive.pass_time(10.01, firing=False)
    drive.complete(drive.child("a"), succeeded("a"))
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_a_window_takes_no_more_in_once_the_deadline_has_passed() -> None:
    drive = start_fan_out("a", "b", max_concurrency=1, deadline_s=10)
    drive.pass_time(10.01, firing=False)
    succeed(drive, "a")
    assert branch_names(drive.context.children) == ["a"]
    assert statuses(drive.ended) == {"a": "succeeded", "b": "timed_out"}
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
