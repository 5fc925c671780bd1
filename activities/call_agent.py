"""The activity that calls a model for a branch, and the model that all activities call."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from activities.in_flight import CallGivenUpError
from activities.wanted import given_up, timed, while_wanted
from shared.agent import FAILED_CALL, error_of, run_agent
from shared.batch_call import run_batch
from shared.contracts.base import restored
from shared.contracts.branch import AgentCall, AgentReply
from shared.errors import NotConfigured, SettingsError
from shared.model_client import Model, OpenAIModel
from shared.settings import ModelSettings, load_model_settings
from shared.telemetry import telemetry
from shared.telemetry.facts import AttemptFacts
from shared.telemetry.told_model import ToldModel


async def call_agent(call: dict[str, Any], client: str) -> dict[str, Any]:
    """Make one attempt. Takes an `AgentCall`, returns an `AgentReply`; never raises for a failure of the agent.

    `client` is the configuration of a durable client, which only a call that takes long needs.
    """
    given = restored(AgentCall, call)
    facts = AttemptFacts(given.run_id, given.branch, given.attempt, given.agent.name, given.recipe)
    began_s = time.monotonic()
    with telemetry.attempt(facts) as attempt:
        try:
            reply = await while_wanted(client, given.run_id, given.instance, answer(given, os.environ))
        except CallGivenUpError as exc:
            reply = AgentReply(error=given_up(exc), usage=FAILED_CALL)
        if reply.error is not None:
            attempt.failed(reply.error.code)
    return timed(reply, began_s).model_dump(mode="json")


async def answer(call: AgentCall, env: Mapping[str, str]) -> AgentReply:
    """Answer `call` with the model that `env` configures."""
    try:
        settings = load_model_settings(env)
    except SettingsError as exc:
        return AgentReply(error=error_of(NotConfigured(str(exc))))
    run = run_batch if call.batch else run_agent
    return await run(shared_model(settings), call)


@lru_cache(maxsize=4)
def shared_model(settings: ModelSettings) -> Model:
    """The worker process's one model client for these settings."""
    model = OpenAIModel(settings)
    return ToldModel(model, settings) if telemetry.is_on() else model
