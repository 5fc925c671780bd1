"""A call to a model for a unit of works, as the activities of the stages make it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from activities.call_agent import shared_model
from activities.in_flight import CallGivenUpError
from activities.names import unit_call_id
from activities.storage import shared_blobs
from activities.wanted import given_up, timed, while_wanted
from shared.agent import FAILED_CALL, error_of
from shared.contracts.work import UnitCall, UnitReply
from shared.errors import AgentError, NotConfigured, SettingsError
from shared.settings import load_model_settings
from shared.telemetry import telemetry
from shared.telemetry.facts import AttemptFacts

if TYPE_CHECKING:
    from shared.blobs import Blobs
    from shared.model_client import Model

type Reading = Callable[[Blobs, Model], Awaitable[UnitReply]]
"""What makes the call, with the app's storage and its model."""


async def reply_while_wanted(client: str, call: UnitCall, work: Awaitable[UnitReply]) -> UnitReply:
    """What `work` comes to for `call`, which is one of many that its shard waits for, and may be given up alone.

    `client` is the configuration of a durable client, as that of `call_agent`.
    """
    name = unit_call_id(call.instance, call.unit.name, call.attempt)
    facts = AttemptFacts(call.folder.run_id, call.unit.name, call.attempt, call.stage, call.recipe)
    began_s = time.monotonic()
    with telemetry.attempt(facts) as attempt:
        try:
            reply = await while_wanted(client, call.folder.run_id, call.instance, work, call=name)
        except CallGivenUpError as exc:
            reply = UnitReply(error=given_up(exc), usage=FAILED_CALL)
        if reply.error is not None:
            attempt.failed(reply.error.code)
    return timed(reply, began_s)


async def read_with(env: Mapping[str, str], reading: Reading) -> UnitReply:
    """What `reading` replies with the model that `env` configures; settings that do not are a failure of the call."""
    try:
        model = shared_model(load_model_settings(env))
        blobs = shared_blobs()
    except SettingsError as exc:
        return UnitReply(error=error_of(NotConfigured(str(exc))))
    except AgentError as exc:
        return UnitReply(error=error_of(exc))
    return await reading(blobs, model)
