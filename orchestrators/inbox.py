"""Events that an orchestration may get many of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from orchestrators.arrivals import Arrivals

if TYPE_CHECKING:
    from durabletask.task import Task


class HasEvents(Protocol):
    """An orchestration's context, as far as events go."""

    def wait_for_external_event(self, name: str, /) -> Task[Any]:
        """The next event of this name."""
        ...


class Inbox:
    """Events of one name, in the order in which they came; each may wake the orchestration."""

    def __init__(self, context: HasEvents, arrivals: Arrivals, name: str) -> None:
        self._context = context
        self._arrivals = arrivals
        self._name = name
        self._next = self._listen()

    @property
    def has_mail(self) -> bool:
        """Whether something has come that was not taken."""
        return self._next.is_complete

    def take(self) -> list[Any]:
        """What has come since the last time. To be called in a turn: the SDK drops a wait that begins as one ends."""
        taken: list[Any] = []
        while self._next.is_complete:
            taken.append(self._next.get_result())
            self._next = self._listen()
        return taken

    def _listen(self) -> Task[Any]:
        task = self._context.wait_for_external_event(self._name)
        if not task.is_complete:
            self._arrivals.watch(task, lambda: None)
        return task
