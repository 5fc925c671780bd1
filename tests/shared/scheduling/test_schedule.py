"""What starts when: the window, retries, throttling."""

from __future__ import annotations

import pytest

from tests.shared.scheduling.given import (
    PERMANENT,
    at,
    failed,
    ids,
    schedule,
    succeeded,
    throttled,
)

# --- The window ---


def test_as_many_branches_as_there_are_places_start_at_once_in_their_order() -> None:
    given = schedule(5, max_concurrency=3)

    assert ids(given.due(at(0))) == ["b0", "b1", "b2"]
    assert given.due(at(0)) == []


def test_the_next_branch_starts_when_a_call_has_ended() -> None:
    given = schedule(5, max_concurrency=3)
    _, second, _ = given.due(at(0))
    given.ended(second, succeeded(), at(1))

    assert given.wants_turn(at(1), None)
    assert ids(given.due(at(1))) == ["b3"]


def test_an_end_that_frees_no_needed_place_wants_no_turn() -> None:
    given = schedule(2)
    first, _ = given.due(at(0))
    given.ended(first, succeeded(), at(1))

    assert not given.wants_turn(at(1), None)


def test_the_end_of_the_last_branch_wants_a_turn() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, succeeded(), at(1))

    assert given.wants_turn(at(1), None)
    assert (given.finished, given.certain) == (True, None)


def test_a_schedule_without_branches_is_finished() -> None:
    given = schedule(0, reused=3, tolerated_failure_percentage=0)

    assert (given.finished, given.certain, given.due(at(0))) == (True, None, [])


def test_questions_change_nothing() -> None:
    given = schedule(3, max_concurrency=2)
    given.due(at(0))
    for _ in range(3):
        given.wants_turn(at(1), None)
        given.wake_at(at(1))

    assert len(given.records["b0"].calls) == 1
    assert given.records["b2"].calls == []


def test_a_call_s_deadline_is_its_branch_s_and_never_after_the_run_s() -> None:
    given = schedule(2, max_concurrency=1, branch_timeout_s=10, deadline_s=15)
    [first] = given.due(at(0))
    given.ended(first, succeeded(), at(8))
    [second] = given.due(at(8))

    assert (first.deadline, second.deadline) == (at(10), at(15))


def test_no_call_starts_when_the_run_s_time_is_up() -> None:
    given = schedule(2, max_concurrency=1, deadline_s=15)
    [first] = given.due(at(0))
    given.ended(first, succeeded(), at(15))

    assert given.due(at(15)) == []


def test_no_call_starts_after_the_end() -> None:
    given = schedule(2, max_concurrency=1)
    [first] = given.due(at(0))
    given.close()
    given.ended(first, succeeded(), at(1))

    assert given.due(at(1)) == []


# --- Retries ---


def test_a_failure_that_may_pass_is_tried_again_after_a_wait() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed(), at(1))
    due = given.wake_at(at(1))

    assert due is not None
    assert at(1.5) <= due <= at(2)
    assert given.due(at(1.49)) == []
    assert ids(given.due(due)) == ["b0~2"]


def test_a_turn_is_wanted_for_an_earlier_alarm_and_for_no_later_one() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed(), at(1))
    due = given.wake_at(at(1))

    assert due is not None
    assert given.wants_turn(at(1), None)
    assert given.wants_turn(at(1), at(60))
    assert not given.wants_turn(at(1), due)
    assert not given.wants_turn(at(1), at(1.2))


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_branch_fails_with_the_last_of_its_attempts(attempts: int) -> None:
    given = schedule(1, attempts=attempts)
    moment = at(0)
    for number in range(1, attempts + 1):
        [call] = given.due(moment)
        assert call.number == number
        given.ended(call, failed(f"failure_{number}"), moment)
        moment = given.wake_at(moment) or moment

    record = given.records["b0"]
    assert given.finished
    assert record.last is not None
    assert record.last["error"]["code"] == f"failure_{attempts}"
    assert record.attempts == attempts


