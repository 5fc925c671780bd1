"""A worker process: loads one app and runs its functions for the host, for as long as the host wants it.

`WorkerProcess` starts it as `python -m local_host.worker_main FD`, where FD is its end of the channel. Standard output
and error are the host's, so that what the app prints and logs appears there.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from local_host.channel import Channel, UnsendableError, frame
from local_host.in_process_worker import InProcessWorker
from local_host.log_output import configure_logging, write_lines_at_once
from local_host.messages import (
    Answer,
    AppLoadError,
    AppToLoad,
    Failure,
    Invocation,
    InvocationResult,
    LoadedApp,
)
from local_host.process_end import leave
from local_host.worker_process import SIGNALS_OF_THE_HOST

_LOGGER = logging.getLogger(__name__)
_END_LIMIT_S = 3
_LOOK_AGAIN_MS = 1000
_ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Serve the host until its end of the channel closes: because it says so, or because it is gone."""
    _leave_signals_to_the_host()
    faulthandler.enable()
    write_lines_at_once()
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)  # a process that the app starts must not keep the channel open
    worker = InProcessWorker()
    service = _Service(worker, connection.dup())
    asyncio.run_coroutine_threadsafe(service.connect(connection), worker.start()).result()
    if not service.wait_for_the_end():
        _LOGGER.error("The app has closed the files of its worker process, which ends")
        os._exit(1)
    signal.alarm(_END_LIMIT_S)  # ends the process by force, whatever the app does meanwhile
    # What the end cuts off is no failure of the app.
    logging.getLogger("local_host.in_process_worker").setLevel(logging.CRITICAL)
    asyncio.run(worker.close())
    return leave(0)


class _Service:
    """Does on the app's event loop what the host asks for, with no thread in between."""

    def __init__(self, worker: InProcessWorker, watched: socket.socket) -> None:
        self._worker = worker
        self._watched = watched
        self._channel = Channel(self._take, self._lost)
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, connection: socket.socket) -> None:
        """Begin to take messages."""
        await asyncio.get_running_loop().create_connection(lambda: self._channel, sock=connection)

    def wait_for_the_end(self) -> bool:
        """Return when the channel is closed, whatever the app's event loop is doing: False if the app has done it."""
        poll = select.poll()
        poll.register(self._watched, 0)  # a hang-up is told without being asked for
        # Who waits is not told that the app has closed what it waits for, and so looks again now and then.
        while not (seen := poll.poll(_LOOK_AGAIN_MS)):
            pass
        return not seen[0][1] & select.POLLNVAL

    def _lost(self) -> None:
        with contextlib.suppress(OSError):  # some systems refuse it when the other end is gone
            self._watched.shutdown(socket.SHUT_RDWR)

    def _take(self, message: AppToLoad | Invocation) -> None:
        work = self._load(message) if isinstance(message, AppToLoad) else self._run(message)
        self._begin(work)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load(self, app: AppToLoad) -> None:
        try:
            configure_logging(app.log_levels, verbose=app.verbose)
            _look_for_modules_of_the_app_only(app.app_dir)
            loaded = frame(LoadedApp(tuple(await self._worker.load_here(app.app_dir))))
        except AppLoadError as error:
            loaded = frame(LoadedApp(error=str(error)))
        except UnsendableError as error:
            loaded = frame(LoadedApp(error=f"The bindings of the app's functions cannot be read: {error}"))
        except Exception:  # noqa: BLE001 - the host waits for an answer
            loaded = frame(LoadedApp(error=traceback.format_exc()))
        self._channel.write(loaded)

    async def _run(self, invocation: Invocation) -> None:
        result = await self._worker.invoke_here(invocation)
        try:
            answer = frame(Answer(invocation.invocation_id, result))
        except Exception as error:  # noqa: BLE001 - the host waits for an answer
            name = self._worker.name_of(invocation.function_id)
            _LOGGER.error("What the function %r returned is lost. %s", name, error)  # noqa: TRY400
            failure = Failure("UnsendableResult", str(error) or repr(error), "")
            answer = frame(Answer(invocation.invocation_id, InvocationResult(failure=failure)))
        self._channel.write(answer)


def _leave_signals_to_the_host() -> None:
    """Ignore what a terminal or a supervisor sends to all processes of a group; the host stops its workers itself.

    By a handler, because processes that the app starts would inherit a signal that is ignored or blocked. The host
    starts this process with the signals blocked, so that none can come before the handler.
    """
    own_pid = os.getpid()

    def handler(number: int, _: object) -> None:
        if os.getpid() != own_pid:  # a process that the app has forked, which is to end as any other
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS_OF_THE_HOST:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS_OF_THE_HOST)


def _look_for_modules_of_the_app_only(app_dir: str) -> None:
    """Look for modules where the app's own worker would."""
    if str(_ROOT) != app_dir and sys.path and sys.path[0] in {str(_ROOT), ""}:
        # `python -m` put the folder that holds this package first: its modules are not the app's.
        del sys.path[0]
    packages = Path(app_dir) / ".python_packages" / "lib" / "site-packages"
    if packages.is_dir():
        sys.path.insert(0, str(packages))


if __name__ == "__main__":
    sys.exit(main())
