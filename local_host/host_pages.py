"""The host's own pages: the welcome page and the admin API, as far as one needs them on a laptop."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from local_host.app_functions import AppFunctions, binding_type
from local_host.invoker import Invoker
from local_host.messages import LoadedFunction, Value
from local_host.timer_triggers import timer_value

_WELCOME = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Your Functions app is up and running</title></head>
<body style="font-family: sans-serif; margin: 4em">
<h1>Your Functions app is up and running</h1>
<p>It runs on the local host, for development only. The functions and their URLs are in its output.</p>
</body>
</html>
"""


class HostPages:
    """Answers `GET /` and `/admin/…`."""

    def __init__(self, functions: AppFunctions, invoker: Invoker, started: float) -> None:
        self._functions = functions
        self._invoker = invoker
        self._started = started

    def welcome(self) -> web.Response:
        """Return the page that Functions shows at the root of a running app."""
        return web.Response(text=_WELCOME, content_type="text/html")

    async def admin(self, request: web.Request, path: Sequence[str]) -> web.Response:
        """Answer a request under `/admin`."""
        match request.method, [segment.lower() for segment in path]:
            case "GET" | "HEAD", ["host", "status"]:
                return web.json_response(self._status())
            case "POST" | "GET", ["host", "ping"]:
                return web.Response()
            case "GET", ["functions"]:
                return web.json_response(self._listing())
            case "POST", ["functions", _]:
                return await self._run(request, path[1])
        return web.Response(status=404)

    def _status(self) -> dict[str, Any]:
        return {
            "id": "localhost",
            "state": "Running",
            "version": "local_host",
            "processUptime": int((time.monotonic() - self._started) * 1000),
            "errors": [f"{name}: {reason}" for name, reason in sorted(self._functions.errors.items())],
        }

    def _listing(self) -> list[dict[str, Any]]:
        app = self._functions
        functions = [*(http.function for http in app.http), *app.durable, *app.timers, *app.not_run]
        return [{"name": f.name, "config": {"bindings": list(f.bindings)}} for f in functions]

    async def _run(self, request: web.Request, name: str) -> web.Response:
        function = self._functions.named(name)
        if function is None:
            return web.json_response({"error": f"There is no function {name!r} to run by hand."}, status=404)
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError as error:
            return web.json_response({"error": f"The body is not valid JSON: {error}."}, status=400)
        if not isinstance(body, dict):
            return web.json_response({"error": 'The body must be an object such as {"input": ""}.'}, status=400)
        result = await self._invoker.call(function, _trigger_value(function, body.get("input")))
        return web.Response(status=202 if result.failure is None else 500)


def _trigger_value(function: LoadedFunction, given: Any) -> Value:
    if binding_type(function.trigger) == "timertrigger":
        return timer_value()
    return Value("string", given if isinstance(given, str) else json.dumps(given))
