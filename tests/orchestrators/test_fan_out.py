"""Branches side by side: order and the window."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.names import AGENT_ATTEMPT
from tests.orchestrators.fake_context import START
from tests.orchestrators.given import (
    NO_TOKENS,
    branch_names,
    error_codes,
    failed,
    outcome_of,
    start_fan_out,
    statuses,
    succeed,
    succeeded,
    timed_out,
    told_to_stop,
    usage,
    verdict,
)

SIX = ["s0", "s1", "s2", "s3", "s4", "s5"]


# --- Starting ---


def test_every_branch_is_a_child_with_its_own_instance_id() -> None:
    drive = start_fan_out("a", "b")
    assert [(child.name, child.instance_id) for child in drive.running] == [
        (AGENT_ATTEMPT, "run-1:a"),
        (AGENT_ATTEMPT, "run-1:b"),
    ]


def test_a_call_is_to_be_over_when_its_branch_is() -> None:
    drive = start_fan_out("a", branch_timeout_s=30, deadline_s=100)
    given = drive.child("a").input
    assert (given["run_id"], given["branch"]["name"], given["number"]) == ("run-1", "a", 1)
    assert datetime.fromisoformat(given["deadline"]) == START + timedelta(seconds=30)


def test_the_runs_deadline_bounds_a_call_when_it_comes_first() -> None:
    drive = start_fan_out("a", "b", max_concurrency=1, branch_timeout_s=30, deadline_s=40)
    drive.pass_time(20)
    succeed(drive, "a")
    assert datetime.fromisoformat(drive.child("b").input["deadline"]) == START + timedelta(seconds=40)


def test_as_many_branches_as_the_window_start_at_once_and_are_one_task_all() -> None:
    drive = start_fan_out(*SIX, max_concurrency=6)
    assert branch_names(drive.running) == SIX
    assert drive.context.groups == [[child.task for child in drive.running]]


def test_ends_that_change_nothing_give_the_run_no_turn() -> None:
    drive = start_fan_out(*SIX)
    succeed(drive, *SIX[:5])
    assert drive.steps == 1
    succeed(drive, "s5")
    assert (drive.steps, verdict(drive.ended)) == (2, ("succeeded", "all_completed"))


# --- Ending on their own ---


@pytest.mark.parametrize("order", [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]])
@pytest.mark.parametrize("window", [3, 2])
def test_outcomes_are_in_branch_order_whatever_ends_first(order: list[str], window: int) -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=window)
    left = list(order)
    while left:
        branch = next(name for name in left if name in branch_names(drive.running))
        left.remove(branch)
        succeed(drive, branch)
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert [outcome["output"] for outcome in drive.ended["outcomes"]] == [f"output of {name}" for name in "abc"]
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_the_run_waits_for_the_last_branch() -> None:
    drive = start_fan_out("a", "b", "c")
    succeed(drive, "c", "a")
    assert drive.result is None


def test_a_failed_branch_takes_nothing_from_the_others() -> None:
    drive = start_fan_out("a", "b", "c")
    drive.complete(drive.child("b"), failed("b"))
    assert drive.result is None
    succeed(drive, "c", "a")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "failed", "c": "succeeded"}
    assert drive.ended["missing"] == ["b"]


def test_a_branch_that_timed_out_takes_nothing_from_the_others() -> None:
    drive = start_fan_out("a", "b")
    drive.complete(drive.child("a"), timed_out("a"))
    succeed(drive, "b")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert statuses(drive.ended) == {"a": "timed_out", "b": "succeeded"}
    assert error_codes(drive.ended) == {"a": "branch_timed_out"}


def test_a_call_that_something_else_cancelled_is_a_cancelled_branch() -> None:
    drive = start_fan_out("a", "b")
    drive.complete(drive.child("a"), told_to_stop("a"))
    succeed(drive, "b")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "succeeded"}


def test_what_a_call_says_of_itself_is_the_outcome() -> None:
    drive = start_fan_out("a")
    ended_at = (START + timedelta(seconds=2)).isoformat()
    drive.pass_time(3)
    said = succeeded("a", {"n": 1}, model="gpt-test", truncated=True, usage=usage(7), ended_at=ended_at)
    drive.complete(drive.child("a"), said)
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["output"], outcome["model"], outcome["truncated"]) == ({"n": 1}, "gpt-test", True)
    assert (outcome["attempts"], outcome["hedges"], outcome["usage"]) == (1, 0, usage(7))
    assert datetime.fromisoformat(outcome["started_at"]) == START
    assert datetime.fromisoformat(outcome["ended_at"]) == START + timedelta(seconds=2)


@pytest.mark.parametrize("window", [3, 2])
def test_a_child_that_fails_as_an_orchestration_is_a_failed_branch(window: int) -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=window)
    drive.pass_time(3)
    drive.fail(drive.child("a"), "ValidationError: no reply")
    succeed(drive, "b", "c")
    outcome = drive.ended["outcomes"][0]
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "branch_failed")
    assert (outcome["attempts"], outcome["usage"]) == (1, NO_TOKENS)
    assert "'a'" in outcome["error"]["message"]
    assert "ValidationError: no reply" in outcome["error"]["message"]
    assert datetime.fromisoformat(outcome["started_at"]) == START
    assert statuses(drive.ended) == {"a": "failed", "b": "succeeded", "c": "succeeded"}


def test_when_every_branch_fails_the_run_fails_with_all_outcomes() -> None:
    drive = start_fan_out("a", "b")
    drive.fail(drive.child("a"))
    drive.complete(drive.child("b"), failed("b"))
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert drive.ended["output"] is None
    assert len(drive.ended["outcomes"]) == 2


def test_a_run_that_ends_cancels_its_timer_and_stops_nobody() -> None:
    drive = start_fan_out("a", "b")
    succeed(drive, "a", "b")
    assert drive.pending_timers == []
    assert drive.context.activities == []


# --- The window ---


def test_no_more_branches_run_than_the_window_allows() -> None:
    drive = start_fan_out(*SIX, max_concurrency=2)
    while drive.running:
        assert len(drive.running) <= 2
        succeed(drive, drive.running[-1].branch)
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert list(statuses(drive.ended)) == SIX


@pytest.mark.parametrize("first", ["s0", "s1"])
def test_the_next_branch_starts_as_soon_as_one_ends(first: str) -> None:
    drive = start_fan_out(*SIX, max_concurrency=2)
    assert branch_names(drive.running) == ["s0", "s1"]
    succeed(drive, first)
    assert branch_names(drive.context.children) == ["s0", "s1", "s2"]


def test_a_slow_branch_idles_nobody() -> None:
    drive = start_fan_out(*SIX, max_concurrency=2)
    succeed(drive, "s1", "s2", "s3", "s4", "s5")
    assert branch_names(drive.running) == ["s0"]
    succeed(drive, "s0")
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_a_failed_branch_makes_room_too() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=1)
    drive.fail(drive.child("a"))
    drive.complete(drive.child("b"), failed("b"))
    succeed(drive, "c")
    assert statuses(drive.ended) == {"a": "failed", "b": "failed", "c": "succeeded"}


def test_a_child_of_the_window_starts_its_clock_when_it_starts() -> None:
    drive = start_fan_out("a", "b", max_concurrency=1)
    drive.pass_time(5)
    succeed(drive, "a")
    drive.pass_time(5)
    drive.fail(drive.child("b"))
    started = datetime.fromisoformat(drive.ended["outcomes"][1]["started_at"])
    assert started == START + timedelta(seconds=5)
