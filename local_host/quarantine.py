"""`Quarantine`: a worker process for invocations that were lost repeatedly, away from all others.

Whatever runs in a worker process when it dies is lost with it, the guilty and the innocent alike. To tell them apart,
an invocation that was lost `SUSPECT_AFTER_LOSSES` times runs here with a few others like it, and after one more loss
alone. Only one that was alone when its process died is to blame. Everything else goes on meanwhile, elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from local_host.messages import AppLoadError, Failure, Invocation, InvocationLost, InvocationResult
from local_host.worker_process import Death, WorkerDied, WorkerProcess

SUSPECT_AFTER_LOSSES = 2
ALONE_AFTER_LOSSES = 3
TOGETHER = 16
_STOP_GRACE_S = 0.5


class Quarantine:
    """Has a process while there are suspects.

    `start` returns a process that has loaded the app; `died` hears of each that dies.
    """

    def __init__(self, start: Callable[[], Awaitable[WorkerProcess]], died: Callable[[Death], None]) -> None:
        self._start = start
        self._died = died
        self._room = _Room(TOGETHER)
        self._starting = asyncio.Lock()
        self._inside = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._process: WorkerProcess | None = None

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run a suspect; the `InvocationLost` of one that dies says whether it was alone."""
        alone = invocation.losses >= ALONE_AFTER_LOSSES
        self._inside += 1
        try:
            async with self._room.places(TOGETHER if alone else 1):
                return await (await self._living()).invoke(invocation)
        except InvocationLost as lost:
            raise InvocationLost(str(lost), alone=alone) from None
        except (OSError, WorkerDied, AppLoadError) as error:
            text = f"Its worker process died {invocation.losses} times, and none could be started to run it apart"
            return InvocationResult(failure=Failure("WorkerLost", f"{text}: {error}", ""))
        finally:
            self._inside -= 1
            if not self._inside:
                self._release()

    async def close(self) -> None:
        """End what is left."""
        self._release()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _living(self) -> WorkerProcess:
        async with self._starting:
            if self._process is None or self._process.has_ended:
                self._process = await self._start()
                self._in_background(self._watch(self._process))
            return self._process

    async def _watch(self, process: WorkerProcess) -> None:
        death = await process.end()
        if not process.is_stopping:
            self._died(death)

    def _release(self) -> None:
        """Stop the process, which nobody needs any more."""
        process, self._process = self._process, None
        if process is not None and not process.has_ended:
            self._in_background(process.stop(_STOP_GRACE_S))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Room:
    """A number of places, taken in the order in which they are asked for."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._door = asyncio.Lock()

    @asynccontextmanager
    async def places(self, count: int) -> AsyncIterator[None]:
        """Hold so many places."""
        taken = 0
        try:
            async with self._door:
                while taken < count:
                    await self._free.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._free.release()
