"""`WorkerSlot`: keeps one worker process running. A dead one is replaced, one that will not start is given up."""

from __future__ import annotations

import asyncio
from typing import Protocol

from local_host.messages import AppLoadError, AppToLoad
from local_host.worker_process import Death, WorkerDied, WorkerProcess

MOST_FAILED_STARTS = 3
_WAIT_S = 0.25
_LONGEST_WAIT_S = 5.0


class SlotOwner(Protocol):
    """Is told what happens in a slot."""

    def joined(self, process: WorkerProcess) -> None:
        """A process has loaded the app and takes invocations."""
        ...

    def left(self, process: WorkerProcess, death: Death) -> None:
        """A process that had loaded the app has died; the slot replaces it."""
        ...

    def failed_to_start(self, reason: str, *, gives_up: bool) -> None:
        """A process did not load the app; the slot tries another one, or gives up."""
        ...


class WorkerSlot:
    """One place of a pool. Its first process starts with it, outside an event loop too."""

    def __init__(self, app: AppToLoad, owner: SlotOwner) -> None:
        self._app = app
        self._owner = owner
        self._fresh: WorkerProcess | None = WorkerProcess(app)
        self._failed_starts = 0
        self._useless_lives = 0
        self._has_loaded = False
        self.process: WorkerProcess | None = self._fresh
        self.settled = asyncio.Event()
        """Set when its first process has loaded the app, or none will."""

    async def keep(self) -> None:
        """Keep a process running, until starting it has failed too often in a row.

        Raise `AppLoadError` when the app itself says that it does not load, and never has.
        """
        try:
            while self._failed_starts < MOST_FAILED_STARTS:
                await asyncio.sleep(self._wait_s())
                await self._live()
        finally:
            self.settled.set()

    async def _live(self) -> None:
        """Go through the life of one process."""
        try:
            self.process, self._fresh = self._fresh or WorkerProcess(self._app), None
            await self.process.load()
        except (OSError, WorkerDied, AppLoadError) as error:
            if isinstance(error, AppLoadError) and not self._has_loaded:
                raise
            self._failed_starts += 1
            self._owner.failed_to_start(str(error).rstrip(), gives_up=self._failed_starts >= MOST_FAILED_STARTS)
            return
        self._failed_starts = 0
        self._has_loaded = True
        self._owner.joined(self.process)
        self.settled.set()
        death = await self.process.end()
        self._useless_lives = 0 if death.was_of_use else self._useless_lives + 1
        self._owner.left(self.process, death)

    def _wait_s(self) -> float:
        """How long to wait before the next start: longer from one to the next, until a process was of use."""
        vain = self._failed_starts + self._useless_lives
        return min(_WAIT_S * 2 ** (vain - 1), _LONGEST_WAIT_S) if vain else 0.0
