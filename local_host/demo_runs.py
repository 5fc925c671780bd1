"""A run of the demo over HTTP: started, watched by its view, and fetched."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from shared.contracts.run import RunResult, RunView

REQUESTS = Path(__file__).resolve().parent.parent / "samples" / "requests"
POLL_S = 0.1
CALL_LIMIT_S = 30.0
GRACE_S = 30.0

_open = build_opener(ProxyHandler({})).open


class RunFailed(Exception):
    """The API did not take a run, or lost it; the message says what it answered."""


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One run of the demo: a sample request and what it shows; `unit` is what its progress counts."""

    title: str
    about: str
    route: str
    request: str
    unit: str = "branches"

    @property
    def body(self) -> bytes:
        """The request as it is sent, byte for byte what `curl` would send."""
        return (REQUESTS / self.request).read_bytes()


def perform(api_url: str, run: DemoRun, watch: Callable[[RunView], None]) -> RunResult:
    """Start `run`, show each of its views to `watch`, and return its result."""
    accepted = call(f"{api_url}/{run.route}", run.body)
    give_up = time.monotonic() + _deadline_s(run) + GRACE_S
    view = RunView.model_validate(call(accepted["view_url"]))
    while view.phase != "done":
        watch(view)
        if time.monotonic() > give_up:
            raise RunFailed(f"Run {view.id!r} ({run.title}) is still {view.status} long after its deadline.")
        time.sleep(POLL_S)
        view = RunView.model_validate(call(accepted["view_url"]))
    watch(view)
    return RunResult.model_validate(call(accepted["status_url"]))


def call(url: str, body: bytes | None = None) -> Any:
    """The JSON that `url` answers with; POST when there is a body. Raise `RunFailed` on an error."""
    request = Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})  # noqa: S310
    try:
        with _open(request, timeout=CALL_LIMIT_S) as response:
            return json.load(response)
    except HTTPError as error:
        with error:
            text = error.read().decode("utf-8", "replace")
        raise RunFailed(f"{request.get_method()} {url} answered {error.code}: {_detail(text)}") from error
    except (URLError, OSError) as error:
        raise RunFailed(f"{request.get_method()} {url} was not answered: {error}") from error


def _detail(text: str) -> str:
    try:
        return json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        return text or "(no body)"


def _deadline_s(run: DemoRun) -> float:
    from shared.contracts.policy import RunPolicy

    return RunPolicy.model_validate(json.loads(run.body).get("policy", {})).deadline_s
