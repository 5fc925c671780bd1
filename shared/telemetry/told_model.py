"""A model whose calls are told of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.contracts.agent import AgentSpec
from shared.errors import AgentError, ContentFiltered
from shared.settings import ModelSettings
from shared.telemetry import telemetry
from shared.telemetry.facts import AnswerFacts, ChatFacts, ChatTexts

if TYPE_CHECKING:
    from shared.model_client import Completion, Model


class ToldModel:
    """`model`, by `settings`, whose every call is told of. A `Model` itself."""

    def __init__(self, model: Model, settings: ModelSettings) -> None:
        self._model = model
        self._settings = settings

    async def complete(self, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        """Make the call."""
        with telemetry.chat(chat_facts(self._settings, agent)) as chat:
            try:
                completion = await self._model.complete(agent, prompt, timeout_s)
            except AgentError as exc:
                chat.ended(failure_facts(exc), ChatTexts(agent.instructions, prompt))
                raise
            chat.ended(answer_facts(completion), ChatTexts(agent.instructions, prompt, completion.text))
        return completion


def chat_facts(settings: ModelSettings, agent: AgentSpec) -> ChatFacts:
    """What `agent` asks the model of `settings`."""
    parts = urlsplit(settings.base_url)
    return ChatFacts(
        provider=settings.provider,
        model=agent.model or settings.model,
        server=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens,
        is_structured=agent.output_schema is not None,
    )


def answer_facts(completion: Completion) -> AnswerFacts:
    """What the model answered. A service that counted nothing has a usage without tokens."""
    counted = completion.usage.total_tokens > 0
    return AnswerFacts(
        model=completion.model,
        input_tokens=completion.usage.input_tokens if counted else None,
        output_tokens=completion.usage.output_tokens if counted else None,
        finish_reason="length" if completion.truncated else "stop",
    )


def failure_facts(error: AgentError) -> AnswerFacts:
    """Why there is no answer; a refusal and a filtered answer have their tokens. Never the words of the error."""
    counted = error.usage if error.usage is not None and error.usage.total_tokens > 0 else None
    return AnswerFacts(
        input_tokens=counted.input_tokens if counted else None,
        output_tokens=counted.output_tokens if counted else None,
        finish_reason="content_filter" if isinstance(error, ContentFiltered) else None,
        error=error.code,
        http_status=error.http_status,
    )
