"""Continuation tokens: the task hub's own, wrapped for URLs and bound to the filters that they go on with.

A token holds no authority: whoever makes one up gets at most another start in the list that the same request without
a token begins.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re

MAX_TOKEN_CHARS = 4_000

_URL_SAFE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_TOKEN_CHARS}}}")


def wrapped(hub_token: str, filters: str) -> str:
    """The token for callers; `filters` are the request's, in a form of their own."""
    text = json.dumps([hub_token, _check(hub_token, filters)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unwrapped(token: str, filters: str) -> str | None:
    """The task hub's token in one of ours; None for what is none, or goes on with other filters."""
    if _URL_SAFE.fullmatch(token) is None:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    match told:
        case [str(hub_token), str(check)] if (
            hub_token and hub_token.isprintable() and check == _check(hub_token, filters)
        ):
            return hub_token
        case _:
            return None


def _check(hub_token: str, filters: str) -> str:
    return hashlib.sha256(json.dumps([hub_token, filters]).encode()).hexdigest()[:16]
