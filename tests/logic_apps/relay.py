"""What stands between a logic app and the app in the tests: it asks for the function key, as Azure does and the local
host does not, and it does to chosen requests what networks and overloaded services do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Literal, Self

import aiohttp
from aiohttp import web
from yarl import URL

KEY = "a-function-key"
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})


@dataclass(frozen=True)
class Seen:
    """A request that came to the relay, and how it was answered; status 0 is a cut connection."""

    method: str
    path: str
    headers: dict[str, str]
    status: int


@dataclass
class Fault:
    """What becomes of the first `times` requests that fit: answered with a status instead of being passed on, or
    passed on and their answer `lost`."""

    fits: Callable[[web.Request], bool]
    status: int | Literal["lost"]
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict[str, str])


def starts(request: web.Request) -> bool:
    """Whether the request starts a run."""
    return request.method == "POST"


def polls(request: web.Request) -> bool:
    """Whether the request asks for a run."""
    return request.method == "GET"


class Relay:
    """Passes requests on to the app behind it, under its own URL."""

    def __init__(self, target: str) -> None:
        self.base_url = ""
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self._target = target
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None and self._session is not None:
            await self._runner.cleanup()
            await self._session.close()

    def requests(self, method: str) -> list[Seen]:
        """The requests with this method, in order."""
        return [seen for seen in self.seen if seen.method == method]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        fault = next((fault for fault in self.faults if fault.times > 0 and fault.fits(request)), None)
        if fault is not None:
            fault.times -= 1
        if request.headers.get("x-functions-key") != KEY:
            answer = web.Response(status=HTTPStatus.UNAUTHORIZED)
        elif fault is None or fault.status == "lost":
            answer = await self._passed_on(request, body)
        else:
            answer = web.Response(status=fault.status, headers=fault.headers)
        lost = fault is not None and fault.status == "lost"
        self.seen.append(Seen(request.method, request.path_qs, dict(request.headers), 0 if lost else answer.status))
        if lost and request.transport is not None:
            request.transport.abort()
        return answer

    async def _passed_on(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        kept = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            asyncio.timeout(60),
            self._session.request(
                request.method,
                URL(f"{self._target}{request.raw_path}", encoded=True),
                headers=kept,
                data=body,
                allow_redirects=False,
            ) as answer,
        ):
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=answer.status, headers=headers, body=await answer.read())
