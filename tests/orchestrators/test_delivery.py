"""The delivery of a callback in virtual time, and the announcement that wakes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.names import ANNOUNCE_END, DELIVER_RESULT, LOOK_FOR_END, RUN_ENDED_EVENT
from orchestrators.announced import ANNOUNCE_LIMIT_S
from orchestrators.delivery import delivery
from orchestrators.sectioning import sectioning
from orchestrators.voting import voting
from shared.scheduling.deliveries import DELIVERY_WINDOW_S, MAX_ABSENT_S, MAX_WAIT_S, RETRY_DELAYS_S
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext
from tests.orchestrators.given import run_input, sections_request, succeed

CALLBACK: JSON = {"sealed": "SEALED", "host": "hooks.example.com"}
GIVEN: JSON = {"run_id": "run-1", "callback": CALLBACK, "result_url": "https://chorus.example/api/runs/run-1"}


def waiting() -> Drive:
    """A delivery whose run goes on."""
    return Drive(delivery, FakeContext(GIVEN, instance_id="~callback:run-1"))


def next_call(drive: Drive, name: str) -> Call:
    """The activity that the delivery waits for."""
    [call] = [call for call in drive.context.activities if not call.task.is_complete]
    assert call.name == name
    return call


def answered(drive: Drive, **reply: Any) -> None:
    """The attempt under way brings this reply."""
    drive.complete(next_call(drive, DELIVER_RESULT), reply)


def delivering() -> Drive:
    """A delivery whose run has ended, and whose first attempt is under way."""
    drive = waiting()
    drive.raise_event(RUN_ENDED_EVENT)
    drive.complete(next_call(drive, LOOK_FOR_END), "ended")
    return drive


def shown(drive: Drive) -> JSON:
    return drive.context.statuses[-1]


def attempts(drive: Drive) -> int:
    return sum(call.name == DELIVER_RESULT for call in drive.context.activities)


# Waiting


def test_a_delivery_waits_for_the_announcement_and_then_sends_at_once() -> None:
    drive = waiting()
    assert shown(drive)["state"] == "waiting"
    assert drive.context.activities == []

    drive.raise_event(RUN_ENDED_EVENT)

    assert next_call(drive, LOOK_FOR_END).input == {"run_id": "run-1", "patience_s": 5.0}
    drive.complete(next_call(drive, LOOK_FOR_END), "ended")
    call = next_call(drive, DELIVER_RESULT)
    assert call.at == START
    assert call.input == {**GIVEN, "number": 1}
    assert (shown(drive)["state"], shown(drive)["attempts"]) == ("delivering", 0)


def test_a_run_that_announced_nothing_is_found_by_looking() -> None:
    drive = waiting()
    drive.pass_time(5)
    drive.complete(next_call(drive, LOOK_FOR_END), "going")
    drive.pass_time(5)
    drive.complete(next_call(drive, LOOK_FOR_END), "ended")

    answered(drive, status=200)

    assert drive.ended["state"] == "delivered"
    assert all(call.input["patience_s"] == 0 for call in drive.context.activities if call.name == LOOK_FOR_END)


def test_a_look_that_was_lost_is_made_again() -> None:
    drive = waiting()
    drive.raise_event(RUN_ENDED_EVENT)
    drive.fail(next_call(drive, LOOK_FOR_END))
    drive.pass_time(5)
    drive.complete(next_call(drive, LOOK_FOR_END), "ended")

    assert next_call(drive, DELIVER_RESULT)


def test_a_run_that_takes_its_time_after_its_announcement_is_looked_at_as_in_the_beginning() -> None:
    drive = waiting()
    while drive.context.current_utc_datetime < START + timedelta(hours=1):
        drive.pass_time_until(drive.pending_timers[0].fire_at)
        drive.complete(next_call(drive, LOOK_FOR_END), "going")
    assert (drive.pending_timers[0].fire_at - drive.context.current_utc_datetime).total_seconds() > 400
    drive.raise_event(RUN_ENDED_EVENT)
    drive.complete(next_call(drive, LOOK_FOR_END), "going")

    [timer] = drive.pending_timers
    assert (timer.fire_at - drive.context.current_utc_datetime).total_seconds() == 5


@pytest.mark.parametrize(
    ("found", "limit_s", "reason"), [("absent", MAX_ABSENT_S, "never started"), ("going", MAX_WAIT_S, "7 days")]
)
def test_a_run_is_not_waited_for_for_ever(found: str, limit_s: float, reason: str) -> None:
    drive = waiting()
    while drive.result is None:
        [timer] = drive.pending_timers
        drive.pass_time_until(timer.fire_at)
        drive.complete(next_call(drive, LOOK_FOR_END), found)

    waited_s = (drive.context.current_utc_datetime - START).total_seconds()
    assert limit_s <= waited_s <= 1.2 * limit_s
    assert drive.ended["state"] == "failed"
    assert reason in drive.ended["last_error"]
    assert attempts(drive) == 0


# Sending


def test_a_callback_that_is_taken_is_not_sent_again() -> None:
    drive = delivering()

    answered(drive, status=202)

    assert drive.ended == {
        "state": "delivered", "attempts": 1, "last_status": 202, "last_error": None, "next_attempt_at": None,
        "delivered_at": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    assert shown(drive) == drive.ended
    assert drive.pending_timers == []


def test_a_receiver_that_fails_twice_gets_it_the_third_time() -> None:
    drive = delivering()
    answered(drive, status=503, error="the receiver answered 503")
    assert (shown(drive)["state"], shown(drive)["attempts"], shown(drive)["last_status"]) == ("delivering", 1, 503)
    first_wait = drive.pending_timers[0].fire_at
    assert shown(drive)["next_attempt_at"] == first_wait.isoformat().replace("+00:00", "Z")
    assert 4.5 <= (first_wait - START).total_seconds() <= 5

    drive.pass_time_until(first_wait)
    assert shown(drive)["next_attempt_at"] is None
    answered(drive, error="no answer within 20 s")
    assert (shown(drive)["last_status"], shown(drive)["last_error"]) == (None, "no answer within 20 s")
    drive.pass_time(30)
    answered(drive, status=200)

    assert (drive.ended["state"], drive.ended["attempts"], drive.ended["last_error"]) == ("delivered", 3, None)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 408, 429, 500, 503])
def test_whatever_is_no_2xx_is_tried_again(status: int) -> None:
    drive = delivering()

    answered(drive, status=status)

    assert len(drive.pending_timers) == 1


def test_a_receiver_that_is_gone_gets_no_more() -> None:
    drive = delivering()

    answered(drive, status=410, error="the receiver answered 410")

    assert (drive.ended["state"], drive.ended["attempts"], drive.ended["last_status"]) == ("failed", 1, 410)
    assert drive.pending_timers == []


def test_an_attempt_that_was_lost_with_its_worker_is_one_that_failed() -> None:
    drive = delivering()

    drive.fail(next_call(drive, DELIVER_RESULT), "SECRET TRACE")

    assert shown(drive)["last_error"] == "the attempt was lost"
    drive.pass_time(5)
    answered(drive, status=200)
    assert drive.ended["attempts"] == 2


def test_a_receiver_may_ask_to_be_left_alone_for_longer() -> None:
    drive = delivering()

    answered(drive, status=429, retry_after_s=600.0)

    assert (drive.pending_timers[0].fire_at - START).total_seconds() == 600


def test_a_callback_that_nobody_takes_is_given_up_within_a_day() -> None:
    drive = delivering()
    while drive.result is None:
        answered(drive, status=500, error="the receiver answered 500")
        if drive.result is None:
            drive.pass_time_until(drive.pending_timers[0].fire_at)

    assert (drive.ended["state"], drive.ended["attempts"]) == ("failed", len(RETRY_DELAYS_S) + 1)
    elapsed_s = (drive.context.current_utc_datetime - START).total_seconds()
    assert 0.8 * DELIVERY_WINDOW_S < elapsed_s <= DELIVERY_WINDOW_S


# The announcement


def run_of_one(**given: Any) -> Drive:
    """A run whose one section has just succeeded."""
    request = sections_request("a", aggregation="concatenate")
    drive = Drive(sectioning, FakeContext({**run_input(request), **given}))
    succeed(drive, "a")
    return drive


def test_a_run_with_a_callback_announces_its_end_last_of_all() -> None:
    drive = run_of_one(callback=CALLBACK)

    call = next_call(drive, ANNOUNCE_END)
    assert call.input == {"run_id": "run-1"}
    drive.complete(call, True)

    assert drive.ended == run_of_one().ended
    assert "callback" not in drive.ended
    assert drive.pending_timers == []


def test_an_announcement_that_fails_costs_the_run_nothing() -> None:
    drive = run_of_one(callback=CALLBACK)

    drive.fail(next_call(drive, ANNOUNCE_END))

    assert drive.ended["status"] == "succeeded"


def test_an_announcement_that_finds_no_place_holds_the_run_for_seconds_only() -> None:
    drive = run_of_one(callback=CALLBACK)

    drive.pass_time(ANNOUNCE_LIMIT_S)

    assert drive.ended["status"] == "succeeded"


def test_a_run_without_a_callback_announces_nothing() -> None:
    assert run_of_one().context.activities == []
    assert run_of_one(callback=None).context.activities == []


def test_a_cancelled_vote_announces_its_end_too() -> None:
    request = {"question": "Publish?", "voters": 1, "ballot": {"type": "boolean"}}
    drive = Drive(voting, FakeContext({**run_input(request), "callback": CALLBACK}))
    drive.raise_event("cancel")
    while drive.result is None and drive.context.activities[-1].name != ANNOUNCE_END:
        drive.pass_time(1)
    drive.complete(next_call_named(drive, ANNOUNCE_END), True)

    assert drive.ended["status"] == "cancelled"


def next_call_named(drive: Drive, name: str) -> Call:
    return next(call for call in drive.context.activities if call.name == name)
