"""JSON values as the texts of documents."""

from __future__ import annotations

import json

from shared.errors import DocumentUnreadable
from shared.json_values import problem_with


def parsed(text: str, what: str) -> object:
    """The value of `text`, which messages call `what`; `DocumentUnreadable` if it is no JSON."""
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise DocumentUnreadable(f"{what} is nested too deep") from exc
    except json.JSONDecodeError as exc:
        raise DocumentUnreadable(f"{what} is not JSON: {exc.msg} at character {exc.pos + 1:,}") from exc
    except ValueError as exc:
        raise DocumentUnreadable(f"{what} is not JSON: {exc}") from exc


def told(value: object, what: str) -> str:
    """A value as text: a string as it is, all else as compact JSON. `DocumentUnreadable` if no reader would take it."""
    if problem := problem_with(value):
        raise DocumentUnreadable(f"{what} cannot be passed on: {problem}")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
