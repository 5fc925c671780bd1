"""The HTTP side of the host: functions under their routes, the management API, and a few pages of the host."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from socket import socket
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web
from multidict import CIMultiDict

from local_host.app_functions import AppFunctions, HttpFunction
from local_host.cors import CorsPolicy
from local_host.host_pages import HostPages
from local_host.invoker import Invoker
from local_host.messages import HttpRequestValue, HttpResponseValue
from local_host.routes import Route, RouteTable

MANAGEMENT_PATH = ("runtime", "webhooks", "durabletask")

_LOGGER = logging.getLogger(__name__)
_MAX_BODY_BYTES = 100 * 1024 * 1024
_MAX_HEADER_BYTES = 64 * 1024
_STOP_GRACE_S = 0.3
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()-]*)(?::[0-9]{1,5})?")
_ENCODED_SLASH = re.compile(r"(%2F)", re.IGNORECASE)
# aiohttp writes these itself, from the body that it sends.
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive"})


class ManagementHandler(Protocol):
    """Answers the requests under the management path."""

    async def handle(self, request: web.Request, path: Sequence[str]) -> web.StreamResponse:
        """Answer one request; `path` is what follows the management path, decoded."""
        ...


class HttpServer:
    """Serves one app on a socket that is bound already."""

    def __init__(
        self,
        functions: AppFunctions,
        invoker: Invoker,
        management: ManagementHandler,
        pages: HostPages,
        cors: CorsPolicy,
    ) -> None:
        self._table = RouteTable(Route(http.template, frozenset(http.methods), http) for http in functions.http)
        self._invoker = invoker
        self._management = management
        self._pages = pages
        self._cors = cors
        self._runner: web.AppRunner | None = None

    async def start(self, listener: socket) -> None:
        """Begin to answer requests."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=_STOP_GRACE_S,
            auto_decompress=False,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        """Stop answering; requests in work get a moment to end."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        preflight = self._cors.preflight(request)
        if preflight is not None:
            return preflight
        try:
            response = await self._route(request)
        except web.HTTPException as error:
            response = web.Response(status=error.status)
        except asyncio.CancelledError:
            raise
        except Exception:
            if request.transport is None or request.transport.is_closing():
                _LOGGER.debug("The client of %s %s went away", request.method, request.path)
            else:
                _LOGGER.exception("%s %s could not be answered", request.method, request.path)
            response = web.Response(status=500)
        self._cors.apply(request, response)
        return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if not is_host(request.headers.get("Host", "")):
            return web.Response(status=400)
        segments = path_segments(request.raw_path)
        path = [unquote(segment) for segment in segments]
        lowered = tuple(segment.lower() for segment in path[: len(MANAGEMENT_PATH)])
        if lowered == MANAGEMENT_PATH:
            return await self._management.handle(request, path[len(MANAGEMENT_PATH) :])
        if lowered[:1] == ("admin",):
            return await self._pages.admin(request, path[1:])
        found = self._find(request.method, [_route_value(segment) for segment in segments])
        if found is not None:
            route, values = found
            method = request.method if route.serves(request.method) else "GET"
            return await self._call(request, route.target, method, values)
        if not path and request.method in {"GET", "HEAD"}:
            return self._pages.welcome()
        return web.Response(status=404)

    def _find(self, method: str, path: Sequence[str]) -> tuple[Route[HttpFunction], dict[str, str]] | None:
        """Find the function of a request; HEAD, unless declared, is answered where GET is, as HTTP asks of servers."""
        found = self._table.find(method, path)
        return self._table.find("GET", path) if found is None and method == "HEAD" else found

    async def _call(
        self, request: web.Request, http: HttpFunction, method: str, route_params: dict[str, str]
    ) -> web.StreamResponse:
        value = HttpRequestValue(
            method=method,
            url=f"{request.scheme}://{request.headers.get('Host') or request.host}{_target(request.raw_path)}",
            headers=_joined((name.lower(), text) for name, text in request.headers.items()),
            query=query_parameters(request.raw_path),
            route_params=route_params,
            body=await request.read(),
        )
        return _web_response(await self._invoker.respond(http.function, value))


def is_host(header: str) -> bool:
    """Whether this can be a `Host` header: Kestrel, which is before the Functions host, answers 400 to any other."""
    return _HOST.fullmatch(header) is not None


def path_segments(raw_path: str) -> list[str]:
    """Return the segments of a request's path as they were sent; a slash at the end makes no segment of its own."""
    path = _target(raw_path).partition("?")[0].partition("#")[0]
    segments = path.removeprefix("/").split("/")
    if segments[-1] == "":
        segments.pop()
    return segments


def _route_value(segment: str) -> str:
    """Decode a segment as ASP.NET does, which leaves an encoded slash alone."""
    return "".join(part if part.lower() == "%2f" else unquote(part) for part in _ENCODED_SLASH.split(segment))


def query_parameters(raw_path: str) -> dict[str, str]:
    """Return the query parameters as the Functions host does: values of equal names, in any case, are joined."""
    query = _target(raw_path).partition("?")[2]
    return _joined(parse_qsl(query, keep_blank_values=True))


def _target(raw_path: str) -> str:
    """Return the path and query of a request line, which may hold a whole URL."""
    if raw_path.startswith("/"):
        return raw_path
    parts = urlsplit(raw_path)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    spellings: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in pairs:
        spelling = spellings.setdefault(name.lower(), name)
        values[spelling] = f"{values[spelling]},{value}" if spelling in values else value
    return values


def _web_response(value: HttpResponseValue) -> web.Response:
    headers = CIMultiDict((name, text) for name, text in value.headers.items() if name.lower() not in _FRAMING_HEADERS)
    for cookie in value.cookies:
        headers.add("Set-Cookie", cookie)
    return web.Response(status=value.status, headers=headers, body=value.body)
