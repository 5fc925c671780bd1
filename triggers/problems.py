"""Errors as `application/problem+json` (RFC 9457): what happened, where, and what to do."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import azure.functions as func
from pydantic import ValidationError
from pydantic_core import ErrorDetails

PROBLEM_JSON = "application/problem+json"
MAX_LISTED_ERRORS = 20

UNION_TAGS: Mapping[str | int | None, Collection[str]] = {"ballot": ("choice", "free"), "voters": ("count", "jury")}
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
        return func.HttpResponse(
            json.dumps(body),
            status_code=self.status.value,
            mimetype=PROBLEM_JSON,
            headers={"Cache-Control": "no-store"},
        )


def from_validation(error: ValidationError, body: object) -> Problem:
    """The problem for a body that does not fit its contract; `body` is the parsed JSON, for the paths."""
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


def _field_error(item: ErrorDetails, body: object) -> FieldError:
    """One error of pydantic's; a misfit of several fields names the one to look at by itself."""
    path, message = field_path(item["loc"], body), item["msg"].removeprefix("Value error, ")
    if item["type"] == "misfit":
        field: str = item.get("ctx", {})["path"]
        path = field if path == "$" else f"{path}.{field}"
    return FieldError(path, message)


def field_path(location: Sequence[str | int], body: object) -> str:
    """pydantic's location as a path into `body`, without the tags of unions, which are no fields."""
    path, current, field = "", body, None
    for position, key in enumerate(location):
        last = position == len(location) - 1
        if isinstance(key, int):
            path += f"[{key}]"
            current = _item(current, key)
        elif key not in UNION_TAGS.get(field, ()) and isinstance(current, Mapping) and (last or key in current):
            path += f".{key}"
            current = _item(current, key)
        field = key
    return path.removeprefix(".") or "$"


def _item(container: Any, key: str | int) -> object:
    try:
        return container[key]
    except (KeyError, IndexError, TypeError):
        return None
