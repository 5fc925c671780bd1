"""The activity that calls a model: the only one."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from activities.in_flight import IN_FLIGHT, CallGivenUpError
from activities.names import CALL_GIVEN_UP
from shared.agent import error_of, run_agent
from shared.contracts.base import restored
from shared.contracts.branch import AgentCall, AgentReply, BranchError, Usage
from shared.errors import NotConfigured, SettingsError
from shared.model_client import Model, OpenAIModel
from shared.settings import ModelSettings, load_model_settings
from shared.task_hub import ENDED, is_unreachable

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.agent")


async def call_agent(call: dict[str, Any], client: str) -> dict[str, Any]:
    """Make one attempt. Takes an `AgentCall`, returns an `AgentReply`; never raises for a failure of the agent.

    `client` is the configuration of a durable client: to open one costs more than all the rest of a quick call, so
    only a call that takes long does.
    """
    given = restored(AgentCall, call)
    try:
        reply = await IN_FLIGHT.answer(given.instance, answer(given, os.environ), lambda: is_wanted(client, given))
    except CallGivenUpError as exc:
        error = BranchError(code=CALL_GIVEN_UP, message=str(exc), retriable=True)
        reply = AgentReply(error=error, usage=Usage(model_calls=1))
    return reply.model_dump(mode="json")


async def is_wanted(client: str, call: AgentCall) -> bool:
    """Whether the run and the attempt that the call is for still go on; if the task hub cannot be asked, they do.

    The run is asked too because telling its attempts to stop takes a free place for another activity.
    """
    from azure.durable_functions import DurableFunctionsClient

    durable = DurableFunctionsClient(client)
    try:
        return await goes_on(durable, call.run_id) and await goes_on(durable, call.instance)
    except Exception as exc:
        if not is_unreachable(exc):
            LOG.warning("Could not ask whether %r still waits for its call", call.instance, exc_info=exc)
        return True
    finally:
        await durable.close()


async def goes_on(client: DurableFunctionsClient, instance: str) -> bool:
    """Whether an orchestration is there and has not ended."""
    state = await client.get_orchestration_state(instance, fetch_payloads=False)
    return state is not None and state.runtime_status.name not in ENDED


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
