"""How many calls may be in flight: additive increase, multiplicative decrease."""

from __future__ import annotations

from datetime import datetime, timedelta

TOLERATED_SHARE = 0.2
"""Of a round's calls. A service at its limit throttles more of them; some throttle a few at any load."""
DECREASE = 0.5
INCREASE_SHARE = 0.1
"""Of the size that the last decrease has left, gained each round (at least one place)."""
LONGEST_CLOSED_S = 60.0
"""A model that asks for a longer wait is asked again all the same: other branches may use another one."""


class AdaptiveWindow:
    """A window of at most `limit` calls that shrinks while the model throttles and grows back after.

    It starts wide open. A round is as many ended calls as the window has places.

    - A throttled call's place stays empty for the rest of its round: whoever took it would be throttled next.
    - More than `TOLERATED_SHARE` of a round, and the window is halved. Calls that had started before were throttled
      by the same crowd: they halve nothing, but each shows that the model serves no more than what is in flight.
    - Each success brings the window nearer to its limit, by `INCREASE_SHARE` over a round.
    - When a call is throttled although it was the only one, the model serves nobody: the window closes until that
      call may come back (for `LONGEST_CLOSED_S` at most), one call tries again, and once it succeeds the window doubles
      each round until the next throttle (slow start).
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = float(limit)
        self._step = max(1.0, limit * INCREASE_SHARE)
        self._starts_slowly = False
        self._started = 0
        self._decreased_at = 0
        self._ended = 0
        self._throttled = 0
        self._calm_after = 0
        self.closed_until: datetime | None = None
        """No call starts before this moment."""

    @property
    def size(self) -> int:
        """The calls that may be in flight now; at least one."""
        return int(self._size) - self._throttled

    @property
    def is_calm(self) -> bool:
        """Whether half of the calls that were in flight at the last throttle have ended since."""
        return self._calm_after == 0

    def is_closed(self, now: datetime) -> bool:
        """Whether the model serves nobody and is not to be asked yet."""
        return self.closed_until is not None and now < self.closed_until

    def started(self) -> int:
        """Count a call; return its number, for `throttled`."""
        self._started += 1
        return self._started

    def succeeded(self) -> None:
        """A call was answered."""
        step = self._size if self._starts_slowly else self._step
        self._size = min(float(self._limit), self._size + step / self._size)
        self.ended()

    def ended(self) -> None:
        """A call came to an end that says nothing about the load."""
        self._ended += 1
        self._calm_after = max(0, self._calm_after - 1)
        if self._ended >= self._size:
            self._ended = self._throttled = 0

    def throttled(self, number: int, in_flight: int, now: datetime, wait_s: float) -> None:
        """The call with this number was throttled, to come back after `wait_s`; so many others are in flight."""
        if number <= self._decreased_at:
            self._shrink(min(self._size, float(in_flight)))
        elif self._throttled + 1 > self._size * TOLERATED_SHARE:
            self._decreased_at = self._started
            self._shrink(self._size * DECREASE)
        else:
            self._throttled += 1
        if in_flight == 0:
            self.closed_until = now + timedelta(seconds=min(wait_s, LONGEST_CLOSED_S))
        self._starts_slowly = in_flight == 0
        self.ended()
        self._calm_after = in_flight // 2

    def _shrink(self, size: float) -> None:
        self._size = max(1.0, size)
        self._step = max(1.0, self._size * INCREASE_SHARE)
        self._ended = self._throttled = 0
