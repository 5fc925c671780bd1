"""Reads the query strings and bodies of the durable management API."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from azure.durable_functions.internal.compat.orchestration_runtime_status import (
    OrchestrationRuntimeStatus,
    to_durabletask_status,
)
from durabletask.client import OrchestrationStatus

_INT32_MAX = 2**31 - 1
_DATE_FORMS = ("%m/%d/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d", "%Y/%m/%d")
_SHORT_YEAR = re.compile(r"^\d{1,3}-")
_STATUSES = {status.name.lower(): status for status in OrchestrationRuntimeStatus}


class BadRequestError(Exception):
    """The request cannot be understood; the message says what is wrong with it."""


class Query:
    """The query string, with names found in any case.

    A value that cannot be read counts as absent, as in the extension.
    """

    def __init__(self, query_string: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query_string, keep_blank_values=True):
            self._values.setdefault(name.lower(), []).append(value)

    def text(self, name: str) -> str | None:
        """Return the last value of that name, or None when there is none or it is empty."""
        return (self._values.get(name.lower()) or [""])[-1] or None

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a value of true or false."""
        return {"true": True, "false": False}.get((self.text(name) or "").strip().lower(), default)

    def whole_number(self, name: str) -> int | None:
        """Return a value that is a whole number above 0."""
        text = (self.text(name) or "").strip()
        number = int(text) if text.isdecimal() else 0
        return number if 0 < number <= _INT32_MAX else None

    def seconds(self, name: str) -> float | None:
        """Return a value that is a number."""
        try:
            number = float(self.text(name) or "nan")
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def moment(self, name: str) -> datetime | None:
        """Return a time; one without an offset is taken as UTC."""
        text = self.text(name)
        moment = None if text is None else _moment(text.strip())
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    def statuses(self, name: str) -> list[OrchestrationStatus] | None:
        """Return the runtime statuses among values that are given repeatedly or with commas; None when none is.

        The list is empty when those that were named are never seen here.
        """
        texts = [part.strip().lower() for value in self._values.get(name.lower(), ()) for part in value.split(",")]
        named = [_STATUSES[text] for text in texts if text in _STATUSES]
        never_seen = OrchestrationRuntimeStatus.Canceled
        return [to_durabletask_status(status) for status in named if status is not never_seen] if named else None


def _moment(text: str) -> datetime | None:
    """Read a time in one of the forms that people send to the extension, where .NET reads nearly any."""
    readers: list[Callable[[], datetime]] = [lambda: datetime.fromisoformat(_iso(text))]
    readers += [lambda form=form: datetime.strptime(text, form) for form in _DATE_FORMS]  # noqa: DTZ007 - it is UTC
    readers += [lambda: parsedate_to_datetime(text)]
    for read in readers:
        with suppress(ValueError):
            return read()
    return None


def _iso(text: str) -> str:
    """Mend what is often wrong: a plus sign that was not encoded is a space, `strftime("%Y")` leaves out zeros."""
    return _SHORT_YEAR.sub(lambda year: year[0].zfill(5), text.replace(" ", "+") if "T" in text else text)


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
