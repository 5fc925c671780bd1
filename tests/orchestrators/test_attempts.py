"""The attempts of a branch: which failures are tried again, when, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.names import AGENT_ATTEMPT
from orchestrators.voting import voting
from shared.backoff import retry_delay_s
from tests.orchestrators.fake_context import JSON, START, Call, Drive
from tests.orchestrators.given import (
    branch_names,
    error_codes,
    failed,
    instances,
    outcome_of,
    start_fan_out,
    start_run,
    statuses,
    stops,
    succeed,
    succeeded,
    throttled,
    timed_out,
    usage,
    verdict,
)

RETRIES = ["rate_limited", "model_unavailable", "model_conflict", "connection_failed", "call_timed_out", "call_lost"]


def calls_of(drive: Drive, branch: str = "a") -> list[Call]:
    return [child for child in drive.context.children if child.branch == branch]


def end(drive: Drive, account: JSON, branch: str = "a") -> None:
    drive.complete(drive.child(branch), account)


def alarm(drive: Drive) -> datetime:
    """The moment of the one timer beside the run's deadline."""
    deadline, *others = drive.pending_timers
    assert deadline is drive.context.timers[0]
    [timer] = others
    return timer.fire_at


def wait_s(drive: Drive) -> float:
    """How long the run will wait from now on."""
    return (alarm(drive) - drive.context.current_utc_datetime).total_seconds()


def retry(drive: Drive, account: JSON, branch: str = "a") -> None:
    """Let the newest call end with `account`, and the wait after it pass."""
    before = len(calls_of(drive, branch))
    end(drive, account, branch)
    drive.pass_time_until(alarm(drive))
    assert len(calls_of(drive, branch)) == before + 1


# --- Which ---


@pytest.mark.parametrize("code", RETRIES)
def test_a_retriable_failure_is_tried_again_after_a_durable_wait(code: str) -> None:
    drive = start_fan_out("a")
    end(drive, failed("a", code, retriable=True))
    assert len(calls_of(drive)) == 1, "the next attempt waits for its timer"
    drive.pass_time(wait_s(drive))
    assert [call.input["number"] for call in calls_of(drive)] == [1, 2]
    succeed(drive, "a")
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["hedges"]) == ("succeeded", 2, 0)
    assert drive.pending_timers == []


def test_every_attempt_is_a_child_with_an_instance_id_of_its_own() -> None:
    drive = start_fan_out("a")
    retry(drive, throttled("a"))
    retry(drive, throttled("a"))
    assert instances(drive.context.children) == ["a", "a~2", "a~3"]
    assert {child.name for child in drive.context.children} == {AGENT_ATTEMPT}


def test_an_attempt_gets_the_same_agent_and_prompt_as_the_first() -> None:
    drive = start_fan_out("a")
    retry(drive, throttled("a"))
    first, second = (call.input for call in calls_of(drive))
    assert second == {**first, "number": 2}


def test_a_permanent_error_ends_the_branch_at_once() -> None:
    drive = start_fan_out("a", "b")
    end(drive, failed("a", "content_filtered"))
    succeed(drive, "b")
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("failed", 1, "content_filtered")
    assert (outcome["output"], drive.pending_timers) == (None, [])


def test_when_attempts_are_exhausted_the_last_error_stands() -> None:
    drive = start_fan_out("a", attempts=3)
    retry(drive, throttled("a"))
    retry(drive, failed("a", "connection_failed", retriable=True))
    end(drive, failed("a", "model_unavailable", retriable=True))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("failed", 3, "model_unavailable")
    assert drive.pending_timers == []


def test_one_attempt_means_no_retry() -> None:
    drive = start_fan_out("a", attempts=1)
    end(drive, throttled("a"))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"]) == ("failed", 1)


def test_a_call_whose_orchestration_failed_is_a_defect_and_not_tried_again() -> None:
    drive = start_fan_out("a")
    drive.fail(drive.child("a"), "ValidationError: no reply")
    assert error_codes(drive.ended) == {"a": "branch_failed"}
    assert len(calls_of(drive)) == 1


def test_a_permanent_error_after_a_retry_ends_the_branch() -> None:
    drive = start_fan_out("a", attempts=5)
    retry(drive, throttled("a"))
    end(drive, failed("a", "invalid_output"))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["attempts"], outcome["error"]["code"]) == (2, "invalid_output")


# --- When ---


def test_waits_double_within_their_bounds() -> None:
    drive = start_fan_out("a", attempts=4)
    for number in range(3):
        end(drive, throttled("a"))
        assert 2**number / 2 <= wait_s(drive) < 2**number
        drive.pass_time(wait_s(drive))


def test_the_service_is_not_called_again_before_it_allows() -> None:
    drive = start_fan_out("a")
    end(drive, throttled("a", retry_after_s=20.0))
    assert 20 <= wait_s(drive) <= 25
    drive.pass_time(19.9)
    assert len(calls_of(drive)) == 1


