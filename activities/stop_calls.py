"""Stops calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from activities.in_flight import IN_FLIGHT
from activities.names import STOP_EVENT, run_of, shard_of
from shared.contracts.base import restored
from shared.contracts.stop import StopShards
from shared.fault_place import place_of
from shared.task_hub import is_gone

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.branches")

MAX_AT_ONCE = 50
"""Events that are on their way to the task hub at a time."""


async def stop_calls(given: dict[str, object], client: DurableFunctionsClient) -> int:
    """Send the stop event to calls and shards, then give up those calls of this process at once.

    Takes a `StopCalls` or `StopShards`, returns how many have ended or could be told. A call that could not be told
    runs on to its own deadline: nothing here fails the run. A shard's call hears of it in this process only.
    """
    asked = restored(StopShards, given)
    instances = asked.instances if asked.prefix is None else await unfinished(client, asked.prefix)
    reason = {"data": asked.reason} if asked.reason else {}
    places = asyncio.Semaphore(MAX_AT_ONCE)

    async def tell(instance: str) -> None:
        async with places:
            await client.raise_orchestration_event(instance, STOP_EVENT, **reason)

    told = [instance for instance in instances if shard_of(instance) is None]
    answers = await asyncio.gather(*(tell(instance) for instance in told), return_exceptions=True)
    IN_FLIGHT.give_up(instances)
    if asked.prefix is not None:
        IN_FLIGHT.give_up_under(asked.prefix)
    failures = [answer for answer in answers if isinstance(answer, BaseException) and not is_gone(answer)]
    if failures:
        about = {"run_id": run_of(instances[0])}
        place = place_of(failures[0])
        LOG.warning("Could not stop %d of %d calls: %s", len(failures), len(instances), place, extra=about)
    return len(instances) - len(failures)


async def unfinished(client: DurableFunctionsClient, prefix: str) -> list[str]:
    """The ids of the instances under `prefix` that have not ended."""
    from durabletask.client import OrchestrationQuery, OrchestrationStatus

    query = OrchestrationQuery(
        instance_id_prefix=prefix,
        runtime_status=[OrchestrationStatus.PENDING, OrchestrationStatus.RUNNING, OrchestrationStatus.SUSPENDED],
    )
    return [state.instance_id for state in await client.get_all_orchestration_states(query)]
