"""Cross-origin requests, by the `Host.CORS` setting of local.settings.json."""

from __future__ import annotations

from aiohttp import web

from local_host.settings import Cors

_PREFLIGHT_AGE_S = "600"


class CorsPolicy:
    """Adds the headers that let a browser read an answer."""

    def __init__(self, settings: Cors) -> None:
        self._settings = settings

    def preflight(self, request: web.Request) -> web.Response | None:
        """Return the answer to a browser's question of whether it may call; None when this is no such question."""
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or asked is None or self._allowed(request) is None:
            return None
        headers = {"Access-Control-Allow-Methods": asked, "Access-Control-Max-Age": _PREFLIGHT_AGE_S}
        wanted = request.headers.get("Access-Control-Request-Headers")
        if wanted:
            headers["Access-Control-Allow-Headers"] = wanted
        response = web.Response(status=204, headers=headers)
        self.apply(request, response)
        return response

    def apply(self, request: web.Request, response: web.StreamResponse) -> None:
        """Say that the request's origin may read the response, if it may."""
        allowed = self._allowed(request)
        if allowed is None or response.prepared:
            return
        response.headers["Access-Control-Allow-Origin"] = allowed
        if allowed != "*":
            response.headers.add("Vary", "Origin")
        if self._settings.credentials:
            response.headers["Access-Control-Allow-Credentials"] = "true"

    def _allowed(self, request: web.Request) -> str | None:
        origin = request.headers.get("Origin")
        if origin is None:
            return None
        if "*" in self._settings.origins:
            return origin if self._settings.credentials else "*"
        return origin if origin.rstrip("/") in self._settings.origins else None
