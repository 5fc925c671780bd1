"""Stops calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from activities.in_flight import IN_FLIGHT
from activities.names import STOP_EVENT
from shared.contracts.base import restored
from shared.contracts.stop import StopCalls
from shared.task_hub import is_gone

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.branches")

MAX_AT_ONCE = 50
"""Events that are on their way to the task hub at a time."""


async def stop_calls(given: dict[str, object], client: DurableFunctionsClient) -> int:
    """Send the stop event to calls, then give up those of this process at once.

    Takes a `StopCalls`, returns how many calls have ended or could be told. A call that could not be told runs on
    to its own deadline: nothing here fails the run.
    """
    asked = restored(StopCalls, given)
    instances = asked.instances if asked.prefix is None else await unfinished(client, asked.prefix)
    places = asyncio.Semaphore(MAX_AT_ONCE)

    async def tell(instance: str) -> None:
        async with places:
            await client.raise_orchestration_event(instance, STOP_EVENT)

    answers = await asyncio.gather(*(tell(instance) for instance in instances), return_exceptions=True)
    IN_FLIGHT.give_up(instances)
    failures = [answer for answer in answers if isinstance(answer, BaseException) and not is_gone(answer)]
    if failures:
        LOG.warning("Could not stop %d of %d calls: %r", len(failures), len(instances), failures[0])
    return len(instances) - len(failures)


async def unfinished(client: DurableFunctionsClient, prefix: str) -> list[str]:
    """The ids of the instances under `prefix` that have not ended."""
    from durabletask.client import OrchestrationQuery, OrchestrationStatus

    query = OrchestrationQuery(
        instance_id_prefix=prefix,
        runtime_status=[OrchestrationStatus.PENDING, OrchestrationStatus.RUNNING, OrchestrationStatus.SUSPENDED],
    )
    return [state.instance_id for state in await client.get_all_orchestration_states(query)]
