"""Statistics: what the offline model was asked and when, what it answered or refused, and which faults it injected."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_host.offline.admission import LIMITS, Limit

KEPT_CALLS = 10_000
ARRIVALS_PER_S = 10


@dataclass(slots=True)
class Call:
    """One model call: its number from 1, its times on the server's clock, and the limit that refused it, if one did."""

    number: int
    arrived_at: float
    ended_at: float | None = None
    admitted: bool = False
    refused_by: Limit | None = None


class Statistics:
    """Counts that tests and benchmarks read; `reset` starts them again, the call number too."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.active = 0
        self.served = 0
        self.reset()

    def reset(self) -> None:
        """Back to zero. Calls that are under way stay counted as active."""
        self._since = self._clock()
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.busy_s = 0.0
        self.highest_concurrency = self.active
        self.highest_served = self.served
        self.answers: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.refused: Counter[Limit] = Counter()
        self.latest: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.latest_inputs: deque[int] = deque(maxlen=KEPT_CALLS)

    def begin(self) -> Call:
        """Counts one more model call under way and gives its record."""
        self.calls += 1
        self.active += 1
        self.highest_concurrency = max(self.highest_concurrency, self.active)
        call = Call(self.calls, self._clock())
        self.latest.append(call)
        return call

    def admit(self, call: Call) -> None:
        """The call found a place: from now until its end it is served."""
        call.admitted = True
        self.served += 1
        self.highest_served = max(self.highest_served, self.served)

    def refuse(self, call: Call, limit: Limit) -> None:
        """The call was turned away at the door."""
        call.refused_by = limit
        self.refused[limit] += 1

    def end(self, call: Call) -> None:
        """One model call is over, however it went; one from before a reset adds nothing to the counts."""
        self.active -= 1
        call.ended_at = self._clock()
        if call.admitted:
            self.served -= 1
            if call.arrived_at >= self._since:
                self.busy_s += call.ended_at - call.arrived_at

    def answered(self, input_tokens: int, output_tokens: int) -> None:
        """An answer was made that costs so many tokens."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.latest_inputs.append(input_tokens)

    def arrivals(self) -> dict[str, int]:
        """How many of the latest calls came in each tenth of a second, by the second since the first of them."""
        if not self.latest:
            return {}
        first = self.latest[0].arrived_at
        slots = Counter(math.floor((call.arrived_at - first) * ARRIVALS_PER_S) for call in self.latest)
        return {f"{slot / ARRIVALS_PER_S:.1f}": count for slot, count in sorted(slots.items())}

    def calls_as_json(self) -> list[dict[str, Any]]:
        """The body of `GET /admin/calls`: the latest calls by number, with their times in seconds since the reset."""
        return [
            {
                "number": call.number,
                "arrived_s": round(call.arrived_at - self._since, 6),
                "ended_s": None if call.ended_at is None else round(call.ended_at - self._since, 6),
                "refused_by": call.refused_by,
            }
            for call in self.latest
        ]

    def as_json(self) -> dict[str, Any]:
        """The body of `GET /admin/stats`."""
        by_route: dict[str, dict[str, int]] = {}
        for (route, status), count in sorted(self.answers.items()):
            by_route.setdefault(route, {})[status] = count
        return {
            "calls": self.calls,
            "active": self.active,
            "highest_concurrency": self.highest_concurrency,
            "highest_served": self.highest_served,
            "busy_s": round(self.busy_s, 6),
            "by_route": by_route,
            "faults": dict(sorted(self.faults.items())),
            "refused": {limit: self.refused[limit] for limit in LIMITS},
            "arrivals_per_100_ms": self.arrivals(),
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "total": self.input_tokens + self.output_tokens,
            },
        }
