"""The activity that calls a model for a reduction in storage: one unit of a level."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from activities.call_agent import shared_model
from activities.in_flight import CallGivenUpError
from activities.storage import shared_blobs
from activities.wanted import given_up, while_wanted
from shared.agent import FAILED_CALL, error_of
from shared.contracts.base import restored
from shared.contracts.work import UnitCall, UnitReply
from shared.errors import AgentError, NotConfigured, SettingsError
from shared.settings import load_model_settings
from shared.stored_reduction.calls import read_parts
from shared.stored_reduction.reader import Readers

READERS = Readers()
"""Those of the runs that this process works for."""


async def reduce_parts(given: dict[str, Any], client: str) -> dict[str, Any]:
    """Make one attempt at a unit. Takes a `UnitCall`, returns a `UnitReply`; never raises for a failure.

    `client` is the configuration of a durable client, as that of `call_agent`.
    """
    call = restored(UnitCall, given)
    try:
        reply = await while_wanted(client, call.folder.run_id, call.instance, answer(call, os.environ))
    except CallGivenUpError as exc:
        reply = UnitReply(error=given_up(exc), usage=FAILED_CALL)
    return reply.model_dump(mode="json")


async def answer(call: UnitCall, env: Mapping[str, str]) -> UnitReply:
    """Answer `call` with the model that `env` configures and the app's storage."""
    try:
        settings = load_model_settings(env)
    except SettingsError as exc:
        return UnitReply(error=error_of(NotConfigured(str(exc))))
    try:
        blobs = shared_blobs()
    except AgentError as exc:
        return UnitReply(error=error_of(exc))
    return await read_parts(blobs, shared_model(settings), READERS, call)
