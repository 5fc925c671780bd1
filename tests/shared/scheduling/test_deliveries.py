"""When deliveries look, and when they try again."""

from __future__ import annotations

from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scheduling.deliveries import (
    DELIVERY_WINDOW_S,
    MAX_RETRY_AFTER_S,
    MAX_WAIT_S,
    RETRY_DELAYS_S,
    look_after_s,
    retry_after_s,
)


def attempts_at(asked_s: float | None, key: str = "run") -> list[float]:
    """When the attempts begin whose receiver never takes the callback, in seconds after the first."""
    times = [0.0]
    for attempt in count(1):
        delay = retry_after_s(attempt, times[-1], asked_s, key)
        if delay is None:
            return times
        times.append(times[-1] + delay)
    raise AssertionError("an endless loop")


@given(st.text(max_size=20))
def test_attempts_go_on_for_most_of_a_day_and_no_longer(key: str) -> None:
    times = attempts_at(None, key)

    assert len(times) == len(RETRY_DELAYS_S) + 1 == 11
    assert 0.85 * DELIVERY_WINDOW_S < times[-1] <= DELIVERY_WINDOW_S
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(0.9 * usual <= wait <= usual for wait, usual in zip(waits, RETRY_DELAYS_S, strict=True))


def test_the_waits_of_runs_differ_and_are_the_same_at_each_replay() -> None:
    assert attempts_at(None, "a") == attempts_at(None, "a") != attempts_at(None, "b")


@given(st.integers(1, 12), st.floats(0, DELIVERY_WINDOW_S), st.floats(0, 1e9))
def test_a_receiver_may_ask_for_a_longer_wait_within_bounds(attempt: int, elapsed_s: float, asked_s: float) -> None:
    wait = retry_after_s(attempt, elapsed_s, asked_s, "run")

    if wait is not None:
        assert wait >= min(asked_s, MAX_RETRY_AFTER_S)
        assert wait <= max(MAX_RETRY_AFTER_S, RETRY_DELAYS_S[attempt - 1])
        assert elapsed_s + wait <= DELIVERY_WINDOW_S


def test_a_receiver_that_asks_for_long_waits_has_fewer_attempts_in_the_same_day() -> None:
    assert attempts_at(1e6) == pytest.approx([0, *(MAX_RETRY_AFTER_S * n for n in range(1, 7))])


def test_a_run_is_looked_at_a_few_hundred_times_at_most_and_soon_in_proportion() -> None:
    waited, looks = 0.0, 0
    while waited < MAX_WAIT_S:
        step = look_after_s(waited)
        assert step <= max(5.0, waited / 8)
        waited, looks = waited + step, looks + 1
    assert looks < 300
