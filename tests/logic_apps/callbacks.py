"""The callback URLs that Logic Apps gives out: a server that takes one POST for each."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Self
from urllib.parse import quote

from aiohttp import web

from tests.logic_apps.sending import Reply


class CallbackServer:
    """Serves callback URLs on a free port of this machine. They are signed in their query, as the real ones are."""

    def __init__(self) -> None:
        self.base_url = ""
        self.arrived: list[tuple[str, dict[str, str]]] = []
        """The body and the headers of everything that was posted to a URL of ours, in order."""
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def new(self, run_name: str, action: str) -> tuple[str, asyncio.Future[Reply]]:
        """A URL, and what is posted to it."""
        path = f"/workflows/0/runs/{run_name}/actions/{quote(action)}/run"
        url = f"{self.base_url}{path}?api-version=2016-10-01&sp=%2Fruns%2Frun&sv=1.0&sig=SECRET-{len(self._waiting)}"
        future = asyncio.get_running_loop().create_future()
        self._waiting[url] = future
        return url, future

    async def _take(self, request: web.Request) -> web.Response:
        waiting = self._waiting.get(f"{self.base_url}{request.raw_path}")
        if waiting is None:
            return web.Response(status=401)
        text = await request.text()
        body = json.loads(text) if request.content_type.endswith("json") else text
        reply = Reply(200, request.headers.copy(), body)
        self.arrived.append((text, dict(request.headers)))
        if waiting.done():
            return web.Response(status=404)
        waiting.set_result(reply)
        return web.Response(status=200)
