"""The child orchestration of a branch: attempts, waits, and its timer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.names import CALL_AGENT
from orchestrators.agent_branch import agent_branch
from shared.backoff import retry_delay_s
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext
from tests.orchestrators.given import refused, replied

INSTANCE = "run-1:summary"
RETRIES = ["rate_limited", "model_unavailable", "model_conflict", "connection_failed"]


def start(*, attempts: int = 3, timeout_s: float = 60.0, run_s: float = 900.0, instance: str = INSTANCE) -> Drive:
    given = {
        "run_id": "run-1",
        "branch": {"name": "summary", "agent": {"instructions": "Summarise."}, "prompt": "Material."},
        "attempts": attempts,
        "timeout_s": timeout_s,
        "run_deadline": (START + timedelta(seconds=run_s)).isoformat(),
    }
    return Drive(agent_branch, FakeContext(given, instance_id=instance))


def last_call(drive: Drive) -> Call:
    return drive.context.activities[-1]


def answer(drive: Drive, reply: JSON) -> None:
    drive.complete(last_call(drive), reply)


def waits_s(drive: Drive) -> list[float]:
    """The waits before retries; the first timer is the branch's own."""
    created = drive.context.timers[1:]
    starts = [call.at for call in drive.context.activities]
    return [(timer.fire_at - start).total_seconds() for timer, start in zip(created, starts, strict=False)]


def retry(drive: Drive, reply: JSON) -> None:
    """Let the attempt end with `reply` and its wait pass."""
    before = len(drive.context.activities)
    answer(drive, reply)
    drive.pass_time((drive.context.timers[-1].fire_at - drive.context.current_utc_datetime).total_seconds())
    assert len(drive.context.activities) == before + 1


def test_the_call_carries_the_agent_the_prompt_and_an_absolute_deadline() -> None:
    drive = start(timeout_s=60)
    call = last_call(drive)
    assert call.name == CALL_AGENT
    assert (call.input["run_id"], call.input["branch"], call.input["attempt"]) == ("run-1", "summary", 1)
    assert (call.input["agent"]["instructions"], call.input["prompt"]) == ("Summarise.", "Material.")
    assert datetime.fromisoformat(call.input["deadline"]) == START + timedelta(seconds=60)


def test_the_runs_deadline_bounds_the_call_when_it_comes_first() -> None:
    drive = start(timeout_s=60, run_s=20)
    assert datetime.fromisoformat(last_call(drive).input["deadline"]) == START + timedelta(seconds=20)
    assert drive.context.timers[0].fire_at == START + timedelta(seconds=20)


def test_a_retry_keeps_the_deadline_of_the_first_attempt() -> None:
    drive = start(timeout_s=60)
    retry(drive, refused())
    deadlines = {call.input["deadline"] for call in drive.context.activities}
    assert len(deadlines) == 1


def test_an_answer_at_the_first_attempt_is_the_outcome() -> None:
    drive = start()
    drive.pass_time(2)
    answer(drive, replied({"points": [1, "two"]}, truncated=True))
    outcome = drive.ended
    assert (outcome["name"], outcome["status"], outcome["attempts"]) == ("summary", "succeeded", 1)
    assert (outcome["output"], outcome["model"], outcome["truncated"]) == ({"points": [1, "two"]}, "gpt-test", True)
    assert outcome["error"] is None
    assert datetime.fromisoformat(outcome["started_at"]) == START
    assert datetime.fromisoformat(outcome["ended_at"]) == START + timedelta(seconds=2)


def test_an_answer_cancels_the_branchs_timer() -> None:
    drive = start()
    answer(drive, replied())
    assert drive.pending_timers == []


@pytest.mark.parametrize("code", RETRIES)
def test_a_retriable_failure_is_tried_again_after_a_durable_wait(code: str) -> None:
    drive = start()
    answer(drive, refused(code))
    assert len(drive.context.activities) == 1, "the next attempt waits for its timer"
    drive.pass_time(waits_s(drive)[0])
    assert [call.input["attempt"] for call in drive.context.activities] == [1, 2]
    answer(drive, replied())
    assert (drive.ended["status"], drive.ended["attempts"]) == ("succeeded", 2)


def test_the_watcher_is_told_the_attempt() -> None:
    drive = start()
    retry(drive, refused())
    retry(drive, refused())
    assert drive.context.statuses == [{"attempt": 1}, {"attempt": 2}, {"attempt": 3}]


def test_waits_double_within_their_bounds() -> None:
    drive = start(attempts=4)
    for _ in range(3):
        retry(drive, refused())
    for number, wait in enumerate(waits_s(drive)):
        assert 2**number / 2 <= wait < 2**number


def test_the_service_is_not_called_again_before_it_allows() -> None:
    drive = start()
    answer(drive, refused(retry_after_s=20.0))
    assert 20 <= waits_s(drive)[0] <= 25
    drive.pass_time(19.9)
    assert len(drive.context.activities) == 1


def test_waits_replay_to_the_microsecond_and_differ_between_branches() -> None:
    def wait(instance: str) -> float:
        drive = start(instance=instance)
        answer(drive, refused())
        return waits_s(drive)[0]

    assert wait("run-1:a") == wait("run-1:a") == pytest.approx(retry_delay_s(1, None, key="run-1:a"), abs=1e-6)
    assert len({wait(f"run-1:{name}") for name in "abcdefgh"}) == 8


def test_a_permanent_error_ends_the_branch_at_once() -> None:
    drive = start()
    answer(drive, refused("content_filtered", retriable=False))
    outcome = drive.ended
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("failed", 1, "content_filtered")
    assert (outcome["output"], drive.pending_timers) == (None, [])


