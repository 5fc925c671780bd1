"""What the model client's tests share: clients, an agent and what it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.contracts.agent import AgentSpec
from shared.errors import AgentError
from shared.model_client import OpenAIModel
from shared.settings import ModelSettings
from tests.shared.model_server import chat_body, response_body

APIS = ["responses", "chat_completions"]
MATERIAL = (
    "<input>\nThe server failed at noon. The disk was full. Nobody was told for an hour. It was restarted.\n</input>"
)
BODIES: dict[str, Callable[..., Any]] = {"responses": response_body, "chat_completions": chat_body}


@asynccontextmanager
async def clients() -> AsyncIterator[Callable[..., OpenAIModel]]:
    """Makes clients with the given settings, which are closed in the end."""
    made: list[OpenAIModel] = []

    def make(url: str, api: Any = "responses", **fields: Any) -> OpenAIModel:
        settings = ModelSettings(**{"provider": "compatible", "model": "m", "api": api, "base_url": url, **fields})
        made.append(OpenAIModel(settings))
        return made[-1]

    yield make
    for client in made:
        await client.close()


def agent(**fields: Any) -> AgentSpec:
    return AgentSpec(**{"instructions": "Summarise.", **fields})


async def error_from(client: OpenAIModel, prompt: str = "x", timeout_s: float = 5.0, **fields: Any) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await client.complete(agent(**fields), prompt, timeout_s)
    return caught.value
