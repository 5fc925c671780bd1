"""A durable context to drive orchestrators by hand: the SDK's own tasks, a clock that is set, and a record of calls.

What crosses the durable boundary goes through JSON here too, so what is no JSON fails as it would in production.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from durabletask.task import CancellableTask, CompletableTask, Task, TaskFailedError, TimerTask, when_all, when_any

JSON = dict[str, Any]
Orchestrator = Callable[..., Generator[Task[Any], Any, JSON]]

APP_VERSION: str = json.loads((Path(__file__).parents[2] / "host.json").read_text())["extensions"]["durableTask"][
    "defaultVersion"
]

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def through_json(value: Any) -> Any:
    """What the other side of the durable boundary gets."""
    return json.loads(json.dumps(value, allow_nan=False))


@dataclass
class Call:
    """An activity or a child orchestration that was asked for."""

    name: str
    input: Any
    task: CompletableTask[Any]
    at: datetime
    instance_id: str = ""

    @property
    def branch(self) -> str:
        """The name of the branch, for a child orchestration."""
        return self.input["branch"]["name"]


@dataclass
class Timer:
    """A durable timer that was created."""

    fire_at: datetime
    task: TimerTask


@dataclass
class FakeContext:
    """As much of `DurableOrchestrationContext` as the orchestrators use."""

    input: Any
    instance_id: str = "run-1"
    version: str | None = APP_VERSION
    current_utc_datetime: datetime = START
    children: list[Call] = field(default_factory=list[Call])
    activities: list[Call] = field(default_factory=list[Call])
    timers: list[Timer] = field(default_factory=list[Timer])
    statuses: list[Any] = field(default_factory=list[Any])
    groups: list[list[Task[Any]]] = field(default_factory=list[list[Task[Any]]])
    events: dict[str, CancellableTask[Any]] = field(default_factory=dict[str, CancellableTask[Any]])

    def get_input(self) -> Any:
        return through_json(self.input)

    def set_custom_status(self, status: Any) -> None:
        self.statuses.append(through_json(status))

    def call_activity(self, name: str, input_: Any = None) -> Task[Any]:
        call = Call(name, through_json(input_), CompletableTask(), self.current_utc_datetime)
        self.activities.append(call)
        return call.task

    def call_sub_orchestrator(self, name: str, input_: Any = None, instance_id: str = "") -> Task[Any]:
        assert instance_id not in {child.instance_id for child in self.children}, f"{instance_id!r} started twice"
        call = Call(name, through_json(input_), CompletableTask(), self.current_utc_datetime, instance_id)
        self.children.append(call)
        return call.task

    def create_timer(self, fire_at: datetime) -> Task[Any]:
        timer = Timer(fire_at, TimerTask())
        self.timers.append(timer)
        return timer.task

    def wait_for_external_event(self, name: str) -> Task[Any]:
        return self.events.setdefault(name, CancellableTask())

    def task_all(self, tasks: list[Task[Any]]) -> Task[Any]:
        self.groups.append(tasks)
        return when_all(tasks)

    def task_any(self, tasks: list[Task[Any]]) -> Task[Any]:
        return when_any(tasks)


class Drive:
    """Runs an orchestrator on a `FakeContext`, one event at a time, as the SDK does."""

    def __init__(self, orchestrator: Orchestrator, context: FakeContext) -> None:
        self.context = context
        self.result: JSON | None = None
        self.steps = 0
        """How often the orchestrator has been given a turn."""
        self._generator = orchestrator(cast(Any, context))
        self._yielded: Task[Any] | None = None
        self._step(lambda: next(self._generator))
        self._resume()

    # --- What happens to the orchestrator ---

    def complete(self, call: Call, result: Any) -> None:
        """An activity or a child returned `result`."""
        call.task.complete(through_json(result))
        self._resume()

    def fail(self, call: Call, message: str = "worker lost") -> None:
        """An activity or a child raised."""
        call.task.fail(message, RuntimeError(message))
        self._resume()

    def raise_event(self, name: str) -> None:
        """An external event arrived."""
        self.context.events[name].complete(None)
        self._resume()

    def pass_time_until(self, moment: datetime) -> None:
        """The clock moves on to `moment`, and timers go off."""
        self.pass_time((moment - self.context.current_utc_datetime).total_seconds())

    def pass_time(self, seconds: float, *, firing: bool = True) -> None:
        """The clock moves on; timers go off in order unless `firing` is off (they are late)."""
        until = self.context.current_utc_datetime + timedelta(seconds=seconds)
        while firing and self.result is None and (due := self._next_due(until)):
            self.context.current_utc_datetime = max(due.fire_at, self.context.current_utc_datetime)
            due.task.complete(None)
            self._resume()
        self.context.current_utc_datetime = until

    # --- What can be seen of it ---

    @property
    def ended(self) -> JSON:
        """The result; an error when there is none yet."""
        assert self.result is not None, f"the orchestrator still waits for {self._yielded!r}"
        return self.result

    @property
    def running(self) -> list[Call]:
        """The children that have started and not ended, in the order of their start."""
        return [child for child in self.context.children if not child.task.is_complete]

    def child(self, branch: str, number: int | None = None) -> Call:
        """The newest call for `branch`, or the one with this number."""
        calls = [child for child in self.context.children if child.branch == branch]
        return calls[-1] if number is None else next(call for call in calls if call.input["number"] == number)

    @property
    def pending_timers(self) -> list[Timer]:
        """Timers that have neither fired nor been cancelled."""
        return [timer for timer in self.context.timers if not timer.task.is_complete]

    def _next_due(self, until: datetime) -> Timer | None:
        due = [timer for timer in self.pending_timers if timer.fire_at <= until]
        return min(due, key=lambda timer: timer.fire_at) if due else None

    def _resume(self) -> None:
        while self.result is None and self._yielded is not None and self._yielded.is_complete:
            task = self._yielded
            if task.is_failed:
                error: TaskFailedError = task.get_exception()
                self._step(lambda error=error: self._generator.throw(error))
            else:
                self._step(lambda task=task: self._generator.send(task.get_result()))

    def _step(self, move: Callable[[], Task[Any]]) -> None:
        self.steps += 1
        try:
            self._yielded = move()
            assert isinstance(self._yielded, Task), f"yielded {self._yielded!r}, which is no task"
        except StopIteration as stop:
            self._yielded = None
            self.result = through_json(stop.value)
