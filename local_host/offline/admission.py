"""Admission: the limits of a service, which refuses calls at its door: so many at a time, so many a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from local_host.offline.errors import ApiError, throttled
from local_host.offline.faults import Faults

type Limit = Literal["capacity", "requests_per_s"]
type Clock = Callable[[], float]

LIMITS: tuple[Limit, ...] = ("capacity", "requests_per_s")
WHOLE_TOKEN = 1.0 - 1e-9


class OverLimit(ApiError):
    """The 429 of a call that a limit turned away; `limit` says which."""

    def __init__(self, limit: Limit, retry_after_s: float) -> None:
        error = throttled(retry_after_s)
        super().__init__(error.status, error.message, kind=error.kind, code=error.code, headers=error.headers)
        self.limit: Limit = limit


class TokenBucket:
    """`per_s` places a second. Unused ones are kept for one second: the burst, at least 1."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._per_s, self._clock = per_s, clock
        self._burst = max(1.0, per_s)
        self._tokens, self._filled_at = self._burst, clock()

    def take(self) -> float:
        """Takes a place and returns 0, or takes none and returns the seconds until the next is free."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        if self._tokens < WHOLE_TOKEN:
            return (1.0 - self._tokens) / self._per_s
        self._tokens -= 1.0
        return 0.0


class Admission:
    """The door: who finds a place holds it until its call is over."""

    def __init__(self, faults: Faults, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._inside = 0
        self.obey(faults)

    def obey(self, faults: Faults) -> None:
        """Goes by these limits from now on, with a full bucket. Calls inside keep their places."""
        self._faults = faults
        self._bucket = None if faults.requests_per_s is None else TokenBucket(faults.requests_per_s, self._clock)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for the length of the block; raises `OverLimit` when there is none."""
        self._admit()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def _admit(self) -> None:
        if self._faults.capacity is not None and self._inside >= self._faults.capacity:
            raise OverLimit("capacity", self._faults.retry_after_s)
        if self._bucket is not None and (wait_s := self._bucket.take()):
            raise OverLimit("requests_per_s", _whole_ms(wait_s))


def _whole_ms(seconds: float) -> float:
    """Rounded up, so that nobody is told to come too early."""
    return math.ceil(seconds * 1000) / 1000