def test_a_failure_that_would_come_again_is_not_tried_again() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, PERMANENT, at(1))

    assert (given.finished, given.records["b0"].last) == (True, PERMANENT)


def test_the_wait_that_the_service_asks_for_is_kept() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed(retry_after_s=20), at(1))

    assert given.due(at(20.9)) == []
    assert at(21) <= (given.wake_at(at(1)) or at(0)) <= at(26)


def test_a_wait_beyond_the_branch_s_time_ends_it_at_once() -> None:
    given = schedule(1, branch_timeout_s=20)
    [call] = given.due(at(0))
    given.ended(call, failed(retry_after_s=19), at(1))

    assert given.finished


def test_a_branch_that_waits_holds_no_place() -> None:
    given = schedule(2, max_concurrency=1)
    [call] = given.due(at(0))
    given.ended(call, failed(), at(1))

    assert ids(given.due(at(1))) == ["b1"]


def test_a_retry_that_is_due_comes_before_branches_that_have_not_begun() -> None:
    given = schedule(3, max_concurrency=1)
    [first] = given.due(at(0))
    given.ended(first, failed(), at(1))
    [second] = given.due(at(1))
    given.ended(second, succeeded(), at(10))

    assert ids(given.due(at(10))) == ["b0~2"]


def test_a_retry_that_finds_no_place_before_its_time_is_up_fails() -> None:
    given = schedule(2, max_concurrency=1, branch_timeout_s=10, attempts=2)
    [first] = given.due(at(0))
    given.ended(first, failed(), at(1))
    [second] = given.due(at(1))
    given.ended(second, succeeded(), at(10.5))

    assert given.wants_turn(at(10.5), None)
    assert given.due(at(10.5)) == []
    assert given.finished
    assert given.records["b0"].late_for_attempt == 2


def test_a_call_that_ran_out_of_time_ends_its_branch() -> None:
    given = schedule(1, branch_timeout_s=10)
    [call] = given.due(at(0))
    given.ended(call, failed("branch_timed_out"), at(10))

    assert given.finished


def test_a_lost_call_ends_its_branch() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.lost(call, "terminated")

    assert given.finished
    assert given.records["b0"].lost == "terminated"


# --- Throttling ---


def test_while_the_model_serves_nobody_no_call_starts_before_the_wait_is_over() -> None:
    given = schedule(5, max_concurrency=1)
    [first] = given.due(at(0))
    given.ended(first, throttled(3), at(1))
    reopens = given.wake_at(at(1))

    assert reopens is not None
    assert at(4) <= reopens <= at(5)
    assert given.due(at(3.9)) == []
    assert ids(given.due(reopens)) == ["b0~2"]


def test_a_throttled_call_s_place_goes_to_nobody_while_others_are_served() -> None:
    given = schedule(30, max_concurrency=10)
    calls = given.due(at(0))
    given.ended(calls[0], throttled(), at(0.1))

    assert given.due(at(0.1)) == []
    given.ended(calls[1], succeeded(), at(1))
    assert ids(given.due(at(1))) == ["b10"]


def test_the_place_is_free_again_when_enough_calls_have_ended_however_they_ended() -> None:
    given = schedule(30, max_concurrency=10, hedge_after_s=60)
    calls = given.due(at(0))
    given.ended(calls[0], throttled(50), at(0.1))
    for number, call in enumerate(calls[1:]):
        if number % 2:
            given.lost(call, "terminated")
        else:
            given.ended(call, PERMANENT, at(1))

    assert len(given.due(at(1))) == 10


def test_branches_that_were_throttled_together_come_back_one_by_one() -> None:
    given = schedule(20)
    served, *crowd = given.due(at(0))
    for call in crowd:
        given.ended(call, throttled(1), at(0.1))
    given.ended(served, succeeded(), at(1))
    moment, starts = at(1), 0
    while not given.finished:
        moment = given.wake_at(moment) or at(60)
        calls = given.due(moment)
        assert len(calls) == 1, "no two of them wait equally long"
        given.ended(calls[0], succeeded(), moment)
        starts += 1

    assert starts == 19
    assert at(1.1) < moment <= at(2.1)