def test_when_attempts_are_exhausted_the_last_error_stands() -> None:
    drive = start(attempts=3)
    retry(drive, refused("rate_limited"))
    retry(drive, refused("connection_failed"))
    answer(drive, refused("model_unavailable"))
    outcome = drive.ended
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("failed", 3, "model_unavailable")
    assert drive.pending_timers == []


def test_one_attempt_means_no_retry() -> None:
    drive = start(attempts=1)
    answer(drive, refused())
    assert (drive.ended["status"], drive.ended["attempts"]) == ("failed", 1)


def test_a_wait_that_would_outlast_the_branch_is_not_begun() -> None:
    drive = start(timeout_s=10)
    answer(drive, refused(retry_after_s=10.0))
    outcome = drive.ended
    assert (outcome["status"], outcome["attempts"], outcome["error"]["code"]) == ("failed", 1, "rate_limited")


def test_a_wait_that_would_end_with_the_branch_is_not_begun() -> None:
    drive = start(timeout_s=retry_delay_s(1, None, key=INSTANCE))
    answer(drive, refused())
    assert (drive.ended["status"], drive.ended["error"]["code"]) == ("failed", "rate_limited")


def test_a_wait_that_would_outlast_the_run_is_not_begun() -> None:
    drive = start(timeout_s=60, run_s=5)
    answer(drive, refused(retry_after_s=5.0))
    assert (drive.ended["status"], drive.ended["error"]["code"]) == ("failed", "rate_limited")


def test_the_timer_beats_a_call_that_hangs() -> None:
    drive = start(timeout_s=60)
    drive.pass_time(59.9)
    assert drive.result is None
    drive.pass_time(0.1)
    outcome = drive.ended
    assert (outcome["status"], outcome["attempts"]) == ("timed_out", 1)
    assert (outcome["error"]["code"], outcome["error"]["retriable"]) == ("branch_timed_out", True)
    assert outcome["error"]["message"] == "no answer within 60 s (attempt 1)"
    assert datetime.fromisoformat(outcome["ended_at"]) == START + timedelta(seconds=60)


def test_a_timeout_tells_of_the_error_before_it() -> None:
    drive = start(timeout_s=60)
    retry(drive, refused("rate_limited"))
    drive.pass_time(60)
    assert (drive.ended["status"], drive.ended["attempts"]) == ("timed_out", 2)
    assert drive.ended["error"]["message"].endswith("(attempt 2); the error before that: rate_limited!")


def test_a_timeout_by_the_runs_deadline_tells_the_time_that_there_was() -> None:
    drive = start(timeout_s=120, run_s=7.5)
    drive.pass_time(10)
    assert "within 7.5 s" in drive.ended["error"]["message"]


@pytest.mark.parametrize("run_s", [0, -1])
def test_a_branch_that_starts_after_the_runs_deadline_makes_no_call(run_s: float) -> None:
    drive = start(run_s=run_s)
    outcome = drive.ended
    assert (drive.context.activities, drive.pending_timers) == ([], [])
    assert (outcome["status"], outcome["attempts"], outcome["usage"]["model_calls"]) == ("timed_out", 0, 0)


def test_a_branch_that_was_held_up_past_its_time_makes_no_further_call() -> None:
    drive = start(timeout_s=10)
    answer(drive, refused())
    drive.pass_time(20, firing=False)
    drive.pass_time(0)
    outcome = drive.ended
    assert len(drive.context.activities) == 1
    assert (outcome["status"], outcome["attempts"], outcome["usage"]["model_calls"]) == ("timed_out", 1, 1)
    assert outcome["error"]["message"].startswith("the time was up before attempt 2 began")
    assert drive.pending_timers == []


def test_a_call_that_ran_out_of_time_times_the_branch_out() -> None:
    drive = start(timeout_s=60)
    drive.pass_time(59.99)
    answer(drive, refused("call_timed_out"))
    assert (drive.ended["status"], drive.ended["error"]["code"]) == ("timed_out", "call_timed_out")
    assert drive.pending_timers == []


def test_an_activity_that_raises_is_tried_again() -> None:
    drive = start()
    drive.fail(last_call(drive), "the worker process died")
    drive.pass_time(waits_s(drive)[0])
    answer(drive, replied())
    assert (drive.ended["status"], drive.ended["attempts"]) == ("succeeded", 2)
    assert drive.ended["usage"]["model_calls"] == 2


def test_an_activity_that_always_raises_fails_the_branch_with_its_words() -> None:
    drive = start(attempts=1)
    drive.fail(last_call(drive), "the worker process died")
    outcome = drive.ended
    assert (outcome["status"], outcome["error"]["code"]) == ("failed", "call_lost")
    assert "the worker process died" in outcome["error"]["message"]


def test_usage_is_summed_over_attempts() -> None:
    drive = start()
    retry(drive, refused(usage={"model_calls": 1, "input_tokens": 7, "output_tokens": 0, "total_tokens": 7}))
    retry(drive, refused(usage={"model_calls": 2, "input_tokens": 20, "output_tokens": 9, "total_tokens": 29}))
    answer(drive, replied(usage={"model_calls": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}))
    assert drive.ended["usage"] == {"model_calls": 4, "input_tokens": 37, "output_tokens": 14, "total_tokens": 51}


def test_a_call_that_was_abandoned_counts_as_a_call() -> None:
    drive = start()
    retry(drive, refused())
    drive.pass_time(60)
    assert drive.ended["usage"] == {"model_calls": 2, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


@pytest.mark.parametrize("reply", [None, "text", {"outputs": "misspelt"}])
def test_a_reply_that_is_no_reply_is_a_defect_and_raises(reply: Any) -> None:
    drive = start()
    with pytest.raises(ValueError, match="AgentReply"):
        answer(drive, reply)
