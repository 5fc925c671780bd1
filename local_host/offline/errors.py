"""Errors in OpenAI's format, each built where the wire needs it."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is an error: HTTP status plus OpenAI's `{"error": {...}}` body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The JSON body that the client turns into its own exception."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def missing(param: str) -> ApiError:
    """A required field is absent."""
    return ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def wrong_type(param: str, expected: str, value: object) -> ApiError:
    """A field holds a value of another JSON type than `expected`."""
    return ApiError(
        400,
        f"Invalid type for '{param}': expected {expected}, but got {_json_type(value)} instead.",
        param=param,
        code="invalid_type",
    )


def invalid_value(param: str, message: str) -> ApiError:
    """A field has the right type and a value that cannot be used."""
    return ApiError(400, f"Invalid value for '{param}': {message}", param=param, code="invalid_value")


def throttled(retry_after_s: float) -> ApiError:
    """A limit on requests was met; the headers say when to come back, as OpenAI's do."""
    seconds = f"{retry_after_s:g}"
    return ApiError(
        429,
        f"Rate limit reached for requests. Please try again in {seconds}s.",
        kind="requests",
        code="rate_limit_exceeded",
        headers={"retry-after": seconds, "retry-after-ms": f"{retry_after_s * 1000:g}"},
    )


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    names = {
        bool: "a boolean",
        int: "an integer",
        float: "a decimal",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)
