"""Branches side by side: order, the window, and what interrupts them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.names import AGENT_BRANCH, CANCEL_EVENT, STOP_BRANCHES
from orchestrators.sectioning import sectioning
from tests.orchestrators.fake_context import START, Drive, FakeContext
from tests.orchestrators.given import (
    branch_names,
    failed,
    sections_request,
    statuses,
    succeed,
    succeeded,
    timed_out,
    verdict,
)

SIX = ["s0", "s1", "s2", "s3", "s4", "s5"]


def start(*names: str, **policy: object) -> Drive:
    """A run whose sections are concatenated, so that the fan-out is all there is."""
    return Drive(sectioning, FakeContext(sections_request(*names, aggregation="concatenate", policy=policy)))


def stopped(drive: Drive) -> list[str]:
    """The instances that were told to stop, in one call."""
    calls = [call for call in drive.context.activities if call.name == STOP_BRANCHES]
    assert len(calls) == 1
    return calls[0].input


def let_stop(drive: Drive) -> None:
    """The activity that stops branches returns."""
    drive.complete(drive.context.activities[-1], len(stopped(drive)))


# --- Starting ---


def test_every_branch_is_a_child_with_its_own_instance_id() -> None:
    drive = start("a", "b")
    assert [(child.name, child.instance_id) for child in drive.running] == [
        (AGENT_BRANCH, "run-1:a"),
        (AGENT_BRANCH, "run-1:b"),
    ]


def test_a_child_gets_the_policy_and_the_runs_deadline() -> None:
    drive = start("a", attempts=2, branch_timeout_s=30, deadline_s=100)
    given = drive.child("a").input
    assert (given["run_id"], given["attempts"], given["timeout_s"]) == ("run-1", 2, 30)
    assert datetime.fromisoformat(given["run_deadline"]) == START + timedelta(seconds=100)


def test_as_many_branches_as_the_window_start_at_once_and_are_one_task_all() -> None:
    drive = start(*SIX, max_concurrency=6)
    assert branch_names(drive.running) == SIX
    assert drive.context.groups == [[child.task for child in drive.running]]


# --- Ending on their own ---


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]])
@pytest.mark.parametrize("window", [3, 2])
def test_outcomes_are_in_branch_order_whatever_ends_first(order: list[str], window: int) -> None:
    drive = start("a", "b", "c", max_concurrency=window)
    left = list(order)
    while left:
        branch = next(name for name in left if name in branch_names(drive.running))
        left.remove(branch)
        succeed(drive, branch)
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert [outcome["output"] for outcome in drive.ended["outcomes"]] == [f"output of {name}" for name in "abc"]
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_the_run_waits_for_the_last_branch() -> None:
    drive = start("a", "b", "c")
    succeed(drive, "c", "a")
    assert drive.result is None


def test_a_failed_branch_takes_nothing_from_the_others() -> None:
    drive = start("a", "b", "c")
    drive.complete(drive.child("b"), failed("b"))
    assert drive.result is None
    succeed(drive, "c", "a")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "failed", "c": "succeeded"}
    assert drive.ended["missing"] == ["b"]


def test_a_branch_that_timed_out_takes_nothing_from_the_others() -> None:
    drive = start("a", "b")
    drive.complete(drive.child("a"), timed_out("a"))
    succeed(drive, "b")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert statuses(drive.ended) == {"a": "timed_out", "b": "succeeded"}


@pytest.mark.parametrize("window", [3, 2])
def test_a_child_that_fails_as_an_orchestration_is_a_failed_branch(window: int) -> None:
    drive = start("a", "b", "c", max_concurrency=window)
    drive.pass_time(3)
    drive.fail(drive.child("a"), "ValidationError: no reply")
    succeed(drive, "b", "c")
    outcome = drive.ended["outcomes"][0]
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "branch_failed")
    assert "'a'" in outcome["error"]["message"]
    assert "ValidationError: no reply" in outcome["error"]["message"]
    assert datetime.fromisoformat(outcome["started_at"]) == START
    assert statuses(drive.ended) == {"a": "failed", "b": "succeeded", "c": "succeeded"}


def test_when_every_branch_fails_the_run_fails_with_all_outcomes() -> None:
    drive = start("a", "b")
    drive.fail(drive.child("a"))
    drive.complete(drive.child("b"), failed("b"))
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert drive.ended["output"] is None
    assert len(drive.ended["outcomes"]) == 2


def test_a_run_that_ends_cancels_its_timer_and_stops_nobody() -> None:
    drive = start("a", "b")
    succeed(drive, "a", "b")
    assert drive.pending_timers == []
    assert drive.context.activities == []


# --- The window ---


def test_no_more_branches_run_than_the_window_allows() -> None:
    drive = start(*SIX, max_concurrency=2)
    while drive.running:
        assert len(drive.running) <= 2
        succeed(drive, drive.running[-1].branch)
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert list(statuses(drive.ended)) == SIX


@pytest.mark.parametrize("first", ["s0", "s1"])
def test_the_next_branch_starts_as_soon_as_one_ends(first: str) -> None:
    drive = start(*SIX, max_concurrency=2)
    assert branch_names(drive.running) == ["s0", "s1"]
    succeed(drive, first)
    assert branch_names(drive.context.children) == ["s0", "s1", "s2"]


def test_a_slow_branch_idles_nobody() -> None:
    drive = start(*SIX, max_concurrency=2)
    succeed(drive, "s1", "s2", "s3", "s4", "s5")
    assert branch_names(drive.running) == ["s0"]
    succeed(drive, "s0")
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_a_failed_branch_makes_room_too() -> None:
    drive = start("a", "b", "c", max_concurrency=1)
    drive.fail(drive.child("a"))
    drive.complete(drive.child("b"), failed("b"))
    succeed(drive, "c")
    assert statuses(drive.ended) == {"a": "failed", "b": "failed", "c": "succeeded"}


def test_a_child_of_the_window_starts_its_clock_when_it_starts() -> None:
    drive = start("a", "b", max_concurrency=1)
    drive.pass_time(5)
    succeed(drive, "a")
    drive.pass_time(5)
    drive.fail(drive.child("b"))
    started = datetime.fromisoformat(drive.ended["outcomes"][1]["started_at"])
    assert started == START + timedelta(seconds=5)


# --- Interruptions ---


def test_the_deadline_ends_the_run_with_what_it_has() -> None:
    drive = start("a", "b", "c", deadline_s=10)
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
    drive = start("a", deadline_s=10)
    drive.pass_time(10)
    let_stop(drive)
    assert verdict(drive.ended) == ("failed", "deadline_exceeded")


def test_a_cancel_ends_the_run_with_what_it_has() -> None:
    drive = start("a", "b", "c")
    succeed(drive, "c")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "cancelled", "c": "succeeded"}
    assert drive.ended["outcomes"][0]["error"]["message"] == "the run was cancelled before the branch ended"
    assert drive.pending_timers == []


def test_exactly_the_unfinished_branches_are_told_to_stop() -> None:
    drive = start("a", "b", "c", "d")
    succeed(drive, "b")
    drive.fail(drive.child("d"))
    drive.raise_event(CANCEL_EVENT)
    assert stopped(drive) == ["run-1:a", "run-1:c"]


def test_a_failure_to_stop_branches_is_harmless() -> None:
    drive = start("a", "b")
    succeed(drive, "a")
    drive.raise_event(CANCEL_EVENT)
    drive.fail(drive.context.activities[-1], "the engine is gone")
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "cancelled"}


@pytest.mark.parametrize("interruption", ["cancelled", "deadline_exceeded"])
def test_a_branch_that_was_told_to_stop_has_not_failed(interruption: str) -> None:
    """A terminated child fails as a task, before the activity that terminated it returns."""
    drive = start("a", "b", deadline_s=10)
    succeed(drive, "b")
    if interruption == "cancelled":
        drive.raise_event(CANCEL_EVENT)
    else:
        drive.pass_time(10)
    drive.fail(drive.child("a"), "terminated")
    let_stop(drive)
    status = {"cancelled": "cancelled", "deadline_exceeded": "timed_out"}[interruption]
    assert statuses(drive.ended) == {"a": status, "b": "succeeded"}
    assert drive.ended["outcomes"][0]["error"]["code"] == interruption


def test_an_outcome_that_comes_while_branches_are_stopped_is_kept() -> None:
    drive = start("a", "b", "c")
    drive.raise_event(CANCEL_EVENT)
    succeed(drive, "b")
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "succeeded", "c": "cancelled"}
    assert drive.ended["usage"]["total_tokens"] == 15


def test_a_branch_that_failed_before_the_cancel_stays_failed() -> None:
    drive = start("a", "b")
    drive.fail(drive.child("a"), "defect")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert statuses(drive.ended) == {"a": "failed", "b": "cancelled"}


def test_a_cancel_that_comes_while_the_deadline_is_dealt_with_changes_no_account() -> None:
    drive = start("a", "b", deadline_s=10)
    succeed(drive, "b")
    drive.pass_time(10)
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["outcomes"][0]["error"]["code"] == "deadline_exceeded"


def test_branches_that_wait_never_start_after_the_deadline() -> None:
    drive = start(*SIX, max_concurrency=2, deadline_s=10)
    succeed(drive, "s0")
    drive.pass_time(10)
    succeed(drive, "s1")
    let_stop(drive)
    assert branch_names(drive.context.children) == ["s0", "s1", "s2"]
    assert stopped(drive) == ["run-1:s1", "run-1:s2"]
    assert statuses(drive.ended) == {"s0": "succeeded", "s1": "succeeded"} | dict.fromkeys(SIX[2:], "timed_out")
    assert drive.ended["outcomes"][-1]["error"]["message"] == "the run's deadline passed before the branch started"


def test_branches_that_wait_never_start_after_a_cancel() -> None:
    drive = start(*SIX, max_concurrency=2)
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert branch_names(drive.context.children) == ["s0", "s1"]
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == dict.fromkeys(SIX, "cancelled")


def test_a_branch_that_was_cut_short_tells_its_own_times() -> None:
    drive = start("a", "b", "c", max_concurrency=1, deadline_s=60)
    drive.pass_time(4)
    succeed(drive, "a")
    drive.pass_time(3)
    drive.raise_event(CANCEL_EVENT)
    drive.pass_time(1)
    let_stop(drive)
    times = [(outcome["started_at"], outcome["ended_at"]) for outcome in drive.ended["outcomes"][1:]]
    seconds = [[(datetime.fromisoformat(at) - START).total_seconds() for at in both] for both in times]
    assert seconds == [[4, 8], [8, 8]]


@pytest.mark.parametrize("window", [1, 2])
def test_a_run_that_was_cancelled_before_it_began_starts_no_branch(window: int) -> None:
    context = FakeContext(sections_request("a", "b", policy={"max_concurrency": window}))
    context.wait_for_external_event(CANCEL_EVENT)
    context.events[CANCEL_EVENT].complete(None)
    drive = Drive(sectioning, context)
    assert context.children == []
    assert context.activities == []
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "cancelled"}
    assert drive.ended["outcomes"][0]["error"]["message"] == "the run was cancelled before the branch started"


@pytest.mark.parametrize("window", [2, 1])
def test_a_cancel_in_the_turn_of_the_last_completion_but_after_it_changes_nothing(window: int) -> None:
    drive = start("a", "b", max_concurrency=window)
    succeed(drive, "a", "b")
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_a_cancel_in_the_turn_of_the_last_completion_but_before_it_cancels() -> None:
    drive = start("a", "b")
    succeed(drive, "a")
    drive.raise_event(CANCEL_EVENT)
    succeed(drive, "b")
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}


def test_a_deadline_that_cost_nothing_is_not_the_reason() -> None:
    drive = start("a", "b", deadline_s=10)
    succeed(drive, "a")
    drive.pass_time(10)
    succeed(drive, "b")
    let_stop(drive)
    assert verdict(drive.ended) == ("succeeded", "all_completed")


@pytest.mark.parametrize("code", ["branch_timed_out", "call_timed_out"])
def test_branches_that_end_at_the_deadline_before_the_runs_timer_end_the_run_by_deadline(code: str) -> None:
    """Branch and run have the same moment to end at; which timer goes off first is chance."""
    drive = start("a", "b", deadline_s=10)
    succeed(drive, "a")
    drive.pass_time(10.01, firing=False)
    drive.complete(drive.child("b"), timed_out("b") | {"error": failed("b", code=code)["error"]})
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")


def test_a_branch_that_succeeds_after_the_deadline_but_before_the_timer_counts() -> None:
    drive = start("a", deadline_s=10)
    drive.pass_time(10.01, firing=False)
    drive.complete(drive.child("a"), succeeded("a"))
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_a_window_takes_no_more_in_once_the_deadline_has_passed() -> None:
    drive = start("a", "b", max_concurrency=1, deadline_s=10)
    drive.pass_time(10.01, firing=False)
    succeed(drive, "a")
    assert branch_names(drive.context.children) == ["a"]
    assert statuses(drive.ended) == {"a": "succeeded", "b": "timed_out"}
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
