"""How many calls may be in flight: additive increase, multiplicative decrease."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.contracts.work import WindowState

TOLERATED_SHARE = 0.2
"""Of a round's calls. A service at its limit throttles more of them; some throttle a few at any load."""
DECREASE = 0.5
INCREASE_SHARE = 0.1
"""Of the size that the last decrease has left, gained each round (at least one place)."""
LONGEST_EMPTY_S = 10.0
"""A round that lasts longer has calls that hang, and they are not to hold up others."""
LONGEST_CLOSED_S = 60.0
"""A model that asks for a longer wait is asked again all the same: other branches may use another one."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)


class AdaptiveWindow:
    """A window of at most `limit` calls that shrinks while the model throttles and grows back after.

    It starts wide open. A round is as many ended calls as the window has places.

    - A throttled call's place stays empty for the rest of its round (for `LONGEST_EMPTY_S` at most): whoever took it
      would be throttled next.
    - More than `TOLERATED_SHARE` of a round, and more than one, and the window is halved. Calls that had started before
      were throttled by the same crowd: they halve nothing, but each shows that the model serves no more than what is
      in flight.
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
        self._shrinks = 0
        self._adopted_shrinks = 0
        self._empty_until = LONG_AGO
        self._closed_until = LONG_AGO
        self.throttled_until = LONG_AGO
        """When the waits of all calls that were throttled are over."""

    @property
    def size(self) -> int:
        """The places of the window, those that stay empty for a while too; at least one."""
        return int(self._size)

    @property
    def state(self) -> WindowState:
        """What it has learned, for the window of the shard that comes next."""
        return WindowState(
            size=self._size,
            shrinks=self._shrinks + self._adopted_shrinks,
            starts_slowly=self._starts_slowly,
            throttled_until=self.throttled_until,
            closed_until=self._closed_until,
        )

    def adopt(self, state: WindowState) -> None:
        """Take over what an earlier shard's window has learned: all of it before the first call, then bad news only."""
        if self._started == 0 or state.shrinks > self._adopted_shrinks:
            self._size = state.size if self._started == 0 else min(self._size, state.size)
            self._step = max(1.0, self._size * INCREASE_SHARE) if state.shrinks else self._step
            self._starts_slowly = state.starts_slowly
        self._adopted_shrinks = max(self._adopted_shrinks, state.shrinks)
        self.throttled_until = max(self.throttled_until, state.throttled_until)
        self._closed_until = max(self._closed_until, state.closed_until)

    def places(self, now: datetime) -> int:
        """The calls that may be in flight; at least one."""
        return int(self._size) - (self._throttled if now < self._empty_until else 0)

    def opens_at(self, now: datetime, in_flight: int) -> datetime | None:
        """From when on there is room beside the calls in flight; None when time alone makes none."""
        if in_flight >= int(self._size):
            return None
        return max(now, self._closed_until, self._empty_until if in_flight >= self.places(now) else now)

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
        if self._ended >= self._size:
            self._ended = self._throttled = 0

    def throttled(self, number: int, in_flight: int, now: datetime, wait_s: float) -> None:
        """The call with this number was throttled, to come back after `wait_s`; so many others are in flight."""
        if number <= self._decreased_at:
            self._shrink(min(self._size, float(in_flight)))
        elif self._throttled + 1 > max(1.0, self._size * TOLERATED_SHARE):
            self._decreased_at = self._started
            self._shrink(self._size * DECREASE)
        else:
            self._throttled += 1
            self._empty_until = now + timedelta(seconds=LONGEST_EMPTY_S)
        back_at = now + timedelta(seconds=min(wait_s, LONGEST_CLOSED_S))
        self.throttled_until = max(self.throttled_until, back_at)
        self._starts_slowly = in_flight == 0
        if in_flight == 0:
            self._closed_until = back_at
        self.ended()

    def _shrink(self, size: float) -> None:
        self._shrinks += 1
        self._size = max(1.0, size)
        self._step = max(1.0, self._size * INCREASE_SHARE)
        self._ended = self._throttled = 0
