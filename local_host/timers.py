"""`TimerQueue`: any number of timers on one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

_LOGGER = logging.getLogger(__name__)
# The wall clock may jump (a laptop wakes up): look at it again at least this often.
_LONGEST_WAIT_S = 30.0
_FEW_CANCELLED = 100


@dataclass(slots=True)
class Timer:
    """One timer of a queue; without an action it is cancelled, or over."""

    action: Callable[[], None] | None


class TimerQueue:
    """Calls functions at their time, on one thread that starts with the first timer."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Timer]] = []
        self._cancelled = 0
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def call_at(self, when: datetime, action: Callable[[], None]) -> Timer:
        """Call `action` on the timer thread as soon as the clock shows `when`."""
        timer = Timer(action)
        with self._changed:
            if self._closed:
                return timer
            heapq.heappush(self._heap, (when, next(self._order), timer))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="engine-timers", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is timer:
                self._changed.notify()
        return timer

    def cancel(self, timer: Timer) -> None:
        """Do not call a timer's action, and forget it: at once, or with others when they are most of the queue."""
        with self._changed:
            if timer.action is None:
                return
            timer.action = None
            self._cancelled += 1
            if self._cancelled > max(_FEW_CANCELLED, len(self._heap) // 2):
                self._heap = [entry for entry in self._heap if entry[2].action is not None]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def clear(self) -> None:
        """Forget every timer."""
        with self._changed:
            self._heap.clear()
            self._cancelled = 0

    def close(self) -> None:
        """Forget every timer and end the thread."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (action := self._next()) is not None:
            try:
                action()
            except Exception:
                _LOGGER.exception("A timer's action failed; the other timers go on")

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._closed:
                if not self._heap:
                    self._changed.wait()
                    continue
                remaining = (self._heap[0][0] - datetime.now(UTC)).total_seconds()
                if remaining <= 0:
                    timer = heapq.heappop(self._heap)[2]
                    if (action := timer.action) is None:
                        self._cancelled -= 1
                        continue
                    timer.action = None
                    return action
                self._changed.wait(min(remaining, _LONGEST_WAIT_S))
        return None
