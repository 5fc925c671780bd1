"""The app under measurement: the local host and an offline model as processes of their own, and one client of both."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

LIMIT_S = 120.0
RUNNING = 202


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: seconds from sending its request to holding its result, and the result."""

    wall_s: float
    result: dict[str, Any]

    @property
    def stated_s(self) -> float:
        """Seconds from `started_at` to `ended_at`, as the run itself says."""
        return seconds_of(self.result)

    @property
    def branches_s(self) -> float:
        """Seconds that all branches took together, as their outcomes say."""
        return sum(seconds_of(outcome) for outcome in self.result["outcomes"])


def seconds_of(stated: dict[str, Any]) -> float:
    """From `started_at` to `ended_at`."""
    started, ended = (datetime.fromisoformat(stated[field]) for field in ("started_at", "ended_at"))
    return (ended - started).total_seconds()


class App:
    """The API of the app, and the admin pages of its model."""

    def __init__(self, api_url: str, model_url: str) -> None:
        self._api, self._model = Connection(api_url), Connection(model_url.removesuffix("/v1"))

    def run(self, route: str, body: dict[str, Any], *, least_s: float, poll_s: float) -> Measured:
        """Run to the result, asking for it every `poll_s`, but not before `least_s`: asking costs the host time."""
        request = json.dumps(body).encode()
        started = time.perf_counter()
        _, accepted = self._api.call("POST", f"/{route}", request)
        path = f"/runs/{accepted['id']}"
        time.sleep(max(0.0, started + least_s - time.perf_counter()))
        status, result = self._api.call("GET", path)
        while status == RUNNING:
            if time.perf_counter() - started > LIMIT_S:
                raise SystemExit(f"Run {accepted['id']!r} has no result after {LIMIT_S:g} s.")
            time.sleep(poll_s)
            status, result = self._api.call("GET", path)
        wall_s = time.perf_counter() - started
        if result["status"] != "succeeded":
            raise SystemExit(f"Run {accepted['id']!r} ended {result['status']}: {result['completion_reason']}")
        return Measured(wall_s, result)

    def reset(self, seed: int) -> None:
        """Count calls from zero; the model draws what they suffer from `seed`."""
        self._model.call("POST", f"/admin/reset?seed={seed}")

    def stats(self) -> dict[str, Any]:
        """What the model counted since the reset."""
        return self._model.call("GET", "/admin/stats")[1]

    def calls(self) -> list[dict[str, Any]]:
        """The model's calls since the reset, with their times in seconds."""
        return self._model.call("GET", "/admin/calls")[1]


class Connection:
    """One connection, kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = HTTPConnection("127.0.0.1", parts.port or 80, timeout=LIMIT_S)

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Status and JSON; ends the benchmark on any other answer than 200 and 202."""
        self._connection.request(method, f"{self._path}{path}", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        if response.status not in {200, RUNNING}:
            raise SystemExit(f"{method} {path} answered {response.status}: {text.decode('utf-8', 'replace')}")
        return response.status, json.loads(text)


@contextmanager
def running_app(*model_options: str) -> Iterator[App]:
    """The app with an offline model that was started with these options."""
    from local_host.demo_children import environment_for, host, offline_model

    with ExitStack() as stack:
        model_url = stack.enter_context(offline_model(os.environ, *model_options))
        yield App(stack.enter_context(host(environment_for(model_url, os.environ))), model_url)