def test_waits_replay_to_the_microsecond_and_differ_between_branches() -> None:
    def wait(branch: str) -> float:
        drive = start_fan_out(branch)
        end(drive, throttled(branch), branch)
        return wait_s(drive)

    assert wait("a") == wait("a") == pytest.approx(retry_delay_s(1, None, key="run-1:a"), abs=1e-6)
    assert len({wait(name) for name in "abcdefgh"}) == 8


def test_a_retry_keeps_the_deadline_of_the_first_attempt() -> None:
    drive = start_fan_out("a", branch_timeout_s=60)
    drive.pass_time(10)
    retry(drive, throttled("a"))
    deadlines = {call.input["deadline"] for call in calls_of(drive)}
    assert {datetime.fromisoformat(deadline) for deadline in deadlines} == {START + timedelta(seconds=60)}


@pytest.mark.parametrize("retry_after_s", [10.0, 9.9999])
def test_a_wait_that_would_outlast_the_branch_is_not_begun(retry_after_s: float) -> None:
    drive = start_fan_out("a", branch_timeout_s=10)
    end(drive, throttled("a", retry_after_s))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("failed", 1, "rate_limited")


def test_a_wait_that_would_end_with_the_branch_is_not_begun() -> None:
    drive = start_fan_out("a", branch_timeout_s=retry_delay_s(1, None, key="run-1:a"))
    end(drive, throttled("a"))
    assert error_codes(drive.ended) == {"a": "rate_limited"}


def test_a_wait_that_would_outlast_the_run_is_not_begun() -> None:
    drive = start_fan_out("a", "b", max_concurrency=1, branch_timeout_s=60, deadline_s=65)
    drive.pass_time(50)
    succeed(drive, "a")
    end(drive, throttled("b", retry_after_s=15.0), "b")
    assert (verdict(drive.ended), error_codes(drive.ended)) == (("partial", "all_completed"), {"b": "rate_limited"})


def test_an_answer_while_another_branch_waits_ends_nobodys_wait() -> None:
    drive = start_fan_out("a", "b")
    end(drive, throttled("a", retry_after_s=20.0))
    at = alarm(drive)
    succeed(drive, "b")
    assert (drive.result, alarm(drive)) == (None, at)


def test_the_deadline_ends_a_wait() -> None:
    drive = start_fan_out("a", "b", max_concurrency=2, deadline_s=30)
    succeed(drive, "b")
    end(drive, throttled("a", retry_after_s=20.0))
    drive.pass_time(30, firing=False)
    drive.pass_time(0)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"]) == ("timed_out", 1)
    message = "the run's deadline passed before the branch ended; the error before that: a failed"
    assert outcome["error"]["message"] == message
    assert (stops(drive), drive.pending_timers) == ([], [])


# --- The branch's time ---


def test_a_timeout_tells_of_the_error_before_it() -> None:
    drive = start_fan_out("a", branch_timeout_s=60)
    retry(drive, throttled("a"))
    end(drive, timed_out("a"))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("timed_out", 2, "branch_timed_out")
    assert outcome["error"]["message"] == "a failed; the error before that: a failed"


def test_a_timeout_is_not_tried_again() -> None:
    drive = start_fan_out("a", attempts=5)
    end(drive, timed_out("a"))
    assert (statuses(drive.ended), len(calls_of(drive))) == ({"a": "timed_out"}, 1)


def test_a_branch_that_was_held_up_past_its_time_makes_no_further_call() -> None:
    drive = start_fan_out("a", "b", branch_timeout_s=10)
    succeed(drive, "b")
    end(drive, throttled("a"))
    drive.pass_time(20, firing=False)
    drive.pass_time(0)
    outcome = outcome_of(drive.ended, "a")
    assert len(calls_of(drive)) == 1
    assert (outcome["status"], outcome["attempts"], outcome["usage"]["model_calls"]) == ("timed_out", 1, 1)
    assert outcome["error"]["message"] == "the time was up before attempt 2 began; the error before that: a failed"
    assert drive.pending_timers == []


def test_a_call_that_ran_out_of_time_times_the_branch_out() -> None:
    drive = start_fan_out("a", branch_timeout_s=60)
    drive.pass_time(59.99)
    end(drive, failed("a", "call_timed_out", retriable=True))
    outcome = outcome_of(drive.ended, "a")
    assert (outcome["status"], outcome["error"]["code"]) == ("timed_out", "call_timed_out")
    assert drive.pending_timers == []


# --- What it cost ---


def test_usage_is_summed_over_attempts() -> None:
    drive = start_fan_out("a")
    retry(drive, throttled("a", usage=usage(7)))
    retry(drive, throttled("a", usage={**usage(29, output=9), "model_calls": 2}))
    end(drive, succeeded("a", usage=usage(15, output=5)))
    total = {"model_calls": 4, "input_tokens": 37, "output_tokens": 14, "total_tokens": 51}
    assert (outcome_of(drive.ended, "a")["usage"], drive.ended["usage"]) == (total, total)


