"""What the shards of a run in storage, each an orchestration of its own, say about the run.

A shard counts the works of its page: in its custom status while it goes on, in its `ShardResult` once it has ended.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, ValidationError

from activities.names import SHARD, children_prefix, shards_prefix
from shared.contracts.base import Contract, restored
from shared.contracts.branch import Usage
from shared.contracts.work import MAP_STAGE, ShardInput, ShardResult, Stage

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState


class Told(Contract):
    """What a run or a shard tells of its works in its custom status; a run, of the shards that have ended.

    The ids of the `stage`'s shards that it does not tell of end with those `going`.
    """

    phase: str | None = None
    stage: str | None = None
    going: list[str] = Field(default_factory=list[str])
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    reused: int = 0
    tokens: int = 0

    @classmethod
    def by(cls, state: OrchestrationState) -> Self:
        """What this orchestration tells; nothing, if this version cannot read it."""
        try:
            return restored(cls, json.loads(state.serialized_custom_status or "null") or {})
        except ValidationError:
            return cls()


async def running_shards(client: DurableFunctionsClient, run_id: str) -> list[OrchestrationState]:
    """The shards that are at work now: a handful, however many the run has.

    Their inputs are asked for because not every store gives the custom status without; a shard's input is short.
    """
    from durabletask.client import OrchestrationStatus

    return await _shards(client, run_id, [OrchestrationStatus.RUNNING, OrchestrationStatus.SUSPENDED])


async def shards_going(client: DurableFunctionsClient, run: OrchestrationState) -> list[OrchestrationState]:
    """The shards that `run` does not tell of itself, also those that have ended since."""
    told = Told.by(run)
    if told.stage is None or not told.going:
        return []
    running = await running_shards(client, run.instance_id)
    ids = {shards_prefix(run.instance_id, told.stage) + end for end in told.going}
    found = [shard for shard in running if shard.instance_id in ids]
    left = ids.difference(shard.instance_id for shard in found)
    others = await asyncio.gather(*(client.get_orchestration_state(shard) for shard in sorted(left)))
    return [*found, *(shard for shard in others if shard is not None)]


async def all_shards(client: DurableFunctionsClient, run_id: str) -> list[OrchestrationState]:
    """Every shard of a run, which is worth reading once the run has died."""
    return await _shards(client, run_id, None)


async def _shards(client: DurableFunctionsClient, run_id: str, statuses: Any) -> list[OrchestrationState]:
    from durabletask.client import OrchestrationQuery

    query = OrchestrationQuery(
        instance_id_prefix=f"{children_prefix(run_id)}~", runtime_status=statuses, fetch_inputs_and_outputs=True
    )
    return [state for state in await client.get_all_orchestration_states(query) if state.name == SHARD]


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the map, for the page `number` of its stage."""

    stage: Stage
    number: int
    state: OrchestrationState


def pages_of(shards: Sequence[OrchestrationState]) -> dict[int, list[Shard]]:
    """The shards of the map by their pages; a page has several when one was lost, and others took its place."""
    pages: dict[int, list[Shard]] = {}
    for state in sorted(shards, key=lambda state: state.instance_id):
        given = given_to(state)
        if given is not None and given.stage.name == MAP_STAGE:
            pages.setdefault(given.number, []).append(Shard(given.stage, given.number, state))
    return pages


def given_to(shard: OrchestrationState) -> ShardInput | None:
    """What a shard was started with, or None when this version cannot read it."""
    try:
        return restored(ShardInput, json.loads(shard.serialized_input or "null"))
    except ValidationError:
        return None


def result_of_shard(shard: OrchestrationState) -> ShardResult | None:
    """What a shard that has ended says, or None when it goes on, or died."""
    try:
        return restored(ShardResult, json.loads(shard.serialized_output or "null"))
    except ValidationError:
        return None


def usage_of(shard: OrchestrationState) -> Usage:
    """What a shard's calls have cost, as far as it has told."""
    result = result_of_shard(shard)
    return result.tally.usage if result else Usage(total_tokens=Told.by(shard).tokens)
