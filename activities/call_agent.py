"""The activity that calls a model: the only one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.agent import error_of, run_agent
from shared.contracts.base import restored
from shared.contracts.branch import AgentCall, AgentReply
from shared.errors import NotConfigured, SettingsError
from shared.model_client import Model, OpenAIModel
from shared.settings import ModelSettings, load_model_settings


async def call_agent(call: dict[str, Any]) -> dict[str, Any]:
    """Make one attempt. Takes an `AgentCall`, returns an `AgentReply`; never raises for a failure of the agent."""
    reply = await answer(restored(AgentCall, call), os.environ)
    return reply.model_dump(mode="json")


async def answer(call: AgentCall, env: Mapping[str, str]) -> AgentReply:
    """Answer `call` with the model that `env` configures."""
    try:
        settings = load_model_settings(env)
    except SettingsError as exc:
        return AgentReply(error=error_of(NotConfigured(str(exc))))
    return await run_agent(shared_model(settings), call)


@lru_cache(maxsize=4)
def shared_model(settings: ModelSettings) -> Model:
    """The worker process's one model client for these settings."""
    return OpenAIModel(settings)
