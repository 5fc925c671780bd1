"""`Quarantine`: a worker process for invocations that were lost repeatedly, away from all others.

Whatever runs in a worker process when it dies is lost with it, the guilty and the innocent alike. To tell them apart,
an invocation that was lost repeatedly runs in ever smaller company (`COMPANY`), and at last alone. Only one that was
alone when its process died is to blame. Everything else goes on meanwhile, elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from local_host.messages import AppLoadError, Failure, Invocation, InvocationLost, InvocationResult
from local_host.worker_process import Death, WorkerDied, WorkerProcess

COMPANY = {2: 16, 3: 4, 4: 1}
"""By its losses, how many invocations at most are in a process with a suspect, itself included."""
SUSPECT_AFTER_LOSSES = min(COMPANY)
ALONE_AFTER_LOSSES = max(COMPANY)
_STOP_GRACE_S = 0.5


class Quarantine:
    """Has a process while there are suspects, of which so many run at a time as it has places.

    `start` returns a process that has loaded the app; `died` hears of each that dies.
    """

    def __init__(
        self, places: int, start: Callable[[], Awaitable[WorkerProcess]], died: Callable[[Death], None]
    ) -> None:
        self._places = asyncio.Semaphore(places)
        self._alone = places == 1
        self._start = start
        self._died = died
        self._starting = asyncio.Lock()
        self._inside = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._process: WorkerProcess | None = None

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run a suspect; the `InvocationLost` of one that dies says whether it was alone."""
        self._inside += 1
        try:
            async with self._places:
                return await (await self._living()).invoke(invocation)
        except InvocationLost as lost:
            raise InvocationLost(str(lost), alone=self._alone) from None
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
