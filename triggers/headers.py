"""The headers of every answer. Imports nothing slow: health, the first request of a cold start, has them too."""

from __future__ import annotations

from collections.abc import Mapping

import azure.functions as func

SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer, unless its handler says otherwise, as one that answers with a page has to.

For a JSON API by the OWASP REST Security Cheat Sheet: an answer is never rendered, framed, guessed at or kept.
"""


def secured(response: func.HttpResponse) -> func.HttpResponse:
    """`response` with the `SECURITY_HEADERS` that it does not have."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response
