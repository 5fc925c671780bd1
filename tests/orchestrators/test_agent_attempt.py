"""The child orchestration of one call: the activity, raced by the deadline and the stop event."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.names import CALL_AGENT, CALL_GIVEN_UP, STOP_EVENT
from orchestrators.agent_attempt import agent_attempt
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext
from tests.orchestrators.given import NO_TOKENS, USAGE, refused, replied


def start(*, number: int = 1, within_s: float = 60.0, max_tokens: int | None = None) -> Drive:
    """A call under way that must be over after `within_s`."""
    given = {
        "run_id": "run-1",
        "branch": {"name": "summary", "agent": {"instructions": "Summarise."}, "prompt": "Material."},
        "number": number,
        "deadline": (START + timedelta(seconds=within_s)).isoformat(),
        "max_tokens": max_tokens,
    }
    return Drive(agent_attempt, FakeContext(given, instance_id="run-1:summary"))


def call_of(drive: Drive) -> Call:
    [call] = drive.context.activities
    return call


def answer(drive: Drive, reply: JSON) -> None:
    drive.complete(call_of(drive), reply)


def test_the_call_carries_the_agent_the_prompt_and_an_absolute_deadline() -> None:
    call = call_of(start(number=2, within_s=60, max_tokens=70))
    assert call.name == CALL_AGENT
    assert (call.input["run_id"], call.input["branch"], call.input["attempt"]) == ("run-1", "summary", 2)
    assert (call.input["agent"]["instructions"], call.input["prompt"]) == ("Summarise.", "Material.")
    assert datetime.fromisoformat(call.input["deadline"]) == START + timedelta(seconds=60)
    assert (call.input["max_tokens"], call.input["instance"]) == (70, "run-1:summary")


def test_the_answer_is_the_account() -> None:
    drive = start()
    drive.pass_time(2)
    answer(drive, replied({"points": [1, "two"]}, truncated=True))
    account = drive.ended
    assert (account["status"], account["error"], account["usage"]) == ("succeeded", None, USAGE)
    assert (account["output"], account["model"], account["truncated"]) == ({"points": [1, "two"]}, "gpt-test", True)
    assert datetime.fromisoformat(account["started_at"]) == START
    assert datetime.fromisoformat(account["ended_at"]) == START + timedelta(seconds=2)


def test_an_answer_cancels_the_timer() -> None:
    drive = start()
    answer(drive, replied())
    assert drive.pending_timers == []


@pytest.mark.parametrize("retriable", [True, False])
def test_an_error_is_told_as_it_came_and_the_call_is_not_made_again(*, retriable: bool) -> None:
    drive = start()
    answer(drive, refused("rate_limited", retriable=retriable, retry_after_s=20.0))
    account = drive.ended
    assert (account["status"], account["output"], account["retry_after_s"]) == ("failed", None, 20.0)
    assert (account["error"]["code"], account["error"]["retriable"]) == ("rate_limited", retriable)
    assert account["usage"] == USAGE
    assert (len(drive.context.activities), drive.pending_timers) == (1, [])


def test_the_timer_beats_a_call_that_hangs() -> None:
    drive = start(within_s=60)
    drive.pass_time(59.9)
    assert drive.result is None
    drive.pass_time(0.1)
    account = drive.ended
    assert (account["status"], account["usage"]) == ("timed_out", NO_TOKENS)
    assert (account["error"]["code"], account["error"]["retriable"]) == ("branch_timed_out", True)
    assert account["error"]["message"] == "no answer within 60 s"
    assert datetime.fromisoformat(account["ended_at"]) == START + timedelta(seconds=60)


def test_a_timeout_tells_the_time_that_there_was() -> None:
    drive = start(within_s=7.5)
    drive.pass_time(10)
    assert drive.ended["error"]["message"] == "no answer within 7.5 s"


@pytest.mark.parametrize("within_s", [0, -1])
def test_a_call_that_could_only_be_late_is_not_made(within_s: float) -> None:
    drive = start(number=3, within_s=within_s)
    account = drive.ended
    assert (drive.context.activities, drive.context.timers) == ([], [])
    assert (account["status"], account["usage"]["model_calls"]) == ("timed_out", 0)
    assert account["error"]["message"] == "the time was up before call 3 began"


def test_a_call_that_is_told_to_stop_gives_its_account_at_once() -> None:
    drive = start()
    drive.pass_time(3)
    drive.raise_event(STOP_EVENT)
    account = drive.ended
    assert (account["status"], account["error"]["code"], account["usage"]) == ("cancelled", "cancelled", NO_TOKENS)
    assert datetime.fromisoformat(account["ended_at"]) == START + timedelta(seconds=3)
    assert drive.pending_timers == []


def test_a_call_that_was_given_up_before_the_stop_came_was_stopped_too() -> None:
    drive = start()
    answer(drive, refused(CALL_GIVEN_UP, usage=NO_TOKENS))
    account = drive.ended
    assert (account["status"], account["error"]["code"], account["usage"]) == ("cancelled", "cancelled", NO_TOKENS)
    assert drive.pending_timers == []


def test_an_activity_that_raises_is_a_retriable_failure_with_its_words() -> None:
    drive = start()
    drive.fail(call_of(drive), "the worker process died")
    account = drive.ended
    assert (account["status"], account["usage"]) == ("failed", NO_TOKENS)
    assert (account["error"]["code"], account["error"]["retriable"]) == ("call_lost", True)
    assert "the worker process died" in account["error"]["message"]
    assert drive.pending_timers == []


@pytest.mark.parametrize("reply", [None, "text", {"outputs": "misspelt"}])
def test_a_reply_that_is_no_reply_is_a_defect_and_raises(reply: Any) -> None:
    drive = start()
    with pytest.raises(ValueError, match="AgentReply"):
        answer(drive, reply)
