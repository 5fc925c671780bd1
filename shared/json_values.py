"""Which JSON values can be passed on: through history, over HTTP, and to another agent."""

from __future__ import annotations

from math import isfinite
from typing import cast

MAX_DEPTH = 64


def problem_with(value: object) -> str | None:
    """Why the parsed JSON `value` cannot be passed on; None when it can.

    Python's parser is more generous than the readers after it: it takes numbers too large for a float as infinity,
    halves of surrogate pairs as characters, and any depth.
    """
    stack: list[tuple[int, object]] = [(0, value)]
    while stack:
        depth, current = stack.pop()
        if depth > MAX_DEPTH:
            return f"nested deeper than {MAX_DEPTH} levels"
        if isinstance(current, dict):
            members = cast(dict[str, object], current)
            stack.extend((depth + 1, member) for pair in members.items() for member in pair)
        elif isinstance(current, list):
            stack.extend((depth + 1, item) for item in cast(list[object], current))
        elif isinstance(current, float) and not isfinite(current):
            return "a number is not finite"
        elif isinstance(current, str) and not is_text(current):
            return "a string holds half of a surrogate pair"
    return None


def is_text(string: str) -> bool:
    """Whether `string` can be encoded: it holds no half of a surrogate pair."""
    try:
        string.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_encodable(string: str) -> str:
    """`string` with a question mark for every half of a surrogate pair."""
    return string.encode(errors="replace").decode()
