"""Errors as `application/problem+json` (RFC 9457): what happened, where, and what to do."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import azure.functions as func
from pydantic import ValidationError
from pydantic_core import ErrorDetails

PROBLEM_JSON = "application/problem+json"
MAX_LISTED_ERRORS = 20
MAX_TOLD_ERRORS = 10_000
"""Telling where each error is costs more than finding it, and nobody reads so many."""

MAX_MESSAGE_CHARS = 1_000
MAX_QUOTED_CHARS = 60
"""Messages and paths quote the body, which may be a megabyte."""

UNION_TAGS: Mapping[str | int | None, Collection[str]] = {
    "ballot": ("choice", "approval", "ranking", "score", "number", "boolean", "free"),
    "voters": ("count", "jury", "plan"),
    "rule": (
        "plurality", "majority", "supermajority", "unanimous", "veto", "weighted", "approval", "borda",
        "instant_runoff", "condorcet", "median", "trimmed_mean", "per_criterion", "self_consistency", "best_of",
    ),
    "answer": ("text", "boolean"),
    "stop": ("fixed", "decided", "confident"),
    "reduce": ("agent", "tree", "refine", "concatenate", "merge", "table"),
}  # fmt: skip
"""What pydantic puts into a location after a field that is a union, to say which of its members was meant."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `path` is like `sections[2].name`, or `$` for the whole body."""

    path: str
    message: str


class Problem(Exception):
    """A request that cannot be served. `code` is stable; `detail` says what to do."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors

    def response(self) -> func.HttpResponse:
        """The HTTP answer."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"path": error.path, "message": error.message} for error in self.errors]
        return func.HttpResponse(json.dumps(body), status_code=self.status.value, mimetype=PROBLEM_JSON)


def from_validation(error: ValidationError, body: object) -> Problem:
    """The problem for a body that does not fit its contract; `body` is the parsed JSON, for the paths."""
    if error.error_count() > MAX_TOLD_ERRORS:
        return _of_many(error.error_count())
    details = error.errors(include_url=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        message = details[0]["msg"].removeprefix("Invalid JSON: ")
        return Problem(
            HTTPStatus.BAD_REQUEST, "malformed_json", f"The body is not valid JSON: {message}. Send a JSON object."
        )
    errors = [_field_error(item, body) for item in details[:MAX_LISTED_ERRORS]]
    more = f" (and {len(details) - len(errors)} more)" if len(details) > len(errors) else ""
    first = errors[0]
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "invalid_request",
        f"The request does not fit its contract: {first.path}: {first.message}{more}. Nothing was started.",
        errors,
    )


def _of_many(count: int) -> Problem:
    message = f"{count:,} fields do not fit, too many to be listed"
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "invalid_request",
        f"The request does not fit its contract: {message}. Send less, and look at what it says then. "
        "Nothing was started.",
        [FieldError("$", message)],
    )


def _field_error(item: ErrorDetails, body: object) -> FieldError:
    """One error of pydantic's, told at the field that the caller has to look at."""
    context = item.get("ctx", {})
    path, value, left_out = followed(item["loc"], body)
    message = item["msg"].removeprefix("Value error, ")
    match item["type"]:
        case "misfit":
            path = context["path"] if path == "$" else f"{path}.{context['path']}"
        case "union_tag_invalid":
            message = f"{context['tag'][:MAX_QUOTED_CHARS]!r} is none of {context['expected_tags']}"
            path = _discriminator(path, value, context)
        case "union_tag_not_found":
            message = f"say which: {', '.join(map(repr, UNION_TAGS[item['loc'][-1]]))}"
            path = _discriminator(path, value, context)
        case "missing" if left_out:
            message = f"this takes {left_out!r} too: spell it out as an object"
        case _:
            pass
    return FieldError(_short(path), _short(message))


def followed(location: Sequence[str | int], body: object) -> tuple[str, object, str | None]:
    """pydantic's location in `body`: as a path without the tags of unions, which are no fields; the value there; and
    the location's last field if what the caller wrote has no fields.
    """
    path, field, left_out = "", None, None
    current = body
    for position, key in enumerate(location):
        last = position == len(location) - 1
        if isinstance(key, int):
            path += f"[{key}]"
            current = _item(current, key)
        elif key in UNION_TAGS.get(field, ()):
            pass
        elif isinstance(current, Mapping) and (last or key in current):
            path += f".{key}"
            current = _item(current, key)
        elif last:
            left_out = key
        field = key
    return path.removeprefix(".") or "$", cast(object, current), left_out


def _discriminator(path: str, value: object, context: Mapping[str, Any]) -> str:
    """Where the caller names the member of a union: in a field of the object, or, in short, in its place."""
    return f"{path}.{context['discriminator'].strip("'")}" if isinstance(value, Mapping) else path


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:MAX_MESSAGE_CHARS]}…"


def _item(container: Any, key: str | int) -> object:
    try:
        return container[key]
    except (KeyError, IndexError, TypeError):
        return None
