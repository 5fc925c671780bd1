"""The model, through the `openai` client: the only module that imports it, and it does so on first use.

One async client serves all calls of a worker process. Its own retries are off: the run's schedule owns them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import isnan
from typing import TYPE_CHECKING, Any, Protocol, cast

from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Usage
from shared.errors import (
    AgentError,
    CallFailed,
    CallTimedOut,
    ConnectionFailed,
    ContentFiltered,
    InvalidCall,
    ModelConflict,
    ModelNotFound,
    ModelUnavailable,
    NotAllowed,
    NotAuthenticated,
    QuotaExhausted,
    RateLimited,
    Refused,
)
from shared.fault_place import place_of
from shared.heap import keep_modules
from shared.json_values import as_encodable
from shared.model_answers import ChatAnswer, ResponseAnswer
from shared.prompts import instructions_for
from shared.redaction import redacted
from shared.settings import ModelSettings
from shared.strict_mode import strict_form

if TYPE_CHECKING:
    from openai import AsyncOpenAI

JSON = dict[str, Any]

LOG = logging.getLogger("chorus.model")

AZURE_SCOPE = "https://cognitiveservices.azure.com/.default"
NO_KEY = "not-needed"
MAX_MESSAGE_CHARS = 500
MAX_RETRY_AFTER_S = 86_400.0

ERRORS_BY_STATUS: Mapping[int, type[AgentError]] = {
    400: InvalidCall,
    401: NotAuthenticated,
    403: NotAllowed,
    404: ModelNotFound,
    408: CallTimedOut,
    409: ModelConflict,
    422: InvalidCall,
    429: RateLimited,
}
"""What an HTTP status means; other 4xx are `InvalidCall`, 5xx `ModelUnavailable`."""

ERRORS_BY_CODE: Mapping[str, type[AgentError]] = {
    "insufficient_quota": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "content_filter": ContentFiltered,
    "content_policy_violation": ContentFiltered,
}
"""Error codes of the service that say more than the status."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer of the model, as text. `truncated`: it hit `max_output_tokens`."""

    text: str
    usage: Usage
    model: str
    truncated: bool = False


