from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from activities import reduce_parts, unit_calls
from activities.in_flight import IN_FLIGHT
from activities.names import CALL_GIVEN_UP, unit_call_id
from local_host.offline_model import OfflineModel
from shared.contracts.agent import AgentSpec
from shared.contracts.reduction import TreeReduction
from shared.contracts.stored_reduction import PlanLevel
from shared.contracts.work import Unit, UnitCall
from shared.stored_reduction.planning import plan_level
from shared.stored_reduction.reader import Readers
from tests.activities.test_call_agent import NO_CLIENT, offline
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_reduction.stored_map import FOLDER, documents, units_of, written

__all__ = ["offline"]

AGENT = AgentSpec(instructions="Sum up.")
SHARD = "run-1:~reduce-1-00001"


@pytest.fixture
async def units(monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    """The app's storage has a level of two calls, which hang."""
    blobs = written(documents([f"[[fault:hang]] {'o' * 6_000}"] * 2))
    monkeypatch.setattr(unit_calls, "shared_blobs", lambda: blobs)
    monkeypatch.setattr(reduce_parts, "READERS", Readers())
    way = TreeReduction(agent=AGENT, max_input_tokens=2_000)
    plan = await plan_level(blobs, PlanLevel(folder=FOLDER, way=way, number=1, pages=1))
    return units_of(blobs, 1, plan)


def call(unit: Unit) -> UnitCall:
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    return UnitCall(folder=FOLDER, stage="reduce-1", unit=unit, attempt=1, instance=SHARD, deadline=deadline)


async def test_calls_of_one_shard_are_given_up_one_by_one(offline: OfflineModel, units: list[Unit]) -> None:
    assert len(units) == 2
    async with asyncio.timeout(10):
        pending = [
            asyncio.create_task(reduce_parts.reduce_parts(call(unit).model_dump(mode="json"), NO_CLIENT))
            for unit in units
        ]
        while offline.calls < 2:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        IN_FLIGHT.give_up([unit_call_id(SHARD, units[0].name, 1)])
        reply = await pending[0]
        assert not pending[1].done()
        IN_FLIGHT.give_up([SHARD])
        await pending[1]

    assert (reply["error"]["code"], reply["usage"]["model_calls"]) == (CALL_GIVEN_UP, 1)


async def test_an_answer_is_written_once(offline: OfflineModel, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs: MemoryBlobs = written(documents(["The belt was torn."]))
    monkeypatch.setattr(unit_calls, "shared_blobs", lambda: blobs)
    monkeypatch.setattr(reduce_parts, "READERS", Readers())
    way = TreeReduction(agent=AGENT)
    plan = await plan_level(blobs, PlanLevel(folder=FOLDER, way=way, number=1, pages=1))
    [unit] = units_of(blobs, 1, plan)

    reply = await reduce_parts.reduce_parts(call(unit).model_dump(mode="json"), NO_CLIENT)

    assert (reply["error"], offline.calls) == (None, 1)
    assert f"{FOLDER.name}reduce/1/answers/~reduction.json" in blobs.contents(FOLDER.container)
