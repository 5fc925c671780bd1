"""Reads the query strings and bodies of the durable management API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from azure.durable_functions.internal.compat.orchestration_runtime_status import (
    OrchestrationRuntimeStatus,
    to_durabletask_status,
)
from durabletask.client import OrchestrationStatus


class BadRequestError(Exception):
    """The request cannot be understood; the message says what is wrong with it."""


class Query:
    """The query string, with names found in any case."""

    def __init__(self, query_string: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query_string, keep_blank_values=True):
            self._values.setdefault(name.lower(), []).append(value)

    def text(self, name: str) -> str | None:
        """Return the last value of that name, or None when there is none or it is empty."""
        return (self._values.get(name.lower()) or [""])[-1] or None

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a value of true or false."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in {"true", "false"}:
            raise BadRequestError(f"The query parameter {name!r} is {text!r}; it must be true or false.")
        return text.lower() == "true"

    def whole_number(self, name: str) -> int | None:
        """Return a value that is a whole number above 0."""
        number = self.seconds(name)
        if number is not None and (number < 1 or number != int(number)):
            raise BadRequestError(f"The query parameter {name!r} is {self.text(name)!r}; it must be 1 or more.")
        return None if number is None else int(number)

    def seconds(self, name: str) -> float | None:
        """Return a value that is a number."""
        text = self.text(name)
        try:
            return None if text is None else float(text)
        except ValueError:
            raise BadRequestError(f"The query parameter {name!r} is {text!r}, which is no number.") from None

    def moment(self, name: str) -> datetime | None:
        """Return a time; one without an offset is taken as UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            # A plus sign that the caller forgot to encode has become a space.
            moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        except ValueError:
            raise BadRequestError(f"The query parameter {name!r} is {text!r}; it must be an ISO 8601 time.") from None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    def statuses(self, name: str) -> list[OrchestrationStatus] | None:
        """Return runtime statuses that are given repeatedly or with commas; None when none is."""
        texts = [part.strip() for value in self._values.get(name.lower(), ()) for part in value.split(",")]
        return [status for text in texts if text for status in _status(text)] if any(texts) else None


def _status(text: str) -> Sequence[OrchestrationStatus]:
    known = {status.name.lower(): status for status in OrchestrationRuntimeStatus}
    status = known.get(text.lower())
    if status is None:
        names = ", ".join(status.name for status in OrchestrationRuntimeStatus)
        raise BadRequestError(f"There is no runtime status {text!r}; there are {names}.")
    return () if status is OrchestrationRuntimeStatus.Canceled else (to_durabletask_status(status),)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


async def read_json(request: web.Request) -> Any:
    """Return the JSON of the body; an empty body is None."""
    text = await request.text()
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise BadRequestError(f"Invalid JSON content: {error}") from error


def says_json(headers: Mapping[str, str]) -> bool:
    """Whether the body is JSON by its content type, or has no content type."""
    given = headers.get("Content-Type", "application/json")
    return given.partition(";")[0].strip().lower() == "application/json"