class Model(Protocol):
    """Something that answers a prompt."""

    async def complete(self, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        """Answer within `timeout_s`; raise an `AgentError` when there is no answer."""
        ...


class OpenAIModel:
    """Azure OpenAI, OpenAI or a compatible server, by the Responses or the Chat Completions API."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._client: AsyncOpenAI | None = None

    async def complete(self, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        """Make one call. A refusal, a filtered answer and every failure of the service are `AgentError`s."""
        if timeout_s <= 0:
            raise CallTimedOut("no time was left for the call", usage=Usage())
        client = self._open()
        call = self._respond if self._settings.api == "responses" else self._chat
        try:
            # The client's own timeout bounds each read; a trickling answer would outlive it.
            async with asyncio.timeout(timeout_s):
                return await call(client, agent, prompt, timeout_s)
        except TimeoutError as exc:
            raise CallTimedOut(f"no answer within {timeout_s:.1f} s") from exc
        except AgentError:
            raise
        except Exception as exc:
            raise self._without_key(translated(exc)) from exc

    def _without_key(self, error: AgentError) -> AgentError:
        """A service may quote the key that it rejects; errors go into history and answers."""
        if self._settings.api_key:
            error.message = error.message.replace(self._settings.api_key, "[key]")
        return error

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI

            keep_modules()
            settings = self._settings
            key: str | Callable[[], Awaitable[str]] = settings.api_key or NO_KEY
            if settings.provider == "azure" and settings.api_key is None:
                key = entra_token_provider()
            self._client = AsyncOpenAI(api_key=key, base_url=settings.base_url, max_retries=0)
        return self._client

    async def _respond(self, client: AsyncOpenAI, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        body: JSON = {
            "model": agent.model or self._settings.model,
            "instructions": instructions_for(agent.instructions),
            "input": prompt,
            "store": False,
        }
        if agent.temperature is not None:
            body["temperature"] = agent.temperature
        if agent.max_output_tokens is not None:
            body["max_output_tokens"] = agent.max_output_tokens
        if agent.output_schema is not None:
            body["text"] = {"format": {"type": "json_schema", **_schema_format(agent)}}
        answer = await posted(client, "/responses", body, timeout_s)
        with reading_answer():
            return _from_response(ResponseAnswer.model_validate(answer))

    async def _chat(self, client: AsyncOpenAI, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        body: JSON = {
            "model": agent.model or self._settings.model,
            "messages": [
                {"role": "system", "content": instructions_for(agent.instructions)},
                {"role": "user", "content": prompt},
            ],
        }
        if agent.temperature is not None:
            body["temperature"] = agent.temperature
        if agent.max_output_tokens is not None:
            # Compatible servers know the older name only; OpenAI's reasoning models only the newer.
            older = self._settings.provider == "compatible"
            body["max_tokens" if older else "max_completion_tokens"] = agent.max_output_tokens
        if agent.output_schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": _schema_format(agent)}
        answer = await posted(client, "/chat/completions", body, timeout_s)
        with reading_answer():
            return _from_chat(ChatAnswer.model_validate(answer))


async def posted(client: AsyncOpenAI, path: str, body: JSON, timeout_s: float) -> object:
    """The answer's JSON. The client's typed methods take half as long again and check nothing of an answer's shape."""
    return await client.post(path, cast_to=object, body=body, options={"timeout": timeout_s})


def entra_token_provider() -> Callable[[], Awaitable[str]]:
    """Tokens of the app's own identity. The credential caches them; refreshing blocks, so it gets a thread."""
    from azure.identity import DefaultAzureCredential, get_bearer_token_provider

    from_credential = get_bearer_token_provider(DefaultAzureCredential(), AZURE_SCOPE)

    async def token() -> str:
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        try:
            return await asyncio.to_thread(from_credential)
        except ClientAuthenticationError as exc:
            message = f"no Entra ID token for Azure OpenAI: {_short(exc.message)}"
            raise NotAuthenticated(message, usage=Usage()) from exc
        except AzureError as exc:
            message = f"the Entra ID token for Azure OpenAI could not be fetched: {_short(exc.message)}"
            raise ConnectionFailed(message, usage=Usage()) from exc

    return token


def translated(error: Exception) -> AgentError:
    """The project's error for an error of the `openai` client; every one of its classes has one."""
    import openai

    match error:
        case openai.APITimeoutError():
            return CallTimedOut("the model did not answer in time")
        case openai.APIConnectionError():
            return ConnectionFailed(f"the connection to the model failed: {_short(error.__cause__ or error)}")
        case openai.APIStatusError():
            return _from_status(error)
        case openai.APIResponseValidationError() | json.JSONDecodeError():
            return ModelUnavailable(f"the model's answer could not be read: {_short(error)}")
        case _:
            return _from_other(error)


def _from_status(error: Any) -> AgentError:
    status = int(error.status_code)
    kind = ERRORS_BY_CODE.get(error.code or "") or ERRORS_BY_STATUS.get(status)
    if kind is None:
        kind = ModelUnavailable if status >= HTTPStatus.INTERNAL_SERVER_ERROR else InvalidCall
    return kind(
        f"the model answered {status}: {_short(_service_message(error))}",
        http_status=status,
        retry_after_s=retry_after_s(error.response.headers, datetime.now(UTC)),
    )


def _from_other(error: Exception) -> AgentError:
    """Errors that an agent's call should not meet: the client's parsing helpers, other credentials, websockets."""
    from openai import ContentFilterFinishReasonError, LengthFinishReasonError
    from openai._exceptions import SubjectTokenProviderError

    if isinstance(error, ContentFilterFinishReasonError):
        return ContentFiltered("the answer was stopped by a content filter")
    if isinstance(error, LengthFinishReasonError):
        return InvalidCall("the answer hit max_output_tokens before it was complete")
    if isinstance(error, SubjectTokenProviderError):
        return NotAuthenticated(_short(error))
    LOG.error("A model call failed in a way that nobody foresaw: %s", place_of(error))
    LOG.debug("The call that failed", exc_info=error)
    return CallFailed(f"{type(error).__name__}: the call failed in a way that nobody foresaw; the log has the place")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that the service asked for: `retry-after-ms`, or `retry-after` as seconds or as a date."""
    for name, scale in (("retry-after-ms", 1 / 1000), ("retry-after", 1.0)):
        raw = headers.get(name)
        if raw is None:
            continue
        try:
            seconds = float(raw) * scale
        except ValueError:
            date = _http_date(raw)
            if date is None:
                continue
            seconds = (date - now).total_seconds()
        if not isnan(seconds):
            return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
    return None


def _http_date(raw: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(raw)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _schema_format(agent: AgentSpec) -> dict[str, Any]:
    """The shape of the answer: held to by the service where strict mode has a form of it, else sent as guidance."""
    schema = agent.output_schema or {}
    strict = strict_form(schema)
    name = "".join(character if character.isalnum() else "_" for character in agent.name)
    return {"name": name, "schema": schema if strict is None else strict, "strict": strict is not None}


@contextmanager
def reading_answer() -> Generator[None]:
    """An answer of another shape is a fault of the service."""
    try:
        yield
    except ValueError as exc:
        raise ModelUnavailable(f"the model's answer could not be read: {_short(exc)}") from exc


def _from_response(answer: ResponseAnswer) -> Completion:
    counted = answer.usage.counted() if answer.usage else Usage(model_calls=1)
    parts = answer.parts()
    for part in parts:
        if part.type == "refusal":
            raise Refused(f"the model declined: {_short(part.refusal)}", usage=counted)
    reason = answer.incomplete_details.reason if answer.incomplete_details else None
    if reason == "content_filter":
        raise ContentFiltered("the answer was stopped by a content filter", usage=counted)
    if answer.status == "failed" or answer.error is not None:
        message = (answer.error.message if answer.error else None) or "no reason given"
        raise ModelUnavailable(f"the model failed: {_short(message)}", usage=counted)
    text = as_encodable("".join(part.text for part in parts if part.type == "output_text"))
    return Completion(text, counted, answer.model, truncated=reason == "max_output_tokens")


def _from_chat(answer: ChatAnswer) -> Completion:
    counted = answer.usage.counted() if answer.usage else Usage(model_calls=1)
    if not answer.choices:
        raise ModelUnavailable("the model's answer had no choices", usage=counted)
    choice = answer.choices[0]
    if choice.message.refusal:
        raise Refused(f"the model declined: {_short(choice.message.refusal)}", usage=counted)
    if choice.finish_reason == "content_filter":
        raise ContentFiltered("the answer was stopped by a content filter", usage=counted)
    text = as_encodable(choice.message.content or "")
    return Completion(text, counted, answer.model, truncated=choice.finish_reason == "length")


def _service_message(error: Any) -> str:
    body = error.body
    if isinstance(body, dict):
        message = cast(dict[str, Any], body).get("message")
        if isinstance(message, str):
            return message
    return str(error.message)


def _short(error: object) -> str:
    text = redacted(as_encodable(" ".join(str(error).split()))) or type(error).__name__
    return text if len(text) <= MAX_MESSAGE_CHARS else f"{text[:MAX_MESSAGE_CHARS]}…"
