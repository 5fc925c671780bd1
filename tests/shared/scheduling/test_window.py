from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scheduling.window import LONGEST_CLOSED_S, LONGEST_EMPTY_S, AdaptiveWindow
from tests.shared.scheduling.given import START, at


def window(limit: int, *, started: int = 0) -> AdaptiveWindow:
    """A window through which so many calls have started."""
    opened = AdaptiveWindow(limit)
    for _ in range(started):
        opened.started()
    return opened


def places(opened: AdaptiveWindow) -> int:
    return opened.places(START)


def throttle(opened: AdaptiveWindow, *, in_flight: int = 50, now: datetime = START, wait_s: float = 1.0) -> None:
    """Throttle a call that has just started."""
    opened.throttled(opened.started(), in_flight, now, wait_s)


def halved(limit: int) -> AdaptiveWindow:
    """A window that has just been halved, by one throttle more than it tolerates."""
    opened = window(limit)
    for _ in range(limit // 5 + 1):
        throttle(opened, in_flight=limit)
    assert places(opened) == limit // 2
    return opened


def succeed(opened: AdaptiveWindow, times: int) -> None:
    for _ in range(times):
        opened.started()
        opened.succeeded()


@pytest.mark.parametrize("limit", [1, 2, 1_000])
def test_a_window_starts_wide_open(limit: int) -> None:
    opened = AdaptiveWindow(limit)

    assert places(opened) == limit
    assert opened.throttled_until < START
    assert opened.opens_at(START, limit - 1) == START


def test_calls_are_numbered_from_one() -> None:
    opened = AdaptiveWindow(5)

    assert [opened.started(), opened.started()] == [1, 2]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_successes_never_open_it_beyond_its_limit(limit: int) -> None:
    opened = window(limit)
    succeed(opened, 1_000)

    assert places(opened) == limit


# --- A stray throttle ---


def test_the_place_of_a_throttled_call_stays_empty() -> None:
    opened = window(10)
    throttle(opened)

    assert places(opened) == 9


def test_the_place_is_given_back_when_the_round_is_over() -> None:
    opened = window(10)
    throttle(opened)
    succeed(opened, 8)
    assert places(opened) == 9
    succeed(opened, 1)
    assert places(opened) == 10


def test_an_empty_place_is_given_back_in_time_when_the_round_does_not_end() -> None:
    opened = window(10)
    throttle(opened)

    assert opened.opens_at(START, 8) == START
    assert opened.opens_at(START, 9) == at(LONGEST_EMPTY_S)
    assert opened.places(at(LONGEST_EMPTY_S - 0.1)) == 9
    assert opened.places(at(LONGEST_EMPTY_S)) == 10
    assert opened.opens_at(at(LONGEST_EMPTY_S), 10) is None


def test_time_alone_gives_no_place_back_to_a_window_that_was_halved() -> None:
    assert halved(10).opens_at(START, 5) is None
    assert halved(10).places(at(1_000)) == 5


@pytest.mark.parametrize("limit", [2, 3, 4, 5])
def test_one_throttle_does_not_halve_a_small_window(limit: int) -> None:
    opened = window(limit)
    throttle(opened)
    assert places(opened) == limit - 1
    throttle(opened)
    assert places(opened) == limit // 2


def test_calls_that_failed_otherwise_end_a_round_too() -> None:
    opened = window(10)
    throttle(opened)
    for _ in range(9):
        opened.ended()

    assert places(opened) == 10


def test_a_call_that_failed_otherwise_is_part_of_the_round_and_opens_nothing() -> None:
    opened = halved(10)
    for _ in range(100):
        opened.ended()

    assert places(opened) == 5


def test_a_fifth_of_a_round_may_be_throttled() -> None:
    opened = window(10)
    throttle(opened)
    throttle(opened)
    succeed(opened, 8)

    assert places(opened) == 10


# --- A crowd ---


def test_more_than_a_fifth_of_a_round_halves_it() -> None:
    opened = window(10)
    for _ in range(3):
        throttle(opened)

    assert places(opened) == 5


def test_calls_of_the_crowd_that_halved_it_halve_it_no_further() -> None:
    opened = window(100, started=100)
    for number in range(1, 51):
        opened.throttled(number, 100 - number, START, 1.0)

    assert places(opened) == 50


def test_calls_of_that_crowd_show_how_many_the_model_serves() -> None:
    opened = window(100, started=100)
    for number in range(1, 91):
        opened.throttled(number, 100 - number, START, 1.0)

    assert places(opened) == 10


def test_a_crowd_that_comes_after_halves_it_again() -> None:
    opened = halved(100)
    for _ in range(11):
        throttle(opened)

    assert places(opened) == 25


def test_one_place_is_always_left() -> None:
    opened = window(4)
    for _ in range(50):
        throttle(opened, in_flight=1)

    assert places(opened) == 1


# --- Growing back ---


def test_each_round_of_successes_gives_back_a_tenth_of_what_was_left() -> None:
    opened = halved(100)
    for size in (55, 60, 65):
        succeed(opened, size)
        assert places(opened) == pytest.approx(size, abs=1)


def test_a_small_window_grows_by_a_place_a_round() -> None:
    opened = halved(10)
    sizes: list[int] = []
    for _ in range(4):
        succeed(opened, places(opened) + 1)
        sizes.append(places(opened))

    assert sizes == [6, 7, 8, 9]


def test_it_grows_by_steps_of_the_same_width_until_the_next_decrease() -> None:
    opened = halved(1_000)
    first = places(opened)
    succeed(opened, first)
    second = places(opened)
    succeed(opened, second)

    assert places(opened) - second == pytest.approx(second - first, abs=2)


def test_a_window_that_was_halved_opens_up_again() -> None:
    opened = halved(100)
    succeed(opened, 1_000)

    assert places(opened) == 100


# --- Nobody is served ---


def test_it_closes_when_the_only_call_is_throttled() -> None:
    opened = window(10)
    throttle(opened, in_flight=0, wait_s=3.0)

    assert opened.opens_at(START, 0) == at(3)
    assert opened.opens_at(at(2.9), 0) == at(3)
    assert opened.opens_at(at(3), 0) == at(3)


def test_it_stays_open_while_other_calls_are_served() -> None:
    opened = window(10)
    throttle(opened, in_flight=1)

    assert opened.opens_at(START, 1) == START


def test_it_does_not_stay_closed_for_as_long_as_a_service_likes() -> None:
    opened = window(10)
    throttle(opened, in_flight=0, wait_s=86_400)

    assert opened.opens_at(START, 0) == at(LONGEST_CLOSED_S)


def test_after_a_storm_that_served_nobody_one_call_tries_and_successes_double_the_window() -> None:
    opened = window(100, started=100)
    for number in range(1, 101):
        opened.throttled(number, 100 - number, START, 1.0)
    sizes = [places(opened)]
    for _ in range(5):
        succeed(opened, places(opened))
        sizes.append(places(opened))

    assert sizes == [1, 2, 4, 8, 16, 32]


def test_the_next_throttle_ends_the_doubling() -> None:
    opened = window(100, started=100)
    for number in range(1, 101):
        opened.throttled(number, 100 - number, START, 1.0)
    succeed(opened, 31)
    assert places(opened) == 32
    throttle(opened)
    succeed(opened, 32)

    assert places(opened) <= 36


# --- The wait of a throttled call ---


def test_the_model_counts_as_throttling_until_the_longest_wait_is_over() -> None:
    opened = window(10)
    throttle(opened, wait_s=5.0)
    throttle(opened, wait_s=2.0, now=at(1))
    assert opened.throttled_until == at(5)
    throttle(opened, wait_s=2.0, now=at(4))
    assert opened.throttled_until == at(6)


def test_a_service_that_wants_a_very_long_wait_does_not_count_as_throttling_for_all_of_it() -> None:
    opened = window(10)
    throttle(opened, wait_s=86_400)

    assert opened.throttled_until == at(LONGEST_CLOSED_S)


# --- Whatever happens ---

EVENTS = st.lists(st.sampled_from(["started", "succeeded", "ended", "throttled"]), max_size=200)


@given(limit=st.integers(1, 40), events=EVENTS)
def test_the_size_stays_between_one_and_the_limit_whatever_happens(limit: int, events: list[str]) -> None:
    opened = AdaptiveWindow(limit)
    numbers: list[int] = []
    for event in events:
        if event == "started":
            numbers.append(opened.started())
        elif numbers and event == "throttled":
            opened.throttled(numbers.pop(0), len(numbers), START, 1.0)
        elif numbers:
            numbers.pop(0)
            opened.succeeded() if event == "succeeded" else opened.ended()
        assert 1 <= places(opened) <= limit


@given(limit=st.integers(1, 40), events=EVENTS)
def test_the_same_events_make_the_same_window(limit: int, events: list[str]) -> None:
    first, second = AdaptiveWindow(limit), AdaptiveWindow(limit)
    for opened in (first, second):
        for event in events:
            if event == "throttled":
                throttle(opened, in_flight=3)
            else:
                getattr(opened, event)()

    assert vars(first) == vars(second)
