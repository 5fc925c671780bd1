"""How many calls may be in flight: additive increase, multiplicative decrease."""

from __future__ import annotations

DECREASE = 0.5
INCREASE_SHARE = 0.05
"""Of the limit, gained over a window's worth of successes (at least one place)."""


class AdaptiveWindow:
    """A window of at most `limit` calls that shrinks while the model throttles and grows back after.

    It starts open. Calls that were in flight together are throttled together, so it is halved once for all calls
    that started before the last halving; each further throttle among them takes one place, down to the number of
    calls that the model is serving.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = float(limit)
        self._step = max(1.0, limit * INCREASE_SHARE)
        self._started = 0
        self._halved_at = 0

    @property
    def size(self) -> int:
        """The calls that may be in flight now; at least one."""
        return int(self._size)

    @property
    def is_open(self) -> bool:
        """Whether nothing has been throttled lately."""
        return self._size >= self._limit

    def started(self) -> int:
        """Count a call; return its number, for `throttled`."""
        self._started += 1
        return self._started

    def succeeded(self) -> None:
        """A call was answered."""
        self._size = min(float(self._limit), self._size + self._step / self._size)

    def throttled(self, number: int, in_flight: int) -> None:
        """The call with this number was throttled; `in_flight` others are still with the model."""
        if number > self._halved_at:
            self._halved_at = self._started
            self._size = max(1.0, self._size * DECREASE)
        else:
            self._size = max(1.0, min(self._size, float(in_flight)), self._size - 1)