def test_a_call_that_was_abandoned_counts_as_a_call() -> None:
    drive = start_fan_out("a")
    retry(drive, throttled("a", usage=usage(15, output=5)))
    drive.fail(drive.child("a"), "gone")
    assert drive.ended["usage"] == {**usage(15, output=5), "model_calls": 2}


# --- Through the window ---


def test_a_branch_that_waits_for_its_retry_leaves_its_place_to_another() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=1)
    end(drive, failed("a", retriable=True))
    assert branch_names(drive.running) == ["b"]


def test_a_retry_whose_time_has_come_waits_for_a_place_and_goes_first() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=1)
    end(drive, failed("a", retriable=True))
    drive.pass_time(30)
    assert instances(drive.running) == ["b"]
    succeed(drive, "b")
    assert instances(drive.running) == ["a~2"]
    succeed(drive, "a")
    succeed(drive, "c")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert instances(drive.context.children) == ["a", "b", "a~2", "c"]
    assert drive.pending_timers == []


def test_a_retry_that_waits_for_a_place_until_its_time_is_up_is_not_made() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=1, branch_timeout_s=20)
    end(drive, failed("a", retriable=True))
    drive.pass_time(20)
    succeed(drive, "b")
    assert instances(drive.running) == ["c"]
    succeed(drive, "c")
    assert statuses(drive.ended) == {"a": "timed_out", "b": "succeeded", "c": "succeeded"}


def test_while_the_model_throttles_the_run_allows_itself_fewer_calls() -> None:
    names = [f"s{number}" for number in range(12)]
    drive = start_fan_out(*names, max_concurrency=8)
    for name in names[:4]:
        end(drive, throttled(name, retry_after_s=100.0), name)
    assert instances(drive.running) == names[4:8], "four of eight places are gone, and four are taken"
    succeed(drive, "s4")
    assert len(drive.running) == 4
    assert instances(drive.context.children) == names[:9]


def test_branches_that_were_throttled_together_come_back_through_the_narrow_window() -> None:
    names = [f"s{number}" for number in range(4)]
    drive = start_fan_out(*names, max_concurrency=4)
    for name in names:
        end(drive, throttled(name), name)
    assert drive.running == []
    drive.pass_time(10)
    assert len(drive.running) == 1
    while drive.result is None:
        assert len(drive.running) <= 4
        succeed(drive, drive.running[0].branch)
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert sorted(instances(drive.context.children)) == sorted([*names, *(f"{name}~2" for name in names)])
    assert drive.pending_timers == []


# --- The alarm ---


def test_while_nothing_waits_the_only_timer_is_the_deadline() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=2)
    succeed(drive, "a", "b")
    assert [timer.fire_at for timer in drive.context.timers] == [START + timedelta(seconds=900)]


def test_one_timer_serves_all_waits_and_goes_off_for_the_first() -> None:
    drive = start_fan_out("a", "b")
    end(drive, throttled("b", retry_after_s=50.0), "b")
    late = alarm(drive)
    end(drive, throttled("a", retry_after_s=10.0))
    early = alarm(drive)
    assert early < late
    drive.pass_time_until(early)
    assert (instances(drive.running), alarm(drive)) == (["a~2"], late)
    drive.pass_time_until(late)
    assert instances(drive.running) == ["a~2", "b~2"]


def test_a_later_wait_leaves_the_alarm_as_it_is() -> None:
    drive = start_fan_out("a", "b")
    end(drive, throttled("a", retry_after_s=10.0))
    timers = len(drive.context.timers)
    end(drive, throttled("b", retry_after_s=50.0), "b")
    assert len(drive.context.timers) == timers


def test_a_run_that_is_cancelled_while_it_waits_leaves_no_timer() -> None:
    drive = start_fan_out("a", "b")
    succeed(drive, "b")
    end(drive, throttled("a", retry_after_s=10.0))
    drive.raise_event("cancel")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "succeeded"}
    assert drive.pending_timers == []


def test_an_alarm_that_is_late_is_no_harm() -> None:
    drive = start_fan_out("a", "b")
    end(drive, throttled("a", retry_after_s=10.0))
    drive.pass_time(15, firing=False)
    succeed(drive, "b")
    assert instances(drive.running) == ["a~2"]
    drive.pass_time(1)
    succeed(drive, "a")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.pending_timers == []


def test_voters_are_tried_again_too() -> None:
    drive = start_run(voting, {"question": "Publish?", "voters": 1})
    end(drive, throttled("voter-1"), "voter-1")
    drive.pass_time(2)
    end(drive, succeeded("voter-1", {"reasoning": "so", "answer": "yes"}), "voter-1")
    assert drive.ended["output"]["decision"] == "yes"
