"""When a branch gets a second call."""

from __future__ import annotations

import pytest

from shared.scheduling.hedging import MARGIN
from tests.shared.scheduling.given import (
    PERMANENT,
    at,
    decided,
    failed,
    ids,
    schedule,
    succeeded,
    throttled,
)


def test_a_call_that_takes_too_long_gets_a_second_one() -> None:
    given = schedule(1, hedge_after_s=2)
    given.due(at(0))

    assert given.wake_at(at(0)) == at(2)
    assert given.due(at(1.999)) == []
    assert ids(given.due(at(2))) == ["b0~2h"]


def test_the_first_success_wins_and_the_other_call_is_told_once() -> None:
    given = schedule(2, hedge_after_s=2)
    first, _ = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, succeeded(), at(3))

    assert given.wants_turn(at(3), at(60))
    assert decided(given) == ["b0"]
    assert (given.losers(), given.losers()) == ([first], [])


def test_a_loser_that_has_ended_by_itself_is_not_told() -> None:
    given = schedule(2, hedge_after_s=2)
    first, _ = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, succeeded(), at(3))
    given.ended(first, succeeded(), at(3))

    assert given.losers() == []


def test_stragglers_whose_hedges_have_failed_are_hedged_again() -> None:
    given = schedule(5, hedge_after_s=2, max_hedge_percentage=100, branch_timeout_s=60)
    calls = given.due(at(0))
    for call in calls[1:]:
        given.ended(call, succeeded(), at(1))
    [hedge] = given.due(at(2))
    given.ended(hedge, failed("model_unavailable", retriable=True), at(2.1))

    assert given.due(at(2.1)) == []
    wake = given.wake_at(at(2.1))
    assert wake is not None
    assert at(2.6) <= wake <= at(3.1)
    assert given.wants_turn(at(2.1), None)
    assert ids(given.due(wake)) == ["b0~3h"]


def test_a_hedge_is_no_attempt() -> None:
    given = schedule(1, hedge_after_s=2, attempts=1)
    given.due(at(0))
    given.due(at(2))
    record = given.records["b0"]

    assert (record.attempts, record.hedges) == (1, 1)


@pytest.mark.parametrize("ends_first", [0, 1])
def test_a_failure_that_may_pass_waits_for_the_other_call(ends_first: int) -> None:
    given = schedule(1, hedge_after_s=2)
    calls = given.due(at(0)) + given.due(at(2))
    given.ended(calls[ends_first], failed(), at(3))
    assert (given.due(at(60)), given.finished) == ([], False)
    given.ended(calls[1 - ends_first], succeeded(), at(61))

    assert given.finished
    assert given.losers() == []


def test_when_both_calls_have_failed_the_branch_is_tried_again() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(first, failed(retry_after_s=30), at(3))
    given.ended(hedge, failed(), at(4))

    assert given.due(at(32.9)) == [], "the first call's Retry-After holds too"
    assert ids(given.due(given.wake_at(at(4)) or at(0))) == ["b0~3"]


def test_a_failure_that_would_come_again_decides_although_another_call_is_out() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, PERMANENT, at(3))

    assert given.finished
    assert given.losers() == [first]


def test_a_lost_call_does_not_end_a_branch_whose_other_call_is_out() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.lost(first, "terminated")
    assert not given.finished
    given.ended(hedge, succeeded(), at(3))

    assert given.records["b0"].last is not None


def test_hedges_are_hedged_in_turn_up_to_a_bound() -> None:
    given = schedule(1, hedge_after_s=2, max_hedge_percentage=100)
    assert [ids(given.due(at(second))) for second in (0, 2, 4, 6, 8)] == [["b0"], ["b0~2h"], [], [], []]

    given = schedule(10, hedge_after_s=2, max_hedge_percentage=100)
    for call in given.due(at(0))[1:]:
        given.ended(call, succeeded(), at(1))
    hedges = [ids(given.due(at(second))) for second in (2, 4, 6, 8)]
    assert hedges == [["b0~2h"], ["b0~3h"], ["b0~4h"], []]


def test_a_hedge_that_straggles_is_hedged_sooner_than_a_first_call() -> None:
    given = schedule(10, hedge="p95", max_hedge_percentage=100)
    for call in given.due(at(0))[1:]:
        given.ended(call, succeeded(), at(1))
    assert ids(given.due(at(MARGIN))) == ["b0~2h"]

    assert given.wake_at(at(MARGIN)) == at(MARGIN + 1)
    assert ids(given.due(at(MARGIN + 1))) == ["b0~3h"]


