"""`running_host`: the local host as a process of its own, for tests and benchmarks."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent

_READY = re.compile(r"^Host ready in (?P<seconds>[\d.]+) s: http://localhost:(?P<port>\d+)$")
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0


class HostProcessError(AssertionError):
    """The host did not start, did not stop in time, or ended with an exit code other than 0."""


class running_host:  # noqa: N801 - used like a function: `with running_host(app_dir) as host:`
    """Runs `python -m local_host start` on an app and a free port, until the end of the block.

    A context manager, synchronous and asynchronous. Leaving it stops the process by SIGTERM and checks that it ended
    with exit code 0. `env` is added to this process's environment; a value of None takes a variable away.
    `python` and `root` are the interpreter and the folder above `local_host`, if not those of this process.
    """

    def __init__(
        self,
        app_dir: Path | str = ROOT,
        *,
        env: Mapping[str, str | None] | None = None,
        args: Sequence[str] = (),
        python: Path | str = sys.executable,
        root: Path = ROOT,
    ) -> None:
        self._app_dir = Path(app_dir)
        self._python = python
        self._root = root
        self._env = env or {}
        self._args = args
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._changed = threading.Condition()
        self._ended = False
        self.stop_limit_s = _STOP_LIMIT_S
        self.lines: list[str] = []
        self.base_url = ""
        self.ready_s = 0.0
        """What the host says it took from the start of its process until it served."""

    @property
    def pid(self) -> int:
        """The process id of the host."""
        return self._running().pid

    @property
    def worker_pids(self) -> list[int]:
        """The process ids of the living worker processes, those that run suspects apart among them; from /proc."""
        children = [
            int(pid)
            for listed in Path(f"/proc/{self.pid}/task").glob("*/children")
            for pid in listed.read_text().split()
        ]
        return sorted(pid for pid in children if _is_worker(pid))

    @property
    def output(self) -> str:
        """Everything that the host has printed and logged so far."""
        return "\n".join(self.lines)

    def start(self) -> Self:
        """Start the process and wait until it serves."""
        command = [str(self._python), "-m", "local_host", "start", "--port", "0", "--app-dir", str(self._app_dir)]
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            [*command, *self._args],
            cwd=self._root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name="host-output", daemon=True)
        self._reader.start()
        try:
            ready = self.wait_for_line(_READY, limit_s=_START_LIMIT_S)
        except HostProcessError:
            self._end(signal.SIGKILL)
            raise
        self.base_url = f"http://127.0.0.1:{ready['port']}"
        self.ready_s = float(ready["seconds"])
        return self

    def stop(self) -> None:
        """Stop the process and check that it ended well; once is enough."""
        code = self._end(signal.SIGTERM)
        self._process = None
        if code != 0:
            raise HostProcessError(f"The host ended with exit code {code}.\n{self.output}")

    def kill(self) -> None:
        """End the process as a crash would; the end of the block then expects nothing of it."""
        self._end(signal.SIGKILL)
        self._process = None

    def kill_worker(self, pid: int) -> None:
        """Kill a worker process as `kill -9` does, and wait until the host has noticed."""
        os.kill(pid, signal.SIGKILL)
        self.wait_for_line(f"Worker process {pid} was killed by SIGKILL")

    def wait_for_line(self, pattern: str | re.Pattern[str], *, limit_s: float = 10.0) -> re.Match[str]:
        """Wait until a line of the output holds the pattern, and return the match."""
        compiled = re.compile(pattern)
        found: list[re.Match[str]] = []

        def look() -> bool:
            found.extend(match for line in self.lines if (match := compiled.search(line)))
            return bool(found) or self._ended

        with self._changed:
            self._changed.wait_for(look, limit_s)
        if not found:
            what = "ended" if self._ended else f"said nothing of the kind for {limit_s:g} s"
            raise HostProcessError(f"No line held {compiled.pattern!r}: the host {what}.\n{self.output}")
        return found[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(error)

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._leave, error)

    def _leave(self, error: BaseException | None) -> None:
        if self._process is None:
            return
        if error is None:
            self.stop()
            return
        self._end(signal.SIGTERM)
        error.add_note(f"Output of the host:\n{self.output}")

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise HostProcessError("The host is not running.")
        return self._process

    def _environment(self) -> dict[str, str]:
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **self._env}
        return {name: value for name, value in env.items() if value is not None}

    def _read(self) -> None:
        stream = self._running().stdout
        while stream is not None and (line := stream.readline()):
            self._tell(lambda line=line: self.lines.append(line.rstrip("\n")))
        self._tell(lambda: setattr(self, "_ended", True))

    def _tell(self, change: Callable[[], object]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _end(self, how: signal.Signals) -> int:
        process = self._running()
        process.send_signal(how)
        try:
            code = process.wait(self.stop_limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise HostProcessError(f"The host did not stop within {self.stop_limit_s:g} s.\n{self.output}") from None
        finally:
            if self._reader is not None:
                self._reader.join(_STOP_LIMIT_S)
            if process.stdout is not None:
                process.stdout.close()
        return code


def _is_worker(pid: int) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has just ended
        return False
    return b"local_host.worker_main" in arguments
