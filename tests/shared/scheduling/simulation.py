"""A run on a virtual clock: the schedule under test, carried out as the orchestrator does, against a simulated model.

Every moment is in seconds from the run's start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import Protocol

from shared.scheduling.schedule import Call, Report, Schedule
from tests.shared.scheduling.given import START, at, failed

MAX_EVENTS = 200_000
"""More than any simulated run has: one that needs more does not end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model does with a call: after so many seconds it ends with this account; without one it is lost."""

    after_s: float
    report: Report | None


class Model(Protocol):
    """What the calls go to."""

    def answer(self, call: Call, now_s: float) -> Answer:
        """What becomes of a call that arrives now."""
        ...

    def released(self, call: Call) -> None:
        """The call has ended."""
        ...


@dataclass(slots=True)
class Simulation:
    """One run. `late_s` is how late an alarm goes off."""

    schedule: Schedule
    model: Model
    deadline_s: float = 900.0
    late_s: float = 0.0
    on_step: Callable[[Simulation], None] = lambda _: None
    now_s: float = 0.0
    calls: list[Call] = field(default_factory=list[Call])
    told: list[Call] = field(default_factory=list[Call])
    alarm_s: float | None = None
    over_s: float = 0.0
    _events: list[tuple[float, int, Call, Report | None]] = field(default_factory=list)
    _order: int = 0

    @property
    def now(self) -> datetime:
        """The virtual clock."""
        return at(self.now_s)

    @property
    def in_flight(self) -> list[Call]:
        """Calls that have not ended."""
        return [call for call in self.calls if call.in_flight]

    @property
    def is_over(self) -> bool:
        """Whether the run waits for nothing more."""
        return self.schedule.finished or self.schedule.certain is not None or self.now_s >= self.deadline_s

    def run(self) -> Simulation:
        """Until the run is over, then until the calls that are still out have ended."""
        self._turn()
        for _ in range(MAX_EVENTS):
            if self.is_over:
                break
            self._step()
        else:
            raise AssertionError(f"the run does not end: {self.now_s} s, {len(self.calls)} calls")
        self.over_s = self.now_s
        self.schedule.close()
        while self._events:
            self._land()
            assert not self.schedule.due(self.now), "a call started after the end"
        return self

    @property
    def succeeded(self) -> int:
        """Branches with an answer."""
        return sum(r.last is not None and r.last["status"] == "succeeded" for r in self.schedule.records.values())

    def most_starts_within(self, span_s: float, after_s: float = 0.0) -> int:
        """The largest number of calls that started in one slot of `span_s`, of those after `after_s`."""
        moments = [(call.started_at - START).total_seconds() for call in self.calls]
        slots = Counter(int(moment / span_s) for moment in moments if moment > after_s)
        return max(slots.values(), default=0)

    def _step(self) -> None:
        """What comes next: the end of a call, the alarm, or the run's deadline."""
        ends_s = self._events[0][0] if self._events else self.deadline_s
        wakes_s = self.deadline_s if self.alarm_s is None else self.alarm_s + self.late_s
        if not self._events and self.alarm_s is None:
            raise AssertionError(f"the run is stuck at {self.now_s} s: nothing will ever happen")
        if min(ends_s, wakes_s) >= self.deadline_s:
            self.now_s = self.deadline_s
        elif wakes_s < ends_s:
            self.now_s, self.alarm_s = max(self.now_s, wakes_s), None
            self._turn()
        else:
            self._land()
            armed = None if self.alarm_s is None else at(self.alarm_s)
            if self.schedule.wants_turn(self.now, armed) and not self.is_over:
                self._turn()
        self.on_step(self)

    def _turn(self) -> None:
        for call in self.schedule.due(self.now):
            self._start(call)
        self.told += self.schedule.losers()
        wake = self.schedule.wake_at(self.now)
        if wake is not None:
            assert wake > self.now, f"to be woken at {wake} is in the past of {self.now}"
            wake_s = (wake - START).total_seconds()
            self.alarm_s = wake_s if self.alarm_s is None else min(self.alarm_s, wake_s)

    def _start(self, call: Call) -> None:
        self.calls.append(call)
        answer = self.model.answer(call, self.now_s)
        left_s = (call.deadline - self.now).total_seconds()
        if answer.after_s > left_s:
            answer = Answer(max(0.0, left_s), failed("branch_timed_out", seconds=self.now_s + left_s))
        self._order += 1
        heappush(self._events, (self.now_s + answer.after_s, self._order, call, answer.report))

    def _land(self) -> None:
        moment_s, _, call, report = heappop(self._events)
        self.now_s = max(self.now_s, moment_s)
        self.model.released(call)
        if report is None:
            self.schedule.lost(call, "worker gone")
        else:
            self.schedule.ended(call, report, self.now)
