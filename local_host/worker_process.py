"""`WorkerProcess`: the host's side of one worker process, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from local_host.channel import Channel, frame
from local_host.messages import (
    Answer,
    AppLoadError,
    AppToLoad,
    Invocation,
    InvocationLost,
    InvocationResult,
    LoadedApp,
    LoadedFunction,
)

_ROOT = Path(__file__).resolve().parent.parent
_DRAIN_LIMIT_S = 1.0
SIGNALS_OF_THE_HOST = frozenset({signal.SIGINT, signal.SIGTERM})
"""What reaches the whole group and is for the host, which stops its workers."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker process ended, what it had not answered then, and whether it had answered anything."""

    pid: int
    code: int
    unanswered: tuple[Invocation, ...] = ()
    was_of_use: bool = False

    def __str__(self) -> str:
        if self.code >= 0:
            return f"Worker process {self.pid} ended with exit code {self.code}"
        return f"Worker process {self.pid} was killed by {_signal_name(-self.code)}"


class WorkerDied(Exception):
    """The process died before it had loaded the app."""

    def __init__(self, death: Death) -> None:
        super().__init__(f"{death} while it loaded the app.")
        self.death = death


class WorkerProcess:
    """One process that loads an app and runs its functions.

    The constructor starts it, outside an event loop too, so that it loads while the host is still setting up.
    `OSError` says that there can be no more processes.
    """

    def __init__(self, app: AppToLoad) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _start(theirs)
            except OSError:
                self._connection.close()
                raise
        with contextlib.suppress(OSError):  # it has died already, which is told by `load`
            self._connection.sendall(frame(app))
        self._channel = Channel(self._take, self._hung_up)
        self._calls: dict[str, tuple[Invocation, asyncio.Future[InvocationResult]]] = {}
        self._loaded: asyncio.Future[LoadedApp] | None = None
        self._ended: asyncio.Future[Death] | None = None
        self._code: int | None = None
        self._is_lost = False
        self.is_stopping = False
        self._answered = 0
        self._own_ids: dict[str, str] = {}
        self.functions: tuple[LoadedFunction, ...] = ()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def in_flight(self) -> int:
        """How many invocations it has not answered yet."""
        return len(self._calls)

    @property
    def taken(self) -> int:
        """How many invocations it was given."""
        return self._answered + len(self._calls)

    @property
    def has_ended(self) -> bool:
        """Whether it can take no more invocations."""
        return self._is_lost or self._code is not None

    async def load(self) -> list[LoadedFunction]:
        """Wait until it has loaded the app; raise `AppLoadError` when the app does not load, `WorkerDied` else."""
        loop = asyncio.get_running_loop()
        self._loaded = loop.create_future()
        await loop.create_connection(lambda: self._channel, sock=self._connection)
        self._ended = loop.create_future()
        threading.Thread(target=self._wait, args=(loop,), name=f"worker-{self.pid}", daemon=True).start()
        await asyncio.wait({self._loaded, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        if not self._loaded.done():
            raise WorkerDied(self._ended.result())
        app = self._loaded.result()
        if app.error is not None:
            self._process.kill()
            raise AppLoadError(app.error)
        self.functions = app.functions
        return list(app.functions)

    def answer_to(self, functions: Sequence[LoadedFunction]) -> list[str]:
        """Take invocations by these functions' ids from now on; return the names of those that it has not loaded."""
        own = {function.name: function.function_id for function in self.functions}
        self._own_ids = {function.function_id: own.get(function.name, function.name) for function in functions}
        return [function.name for function in functions if function.name not in own]

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run a function; raise `InvocationLost` when the process dies in the middle of it."""
        if self._ended is not None and self._ended.done():
            raise InvocationLost(f"{self._ended.result()}.")
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self._calls[invocation.invocation_id] = (invocation, answer)
        own_id = self._own_ids.get(invocation.function_id, invocation.function_id)
        try:
            self._channel.send(
                invocation if own_id == invocation.function_id else replace(invocation, function_id=own_id)
            )
            return await answer
        finally:
            self._calls.pop(invocation.invocation_id, None)

    async def end(self) -> Death:
        """Wait for its end."""
        assert self._ended is not None, "the process was never waited for by `load`"  # noqa: S101
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float) -> None:
        """Tell it to end and see to it that it has."""
        if self._ended is None:
            self.kill()
            return
        self.is_stopping = True
        self._channel.close()
        await asyncio.wait({self._ended}, timeout=grace_s)
        if not self._ended.done():
            self._process.kill()
            await self._ended

    def kill(self) -> None:
        """End it at once, outside an event loop too."""
        if self._ended is None:
            self._connection.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        code = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the host is gone
            loop.call_soon_threadsafe(self._exited, code, loop)

    def _exited(self, code: int, loop: asyncio.AbstractEventLoop) -> None:
        self._code = code
        if self._is_lost:
            self._finish(code)
        else:
            # What it had sent is still to be read. A process that it forked may keep the channel from its end.
            loop.call_later(_DRAIN_LIMIT_S, self._channel.close)

    def _hung_up(self) -> None:
        self._is_lost = True
        if self._code is not None:
            self._finish(self._code)
        elif not self.is_stopping:
            self._process.kill()  # of no use without a channel, and dead already unless the app closed it

    def _finish(self, code: int) -> None:
        death = Death(self.pid, code, tuple(invocation for invocation, _ in self._calls.values()), self._answered > 0)
        if self._ended is not None:
            self._ended.set_result(death)
        for _, answer in self._calls.values():
            if not answer.done():
                answer.set_exception(InvocationLost(f"{death}."))

    def _take(self, message: LoadedApp | Answer) -> None:
        if isinstance(message, LoadedApp):
            if self._loaded is not None:
                self._loaded.set_result(message)
            return
        self._answered += 1
        _, answer = self._calls.get(message.invocation_id, (None, None))
        if answer is not None and not answer.done():
            answer.set_result(message.result)


def _start(channel: socket.socket) -> subprocess.Popen[bytes]:
    with _signals_held_back():
        return subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-m", f"{__package__}.worker_main", str(channel.fileno())],
            pass_fds=[channel.fileno()],
            cwd=_ROOT,
        )


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let a process start with signals blocked, until it can leave them to the host."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS_OF_THE_HOST)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
