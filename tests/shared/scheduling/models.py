"""Simulated models."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from shared.scheduling.schedule import Call
from tests.shared.scheduling.given import succeeded, throttled
from tests.shared.scheduling.simulation import Answer

FOREVER_S = 1e6
"""Longer than any branch has time."""
REJECTION_S = 0.05
"""How long a model takes to say that it has no place."""


@dataclass(slots=True)
class Crowded:
    """Serves at most `places` calls at a time, each for `service_s`; throttles what is more.

    Until `outage_s` it throttles everything.
    """

    places: int
    service_s: float
    retry_after_s: float | None = 1.0
    outage_s: float = 0.0
    throttles: int = 0
    _serving: set[Call] = field(default_factory=set[Call])

    def answer(self, call: Call, now_s: float) -> Answer:
        if len(self._serving) >= self.places or now_s < self.outage_s:
            self.throttles += 1
            return Answer(REJECTION_S, throttled(self.retry_after_s))
        self._serving.add(call)
        return Answer(self.service_s, succeeded())

    def released(self, call: Call) -> None:
        self._serving.discard(call)


@dataclass(slots=True)
class Fickle:
    """Throttles a share of calls at random, however many there are."""

    share: float
    service_s: float
    random: Random
    throttles: int = 0

    def answer(self, call: Call, now_s: float) -> Answer:
        if self.random.random() < self.share:
            self.throttles += 1
            return Answer(REJECTION_S, throttled())
        return Answer(self.service_s * self.random.uniform(0.8, 1.25), succeeded())

    def released(self, call: Call) -> None:
        pass


@dataclass(slots=True)
class Metered:
    """Takes `quota` calls in each span of `span_s`; throttles what is more until the next."""

    quota: int
    span_s: float
    service_s: float
    throttles: int = 0
    _span: int = -1
    _taken: int = 0

    def answer(self, call: Call, now_s: float) -> Answer:
        span = int(now_s / self.span_s)
        if span != self._span:
            self._span, self._taken = span, 0
        if self._taken >= self.quota:
            self.throttles += 1
            return Answer(REJECTION_S, throttled((span + 1) * self.span_s - now_s))
        self._taken += 1
        return Answer(self.service_s, succeeded())

    def released(self, call: Call) -> None:
        pass


@dataclass(slots=True)
class Straggling:
    """Answers in about `ordinary_s`; a share of calls takes `factor` times as long, another share never ends.

    Each call first takes `host_s` of a host that brings one at a time to its worker.
    """

    sigma: float
    random: Random
    slow_share: float = 0.05
    factor: float = 10.0
    hung_share: float = 0.0
    ordinary_s: float = 1.0
    host_s: float = 0.0
    _host_is_free_at_s: float = 0.0

    def answer(self, call: Call, now_s: float) -> Answer:
        self._host_is_free_at_s = max(self._host_is_free_at_s, now_s) + self.host_s
        seconds = self.ordinary_s * self.random.lognormvariate(0.0, self.sigma)
        fate = self.random.random()
        if fate < self.hung_share:
            seconds = FOREVER_S
        elif fate < self.hung_share + self.slow_share:
            seconds *= self.factor
        return Answer(self._host_is_free_at_s - now_s + seconds, {**succeeded(), "worked_s": seconds})

    def released(self, call: Call) -> None:
        pass
