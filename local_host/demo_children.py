"""The demo's child processes: started, waited for by their own words, and stopped by their ids."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local_host.offline_child import offline_settings

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 30.0
STOP_LIMIT_S = 5.0
KEPT_LINES = 200
SHOWN_LINES = 30


class ChildFailed(Exception):
    """A child process did not get ready; the message has its last lines."""


class Child:
    """`python -m local_host …` as a process of its own, with the lines it printed."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.process = process
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name=f"{name}-output", daemon=True)
        self._reader.start()

    @property
    def last_lines(self) -> str:
        """The end of its output, for a reader who wants to know what went wrong."""
        with self._news:
            return "\n".join(list(self._lines)[-SHOWN_LINES:])

    def wait_for(self, pattern: str, limit_s: float = START_LIMIT_S) -> re.Match[str]:
        """The first match in its output; raise `ChildFailed` when it ends or `limit_s` pass without one."""
        deadline = time.monotonic() + limit_s
        with self._news:
            while (match := self._found(pattern)) is None:
                left_s = deadline - time.monotonic()
                if self._ended or left_s <= 0:
                    break
                self._news.wait(left_s)
        if match is not None:
            return match
        why = f"did not get ready within {limit_s:g} s"
        if self._ended:
            why = f"ended with exit code {self.process.wait()} before it was ready"
        raise ChildFailed(f"The {self.name} {why}. Its last lines:\n{self.last_lines}")

    def stop(self) -> None:
        """Ask it to stop by closing its standard input, and see to it that it has."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(STOP_LIMIT_S)

    def _read(self) -> None:
        output = self.process.stdout
        if output is not None:
            with output:
                for line in output:
                    self._add(line.rstrip("\n"))
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _add(self, line: str) -> None:
        with self._news:
            self._lines.append(line)
            self._news.notify_all()

    def _found(self, pattern: str) -> re.Match[str] | None:
        return next((match for line in self._lines if (match := re.search(pattern, line))), None)


@contextmanager
def child(name: str, *arguments: str, env: Mapping[str, str]) -> Iterator[Child]:
    """Run `python -m local_host ARGUMENTS` in the app's folder; stop it at the end, whatever happens.

    It also stops when this process is killed, because that closes its standard input.
    """
    process = subprocess.Popen(  # noqa: S603 our own interpreter and module
        [sys.executable, "-u", "-m", "local_host", *arguments, "--end-with-stdin"],
        cwd=ROOT,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a Ctrl-C is for the demo, which stops its children in order
    )
    started = Child(name, process)
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def offline_model(env: Mapping[str, str], *options: str) -> Iterator[str]:
    """An offline model on a free port; yields its base URL."""
    with child("offline model", "offline-model", "--port", "0", *options, env=env) as model:
        yield model.wait_for(r"Offline model on (\S+)")[1]


@contextmanager
def host(env: Mapping[str, str]) -> Iterator[str]:
    """The app on the local host, on a free port; yields the URL of its API."""
    with child("local host", "start", "--port", "0", env=env) as started:
        started.wait_for(r"Host ready")
        yield started.wait_for(r"(https?://\S+)/health\b")[1]


def environment_for(model_url: str, env: Mapping[str, str]) -> dict[str, str]:
    """`env` with the offline model as the app's model, reached without any proxy."""
    return {**env, **offline_settings(model_url, env)}


def app_environment() -> dict[str, str]:
    """What the app will see: this process's environment, and the values of local.settings.json that it lacks."""
    from local_host.settings import load_settings

    env = dict(os.environ)
    load_settings(ROOT, env)
    return env
