from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from local_host.timers import TimerQueue

SOON = timedelta(milliseconds=20)
FAR = timedelta(hours=1)


@pytest.fixture
def timers() -> Iterator[TimerQueue]:
    queue = TimerQueue()
    yield queue
    queue.close()


def test_a_cancelled_timer_does_nothing_and_later_ones_go_on(timers: TimerQueue) -> None:
    called: list[str] = []
    over = threading.Event()
    now = datetime.now(UTC)
    first = timers.call_at(now + SOON, lambda: called.append("cancelled"))
    timers.call_at(now + 2 * SOON, lambda: called.append("kept"))
    timers.call_at(now + 3 * SOON, over.set)
    timers.cancel(first)
    timers.cancel(first)
    assert over.wait(10)
    assert called == ["kept"]


def test_cancelled_timers_do_not_pile_up(timers: TimerQueue) -> None:
    far = datetime.now(UTC) + FAR
    kept = [timers.call_at(far, lambda: None) for _ in range(10)]
    for _ in range(5_000):
        timers.cancel(timers.call_at(far, lambda: None))
    assert len(kept) <= len(timers._heap) < 500


def test_a_timer_that_is_over_can_still_be_cancelled(timers: TimerQueue) -> None:
    over = threading.Event()
    timer = timers.call_at(datetime.now(UTC), over.set)
    assert over.wait(10)
    timers.cancel(timer)
    assert timers._cancelled == 0
