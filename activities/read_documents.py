"""The activity that calls a model for documents in storage: one unit of the map."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from activities.unit_calls import read_with, reply_while_wanted
from shared.contracts.base import restored
from shared.contracts.work import UnitCall, UnitReply
from shared.reading import read_unit
from shared.stored_requests import StoredRequests

REQUESTS = StoredRequests()
"""Those of the runs that this process works for."""


async def read_documents(given: dict[str, Any], client: str) -> dict[str, Any]:
    """Make one attempt at a unit. Takes a `UnitCall`, returns a `UnitReply`; never raises for a failure."""
    call = restored(UnitCall, given)
    reply = await reply_while_wanted(client, call, answer(call, os.environ))
    return reply.model_dump(mode="json")


async def answer(call: UnitCall, env: Mapping[str, str]) -> UnitReply:
    """Answer `call` with the model that `env` configures and the app's storage."""
    return await read_with(env, lambda blobs, model: read_unit(blobs, model, REQUESTS, call))
