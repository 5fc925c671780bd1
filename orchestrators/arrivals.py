"""Waking a run when, and only when, the end of a task changes something.

`task_any` over a hundred tasks costs a hundred steps each time it is built, and a run would build it at each end, at
each replay. A watch on each task costs one step at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, override

from durabletask.task import CompletableTask, CompositeTask, Task


class Arrivals:
    """Tells of ends of tasks; `wakes` says after each whether there is something to do."""

    def __init__(self, wakes: Callable[[], bool]) -> None:
        self._wakes = wakes
        self._attention = CompletableTask[None]()

    def watch(self, task: Task[Any], landed: Callable[[], None]) -> None:
        """Call `landed` when `task` has ended, in the order of history."""

        def told() -> None:
            landed()
            if not self._attention.is_complete and self._wakes():
                self._attention.complete(None)

        Watch(task, told)

    def next(self) -> Task[None]:
        """A task that is complete once there is something to do."""
        if self._attention.is_complete:
            self._attention = CompletableTask[None]()
        return self._attention


class Watch(CompositeTask[None]):
    """Hears of the end of one task. It never completes itself."""

    def __init__(self, task: Task[Any], told: Callable[[], None]) -> None:
        self._told = told
        super().__init__([task])

    @override
    def on_child_completed(self, task: Task[Any]) -> None:
        self._told()
