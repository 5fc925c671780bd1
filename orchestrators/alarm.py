"""Waking a run at the next moment at which something is due, with one timer at a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from durabletask.task import Task


class HasTimers(Protocol):
    """An orchestration's context, as far as timers go."""

    def create_timer(self, fire_at: datetime, /) -> Task[Any]:
        """A timer that goes off then."""
        ...


class Alarm:
    """At most one timer, for the next moment at which something is due."""

    def __init__(self, context: HasTimers) -> None:
        self._context = context
        self._timer: Task[Any] | None = None
        self._at: datetime | None = None

    @property
    def at(self) -> datetime | None:
        """When it goes off; None when it is not armed."""
        return self._at if self._timer is not None and not self._timer.is_complete else None

    @property
    def tasks(self) -> list[Task[Any]]:
        """The timer, if it is armed."""
        return [self._timer] if self._timer is not None and self.at is not None else []

    def arm(self, moment: datetime | None) -> None:
        """Make it go off at `moment` at the latest: an earlier alarm stays, its turn arms the next."""
        if moment is not None and (self.at is None or moment < self.at):
            self.disarm()
            self._timer, self._at = self._context.create_timer(moment), moment

    def disarm(self) -> None:
        """Cancel the timer."""
        if self.at is not None:
            cast(Any, self._timer).cancel()
