"""What a request says outside its body: query parameters and headers."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

import azure.functions as func

from triggers.problems import FieldError, Problem

MAX_QUOTED_CHARS = 60


def query_of(req: func.HttpRequest) -> Mapping[str, str]:
    """The query parameters; those of one name are joined by commas, as the host does."""
    return cast(Mapping[str, str], req.params)


def header_of(req: func.HttpRequest, name: str) -> str | None:
    """A header's value; None where it was not sent."""
    return cast(Mapping[str, str], req.headers).get(name)


def misfit_parameter(name: str, value: str, wanted: str) -> Problem:
    """The problem with a parameter or a header, told with its name; `wanted` says what to send instead."""
    quoted = value if len(value) <= MAX_QUOTED_CHARS else f"{value[:MAX_QUOTED_CHARS]}…"
    message = f"{quoted!r} does not do here: {wanted}"
    return Problem(HTTPStatus.BAD_REQUEST, "invalid_parameter", f"{name}: {message}.", [FieldError(name, message)])
