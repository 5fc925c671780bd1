"""A small HTTP client for the tests: no redirects, no exceptions for 4xx and 5xx."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def call(method: str, url: str, data: object = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request; data that is not bytes goes as JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    all_headers = dict(headers or {})
    body = data if isinstance(data, bytes) or data is None else json.dumps(data).encode()
    if body is not None and not isinstance(data, bytes):
        all_headers.setdefault("Content-Type", "application/json")
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, all_headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def eventually[T](look: Callable[[], T], *, limit_s: float = 10.0) -> T:
    """Return the first true value of `look`; fail when none comes in time."""
    deadline = time.monotonic() + limit_s
    while not (seen := look()):
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.01)
    return seen