def test_a_hedge_that_is_due_does_not_wait_for_an_older_first_call_that_is_due_later() -> None:
    given = schedule(20, hedge="p95", max_hedge_percentage=100, max_concurrency=19)
    for call in given.due(at(0))[1:]:
        given.ended(call, succeeded(), at(1))
    assert ids(given.due(at(1.2))) == ["b19"]
    assert ids(given.due(at(MARGIN))) == ["b0~2h"]

    assert given.wake_at(at(MARGIN)) == at(MARGIN + 1)
    assert [ids(given.due(at(second))) for second in (MARGIN + 1, 1.2 + MARGIN)] == [["b0~3h"], ["b19~2h"]]


def test_the_run_s_share_of_hedges_goes_to_the_oldest_calls() -> None:
    given = schedule(10, hedge_after_s=2, max_hedge_percentage=20)
    given.due(at(0))

    assert ids(given.due(at(2))) == ["b0~2h", "b1~2h"]
    assert given.wake_at(at(2)) is None


def test_a_hedge_needs_a_place() -> None:
    given = schedule(2, hedge_after_s=2, max_concurrency=2)
    _, second = given.due(at(0))
    assert (given.wake_at(at(0)), given.due(at(5))) == (None, [])
    given.ended(second, succeeded(), at(6))

    assert given.wants_turn(at(6), None)
    assert ids(given.due(at(6))) == ["b0~2h"]


def test_a_straggler_comes_before_branches_that_have_not_begun() -> None:
    given = schedule(3, hedge_after_s=2, max_concurrency=2)
    _, second = given.due(at(0))
    given.ended(second, succeeded(), at(6))

    assert ids(given.due(at(6))) == ["b0~2h"]


def test_no_hedge_starts_before_the_wait_of_a_throttled_call_is_over() -> None:
    given = schedule(10, hedge_after_s=2)
    calls = given.due(at(0))
    given.ended(calls[1], throttled(20), at(1))
    retry = given.records["b1"].not_before

    assert given.due(at(20.9)) == []
    assert given.wake_at(at(3)) == retry
    assert retry is not None
    assert ids(given.due(retry)) == ["b1~2", "b0~2h", "b2~2h"]


def test_a_call_that_hangs_is_hedged_however_few_calls_have_ended_since_a_throttle() -> None:
    given = schedule(5, hedge_after_s=2, max_hedge_percentage=100)
    *_, last = given.due(at(0))
    given.ended(last, throttled(0), at(0.1))

    assert len(given.due(at(30))) == 5, "the retry, and a second call for each of four"


def test_a_place_that_stays_empty_behind_calls_that_hang_is_given_back_in_time() -> None:
    given = schedule(6, max_concurrency=5)
    *_, last = given.due(at(0))
    given.ended(last, throttled(30), at(0.1))

    assert given.due(at(1)) == []
    assert given.wake_at(at(1)) == at(10.1)
    assert ids(given.due(at(10.1))) == ["b5"]


def test_a_retry_with_too_little_time_for_a_hedge_keeps_none_from_others() -> None:
    given = schedule(2, hedge_after_s=4, max_concurrency=2, branch_timeout_s=10, max_hedge_percentage=100)
    first, second = given.due(at(0))
    given.ended(first, failed(retry_after_s=6), at(0.5))
    given.ended(second, failed(), at(0.5))
    retry_of_second = given.due(given.wake_at(at(0.5)) or at(0))
    retry_of_first = given.due(at(7.5))
    given.ended(retry_of_second[0], succeeded(), at(8))

    assert ids(retry_of_first) == ["b0~2"]
    assert given.wake_at(at(8)) is None, "a hedge at 11.5 s would come after the branch's end"


def test_no_hedge_starts_when_its_branch_s_time_is_up() -> None:
    given = schedule(1, hedge_after_s=9.9, branch_timeout_s=10)
    given.due(at(0))

    assert given.due(at(10)) == []


def test_the_time_of_a_hedge_is_learned_from_calls_that_have_ended() -> None:
    given = schedule(10, hedge="p95")
    calls = given.due(at(0))
    for call in calls[:7]:
        given.ended(call, succeeded(), at(1))
    assert given.wake_at(at(1)) is None
    given.ended(calls[7], succeeded(), at(1))

    assert given.wake_at(at(1)) == at(MARGIN)
    assert given.wants_turn(at(1), None)
    assert ids(given.due(at(1.5))) == ["b8~2h", "b9~2h"]
