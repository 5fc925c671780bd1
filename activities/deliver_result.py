"""The activity that sends a run's callback. The URL is in clear here, and nowhere else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.callbacks.messages import headers_for, message_of
from shared.callbacks.posting import post
from shared.callbacks.sealing import opened
from shared.callbacks.targets import target_of
from shared.contracts.base import restored
from shared.contracts.callback import DeliveryCall, DeliveryReply
from shared.errors import CallbackRefused, SettingsError
from shared.settings import CHORUS_CALLBACK_SECRET, load_callback_settings

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState

LOG = logging.getLogger("chorus.callbacks")


async def deliver_result(given: dict[str, Any], client: DurableFunctionsClient) -> dict[str, Any]:
    """Make one attempt. Takes a `DeliveryCall`, returns a `DeliveryReply`; raises only if the task hub does not answer.

    The URL is checked against the settings of now: what was sealed may be older than they are.
    """
    call = restored(DeliveryCall, given)
    run = await client.get_orchestration_state(call.run_id)
    if run is None:
        reply = DeliveryReply(error="the run was purged before its callback was delivered")
    else:
        try:
            reply = await attempt(call, run, os.environ)
        except (CallbackRefused, SettingsError) as exc:
            reply = DeliveryReply(error=str(exc))
    said = reply.error or reply.status
    LOG.info("Callback of run %s, attempt %d: %s", call.run_id, call.number, said, extra={"run_id": call.run_id})
    return reply.model_dump(mode="json")


async def attempt(call: DeliveryCall, run: OrchestrationState, env: Mapping[str, str]) -> DeliveryReply:
    """POST the end of `run` to where `call` says; raise the reason if this app may not."""
    settings = load_callback_settings(env)
    if settings is None:
        raise CallbackRefused(f"this app sends no callbacks any more: {CHORUS_CALLBACK_SECRET} is not set")
    target = target_of(opened(call.callback.sealed, settings), settings)
    body = await asyncio.to_thread(message_of, run, call.result_url)  # a result may have megabytes
    return await post(target, body, headers_for(call.run_id, body, settings, datetime.now(UTC)))
