"""Every error of the `openai` client has one of the project's errors, on purpose."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import _exceptions

from shared.errors import AgentError
from shared.model_client import MAX_RETRY_AFTER_S, retry_after_s, translated

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
REQUEST = httpx2.Request("POST", "https://model.example/v1/responses")


def with_status(kind: Any, status: int) -> Exception:
    response = httpx2.Response(status, request=REQUEST)
    if kind is _exceptions.OAuthError:
        return kind(response=response, body=None)
    return kind("said no", response=response, body=None)


EXPECTED: dict[str, tuple[str, Callable[[Any], Exception]]] = {
    "APIConnectionError": ("connection_failed", lambda kind: kind(request=REQUEST)),
    "APITimeoutError": ("call_timed_out", lambda kind: kind(request=REQUEST)),
    "APIResponseValidationError": (
        "model_unavailable",
        lambda kind: kind(response=httpx2.Response(200, request=REQUEST), body=None),
    ),
    "APIStatusError": ("invalid_call", lambda kind: with_status(kind, 418)),
    "BadRequestError": ("invalid_call", lambda kind: with_status(kind, 400)),
    "AuthenticationError": ("not_authenticated", lambda kind: with_status(kind, 401)),
    "OAuthError": ("not_authenticated", lambda kind: with_status(kind, 401)),
    "PermissionDeniedError": ("not_allowed", lambda kind: with_status(kind, 403)),
    "NotFoundError": ("model_not_found", lambda kind: with_status(kind, 404)),
    "ConflictError": ("model_conflict", lambda kind: with_status(kind, 409)),
    "UnprocessableEntityError": ("invalid_call", lambda kind: with_status(kind, 422)),
    "RateLimitError": ("rate_limited", lambda kind: with_status(kind, 429)),
    "InternalServerError": ("model_unavailable", lambda kind: with_status(kind, 500)),
    "ContentFilterFinishReasonError": ("content_filtered", lambda kind: kind()),
    "LengthFinishReasonError": ("invalid_call", lambda kind: kind(completion=_NoUsage())),
    "SubjectTokenProviderError": ("not_authenticated", lambda kind: kind("no token")),
}

LEFT_OUT = {
    "OpenAIError": "raised itself only for a client made without a credential; ours always has one",
    "APIError": "raised itself only for streams; we do not stream",
    "APIRemovedInV1": "names of the client before 1.0",
    "AgentFilePreparationError": "agent sessions only",
    "AgentFileStagingError": "agent sessions only",
    "AgentOutputParseError": "agent sessions only",
    "AgentTurnResultError": "agent sessions only",
    "BrowserCancelledError": "computer use only",
    "BrowserError": "computer use only",
    "ComputerUseError": "computer use only",
    "DecisionsToolRunnerCancelledError": "tool runner only",
    "DecisionsToolRunnerError": "tool runner only",
    "InvalidWebhookSignatureError": "webhooks only",
    "MissingDependencyError": "optional extras only",
    "MissingStreamClassError": "streams only",
    "MutuallyExclusiveAuthError": "a client made with two credentials; ours has one",
    "ResponsesWebSocketBufferError": "websockets only",
    "ResponsesWebSocketError": "websockets only",
    "StreamAlreadyConsumed": "streams only",
    "ToolRunnerCancelledError": "tool runner only",
    "ToolRunnerError": "tool runner only",
    "WebSocketConnectionClosedError": "websockets only",
    "WebSocketQueueFullError": "websockets only",
    "_AmbiguousModuleClientUsageError": "the module-level client only",
    "_TransientTokenExchangeError": "workload identity of OpenAI only, and not let out",
}
"""Errors that no call of ours can meet, and why; met all the same, they are `call_failed`."""


class _NoUsage:
    usage = None


def classes_in_the_source() -> set[str]:
    """The names of all exception classes that the package's source defines."""
    spec = find_spec("openai")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    pattern = re.compile(r"^class (\w+)\((?:\w+\.)*(\w+Error|\w*Exception)\)", re.MULTILINE)
    [root] = spec.submodule_search_locations
    return {
        match[1]
        for path in Path(root).rglob("*.py")
        if "/types/" not in path.as_posix()
        for match in pattern.finditer(path.read_text())
    }


def subclasses(kind: type[Exception]) -> set[str]:
    return {kind.__name__}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_exception_of_the_client_is_mapped_or_left_out_for_a_reason() -> None:
    defined = classes_in_the_source() | subclasses(openai.OpenAIError) | set(_exceptions.__all__)

    assert defined == set(EXPECTED) | set(LEFT_OUT)
    assert not set(EXPECTED) & set(LEFT_OUT)


def test_the_source_scan_finds_more_than_the_public_names() -> None:
    assert len(classes_in_the_source()) > len(_exceptions.__all__)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mapped_exception_is_not_call_failed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    code, make = EXPECTED[name]

    error = translated(make(getattr(_exceptions, name)))

    assert error.code == code != "call_failed"
    assert error.message
    assert caplog.records == []


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_is_mapped(status: int) -> None:
    error = translated(with_status(_exceptions.APIStatusError, status))

    assert error.code != "call_failed"
    assert error.http_status == status
    assert error.retriable == (status in {408, 409, 429} or status >= 500)


@pytest.mark.parametrize("error", [openai.OpenAIError("odd"), RuntimeError("odd"), KeyError("odd")])
def test_an_unforeseen_exception_is_call_failed_and_logged_without_its_words(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "chorus.model"):
        found = translated(error)

    assert (found.code, found.retriable) == ("call_failed", False)
    assert found.message.startswith(type(error).__name__)
    [record] = caplog.records
    assert type(error).__name__ in record.message
    assert record.exc_info is None
    assert "odd" not in record.message + found.message


def test_an_error_keeps_no_more_of_a_message_than_it_shows() -> None:
    response = httpx2.Response(400, request=REQUEST)
    error = _exceptions.BadRequestError("x" * 10_000, response=response, body=None)

    assert len(translated(error).message) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "1e9"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "inf"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=30), usegmt=True)}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:01:00 -0000"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 2026 14:01:00 +0200"}, 60.0),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, 0.0),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, None),
    ],
)
def test_the_wait_that_the_service_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(httpx2.Headers(headers), NOW) == seconds


@given(
    st.text(st.characters(codec="ascii"), max_size=40)
    | st.from_regex(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{1,5} .{0,15}")
)
def test_no_header_breaks_the_reading_of_the_wait(raw: str) -> None:
    seconds = retry_after_s({"retry-after": raw}, NOW)

    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


def test_all_translations_are_agent_errors() -> None:
    assert all(
        isinstance(translated(make(getattr(_exceptions, name))), AgentError) for name, (_, make) in EXPECTED.items()
    )
