"""A run on a virtual clock: the schedule under test, carried out as the orchestrator does, against a simulated model.

Moments ending in `_s` are in seconds from the run's start.
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

MAX_STEPS = 50_000
"""More than any simulated run takes: one that needs more does not end."""
STOPPING_S = 0.05
"""How long a call takes to hear that it is to stop."""


def to_the_microsecond(seconds: float) -> float:
    """As exact as a `datetime`, so that two ways to the same moment lead to the same one."""
    return round(seconds, 6)


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a call: after so many seconds it ends with this account, or is lost when there is none."""

    after_s: float
    report: Report | None


class Model(Protocol):
    """What calls go to."""

    def answer(self, call: Call, now_s: float) -> Answer:
        """What becomes of a call that arrives now."""
        ...

    def released(self, call: Call) -> None:
        """The call has ended."""
        ...


@dataclass(slots=True)
class Simulation:
    """One run. Alarms go off `late_s` late; `observe` is called after each step."""

    schedule: Schedule
    model: Model
    deadline_s: float = 900.0
    late_s: float = 0.0
    observe: Callable[[Simulation], None] = lambda _: None
    now_s: float = 0.0
    over_s: float = 0.0
    alarm_s: float | None = None
    calls: list[Call] = field(default_factory=list[Call])
    _ends: list[tuple[float, int, Call, Report | None]] = field(
        default_factory=list[tuple[float, int, Call, Report | None]]
    )
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

    @property
    def succeeded(self) -> int:
        """Branches with an answer."""
        lasts = [record.last for record in self.schedule.records.values()]
        return sum(last is not None and last["status"] == "succeeded" for last in lasts)

    def most_starts_within(self, span_s: float, *, after_s: float = 0.0) -> int:
        """The largest number of calls that started in one slot of `span_s`, of those after `after_s`."""
        moments = [(call.started_at - START).total_seconds() for call in self.calls]
        return max(Counter(int(moment / span_s) for moment in moments if moment > after_s).values(), default=0)

    def run(self) -> Simulation:
        """Until the run is over, then until the calls that are still out have ended."""
        if not self.is_over:
            self._turn()
        for _ in range(MAX_STEPS):
            self.observe(self)
            if self.is_over:
                break
            self._step()
        else:
            raise AssertionError(f"the run does not end: {len(self.calls)} calls after {self.now_s} s")
        self.over_s = self.now_s
        self.schedule.close()
        while self._ends:
            self._land()
            assert self.schedule.due(self.now) == [], "a call started after the end"
        return self

    def _step(self) -> None:
        """Whatever comes next: the end of a call, the alarm, or the run's deadline."""
        ends_s = self._ends[0][0] if self._ends else self.deadline_s
        wakes_s = (
            self.deadline_s if self.alarm_s is None else max(self.now_s, to_the_microsecond(self.alarm_s + self.late_s))
        )
        assert self._ends or self.alarm_s is not None, f"the run is stuck: after {self.now_s} s nothing will happen"
        if min(ends_s, wakes_s) >= self.deadline_s:
            self.now_s = self.deadline_s
        elif wakes_s < ends_s:
            self.now_s, self.alarm_s = wakes_s, None
            self._turn()
        else:
            self._land()
            armed = None if self.alarm_s is None else at(self.alarm_s)
            if self.schedule.wants_turn(self.now, armed) and not self.is_over:
                self._turn()

    @property
    def _wakes_s(self) -> float:
        if self.alarm_s is None:
            return self.deadline_s
        return max(self.now_s, to_the_microsecond(self.alarm_s + self.late_s))

    def _turn(self) -> None:
        for call in self.schedule.due(self.now):
            self._start(call)
        for loser in self.schedule.losers():
            self._end(loser, STOPPING_S, failed("cancelled", seconds=self.now_s + STOPPING_S))
        wake = self.schedule.wake_at(self.now)
        if wake is not None:
            assert wake > self.now, f"to be woken at {wake} is too late at {self.now}"
            wake_s = (wake - START).total_seconds()
            self.alarm_s = wake_s if self.alarm_s is None else min(self.alarm_s, wake_s)

    def _start(self, call: Call) -> None:
        self.calls.append(call)
        answer = self.model.answer(call, self.now_s)
        left_s = (call.deadline - self.now).total_seconds()
        if answer.after_s > left_s:
            answer = Answer(left_s, failed("branch_timed_out", seconds=self.now_s + left_s))
        self._end(call, answer.after_s, answer.report)

    def _end(self, call: Call, after_s: float, report: Report | None) -> None:
        """Let a call end then, unless it has ended before."""
        self._order += 1
        heappush(self._ends, (to_the_microsecond(self.now_s + after_s), self._order, call, report))

    def _land(self) -> None:
        moment_s, _, call, report = heappop(self._ends)
        self.now_s = max(self.now_s, moment_s)
        if not call.in_flight:
            return
        self.model.released(call)
        if report is None:
            self.schedule.lost(call, "its worker is gone")
        else:
            self.schedule.ended(call, report, self.now)
