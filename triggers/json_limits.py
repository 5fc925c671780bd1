"""What a JSON text may hold, checked on its bytes before anything is parsed.

Parsing and checking cost time and memory by the number of values, and a stack by their depth; a scan by a regular
expression costs neither. It takes any bytes: what is not JSON at all is for the parser to say.
"""

from __future__ import annotations

import re
from itertools import accumulate

MAX_TOKENS = 100_000
"""Strings, commas and opening brackets. A thousand documents have 7,000."""
MAX_DEPTH = 100
"""Lists and objects in one another. An output schema may have 64 levels, and stands in five."""

_STRING = rb'"(?:[^"\\]++|\\.)*+"?+'
_TOO_MANY = re.compile(rb'(?:[^",\[{]*+(?:%s|[,\[{])){%d}+' % (_STRING, MAX_TOKENS + 1), re.DOTALL)
_STRINGS = re.compile(_STRING, re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _OPENING + _CLOSING)
_STEPS = {**dict.fromkeys(_OPENING, 1), **dict.fromkeys(_CLOSING, -1)}


def has_too_many_tokens(text: bytes) -> bool:
    """Whether `text` has more than `MAX_TOKENS`; the scan ends there."""
    return _TOO_MANY.match(text) is not None


def is_too_deep(text: bytes) -> bool:
    """Whether lists and objects stand in one another more than `MAX_DEPTH` deep."""
    brackets = _STRINGS.sub(b"", text).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets), initial=0)) > MAX_DEPTH
