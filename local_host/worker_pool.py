"""`WorkerPool`: the app in worker processes, of which any may die."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from local_host.messages import (
    AppLoadError,
    AppToLoad,
    Failure,
    Invocation,
    InvocationResult,
    LoadedFunction,
)
from local_host.quarantine import ALONE_AFTER_LOSSES, COMPANY, SUSPECT_AFTER_LOSSES, Quarantine
from local_host.worker_process import Death, WorkerDied, WorkerProcess
from local_host.worker_slot import MOST_FAILED_STARTS, WorkerSlot

_LOGGER = logging.getLogger(__name__)
_STOP_GRACE_S = 0.5


class WorkerPool:
    """A `Worker` of several processes, each of which has loaded the whole app.

    An invocation goes to the process with the fewest; one that was lost repeatedly goes to a quarantine.
    """

    def __init__(self, count: int, log_levels: Mapping[str, str], *, verbose: bool = False) -> None:
        self._count = count
        self._log_levels = log_levels
        self._verbose = verbose
        self._app: AppToLoad | None = None
        self._slots: list[WorkerSlot] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._quarantines = {
            losses: Quarantine(places, self._start_apart, self._report) for losses, places in COMPANY.items()
        }
        self._functions: dict[str, LoadedFunction] = {}
        self._ready: list[WorkerProcess] = []
        self._joined = asyncio.Event()
        self._slots_left = count
        self._last_failure = ""
        self._gone = asyncio.Event()
        self._serves = False
        self._is_ending = False

    @property
    def pids(self) -> list[int]:
        """The process ids of those that have loaded the app."""
        return [process.pid for process in self._ready]

    def begin(self, app_dir: str) -> None:
        """Start the processes, which load the app meanwhile; raise `AppLoadError` when there can be none.

        `load` does it if nobody has.
        """
        if self._app is None:
            self._app = AppToLoad(app_dir, self._log_levels, self._verbose)
            try:
                self._slots.extend(WorkerSlot(self._app, self) for _ in range(self._count))
            except OSError as error:
                raise AppLoadError(f"The worker processes could not be started: {error}.") from error

    async def load(self, app_dir: str) -> list[LoadedFunction]:
        """Wait until every process has loaded the app, and return its functions.

        Raise `AppLoadError` when it does not load, or when no process lives long enough to load it.
        """
        self.begin(app_dir)
        self._keepers = [asyncio.create_task(slot.keep()) for slot in self._slots]
        await asyncio.gather(*(slot.settled.wait() for slot in self._slots))
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()
        if self._gone.is_set():
            raise AppLoadError(self._last_failure)
        self._serves = True
        return list(self._functions.values())

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one function to its end. A failing function is a `Failure`, never an exception.

        Raise `InvocationLost` when its process died in the middle of it.
        """
        if invocation.losses >= SUSPECT_AFTER_LOSSES and not self._is_ending:
            return await self._quarantines[min(invocation.losses, ALONE_AFTER_LOSSES)].invoke(invocation)
        process = await self._least_busy()
        if process is None:
            return InvocationResult(failure=Failure("WorkerClosed", "There is no worker process to run it", ""))
        return await process.invoke(invocation)

    async def gone(self) -> None:
        """Return when no process is left and none will be started."""
        await self._gone.wait()

    def expect_the_end(self) -> None:
        """Replace no process from now on, and report none: the host is about to stop."""
        self._is_ending = True
        self._joined.set()
        for keeper in self._keepers:
            keeper.cancel()

    async def close(self) -> None:
        """Stop taking calls and end every process, by force if need be."""
        self.expect_the_end()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        processes = [slot.process for slot in self._slots if slot.process is not None]
        stops = [quarantine.close() for quarantine in self._quarantines.values()]
        await asyncio.gather(*stops, *(process.stop(_STOP_GRACE_S) for process in processes))

    def kill(self) -> None:
        """End every process at once, outside an event loop too."""
        for slot in self._slots:
            if slot.process is not None:
                slot.process.kill()

    def joined(self, process: WorkerProcess) -> None:
        """Let a process take invocations."""
        if not self._functions:
            self._functions = {function.function_id: function for function in process.functions}
        missing = process.answer_to(tuple(self._functions.values()))
        if missing:
            _LOGGER.warning(
                "The app in worker process %d has no function named %s: it has changed. Start the local host anew.",
                process.pid,
                ", ".join(map(repr, missing)),
            )
        if self._serves:
            _LOGGER.warning("Worker process %d has loaded the app and takes over.", process.pid)
        self._ready.append(process)
        self._joined.set()

    def left(self, process: WorkerProcess, death: Death) -> None:
        """Take a dead process out."""
        self._ready.remove(process)
        self._report(death)

    def failed_to_start(self, reason: str, *, gives_up: bool) -> None:
        """Report a process that did not load the app."""
        self._last_failure = reason
        if self._is_ending:
            return
        if not gives_up:
            _LOGGER.error("%s\nAnother worker process is started.", reason)
            return
        self._slots_left -= 1
        _LOGGER.error(
            "%s\nNo more is started in its place after %d that did not load the app; places left: %d.",
            reason,
            MOST_FAILED_STARTS,
            self._slots_left,
        )
        if not self._slots_left:
            self._gone.set()
            self._joined.set()

    async def _least_busy(self) -> WorkerProcess | None:
        while not (self._is_ending or self._gone.is_set()):
            living = [process for process in self._ready if not process.has_ended]
            if living:
                return min(living, key=lambda process: (process.in_flight, process.taken))
            self._joined.clear()
            await self._joined.wait()
        return None

    async def _start_apart(self) -> WorkerProcess:
        for _ in range(MOST_FAILED_STARTS - 1):
            try:
                return await self._start_one_apart()
            except WorkerDied as died:
                _LOGGER.error("%s\nAnother worker process is started.", died)  # noqa: TRY400 - the message says it all
        return await self._start_one_apart()

    async def _start_one_apart(self) -> WorkerProcess:
        assert self._app is not None, "nothing runs apart before the app is loaded"  # noqa: S101
        process = WorkerProcess(self._app)
        try:
            await process.load()
        except BaseException:
            process.kill()
            raise
        process.answer_to(tuple(self._functions.values()))
        return process

    def _report(self, death: Death) -> None:
        if self._is_ending:
            return
        again = sum(self._runs_again(invocation) for invocation in death.unanswered)
        lost = len(death.unanswered) - again
        _LOGGER.error("%s. Work items handed out again: %d, other calls lost: %d.", death, again, lost)

    def _runs_again(self, invocation: Invocation) -> bool:
        function = self._functions.get(invocation.function_id)
        return function is not None and function.is_durable and invocation.losses < ALONE_AFTER_LOSSES
