"""Crashes in the middle of a run: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from local_host.offline_model import OfflineModel
from local_host.testing import running_host
from tests.end_to_end.conftest import APP_DIR, JSON, Chorus

BRANCHES = 200
LATENCY_S = 0.3
NAMES = [f"document-{number}" for number in range(1, BRANCHES + 1)]


@dataclass
class Crashing:
    """The app on a host whose workers are about to be killed."""

    host: running_host
    chorus: Chorus

    async def kill_every_worker(self) -> list[int]:
        pids = self.host.worker_pids
        for pid in pids:
            await asyncio.to_thread(self.host.kill_worker, pid)
        return pids

    async def done(self, run_id: str, branches: int) -> None:
        """Wait until so many branches are done."""
        view = await self.chorus.until(run_id, lambda view: view["progress"]["done"] >= branches)
        assert view["status"] == "running", "the run was over before its workers were killed"


@asynccontextmanager
async def crashing(workers: int) -> AsyncIterator[Crashing]:
    async with OfflineModel(directed_faults=True) as model:
        env = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "offline", "AZURE_OPENAI_ENDPOINT": ""}
        host = running_host(APP_DIR, env=env, args=["--workers", str(workers)])
        async with host, aiohttp.ClientSession() as session:
            yield Crashing(host, Chorus(host.base_url, session, model))


def documents() -> JSON:
    return {
        "documents": [
            {"id": name, "content": f"[[fault:slow:{LATENCY_S}]] The order {name} arrived late. It was wet."}
            for name in NAMES
        ],
        "map": {"instructions": "State what went wrong."},
        "reduce": {"instructions": "Summarise what went wrong."},
        "policy": {"max_concurrency": 40},
    }


def sections() -> JSON:
    return {
        "input": f"[[fault:slow:{LATENCY_S}]] Every order arrived late, and most of them were wet.",
        "sections": [{"name": name, "instructions": f"What does {name} say?"} for name in NAMES],
        "aggregation": "concatenate",
        "policy": {"max_concurrency": 40},
    }


def assert_whole(result: JSON) -> None:
    """Every branch has succeeded, once, with one call, and the run's usage is theirs."""
    assert (result["status"], result["completion_reason"]) == ("succeeded", "all_completed"), result["missing"]
    outcomes = result["outcomes"]
    assert Counter(outcome["name"] for outcome in outcomes) == Counter(NAMES)
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert all(outcome["output"] for outcome in outcomes)
    assert {(outcome["attempts"], outcome["usage"]["model_calls"]) for outcome in outcomes} == {(1, 1)}
    parts = [*outcomes, *([result["aggregation"]] if result["aggregation"] else [])]
    for field in ("model_calls", "input_tokens", "output_tokens", "total_tokens"):
        assert result["usage"][field] == sum(part["usage"][field] for part in parts)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_run_of_200_branches_survives_the_death_of_every_worker(workers: int) -> None:
    async with crashing(workers) as app:
        run_id = await app.chorus.start("map-reduce", documents())
        await app.done(run_id, 50)
        first = await app.kill_every_worker()
        result = await app.chorus.result(run_id)
        assert len(first) == workers
        assert not set(first) & set(app.host.worker_pids)
    assert_whole(result)
    assert result["output"]["documents"] == NAMES
    assert result["aggregation"]["status"] == "succeeded"
    lost = app.host.output.count("was killed by SIGKILL. Work items handed out again:")
    assert lost == workers
    assert "Work items handed out again: 0," not in app.host.output


async def test_a_run_of_200_branches_survives_one_death_after_another() -> None:
    async with crashing(2) as app:
        run_id = await app.chorus.start("sectioning", sections())
        for branches in (40, 80, 120):
            await app.done(run_id, branches)
            await app.kill_every_worker()
        result = await app.chorus.result(run_id)
    assert_whole(result)
    assert result["output"]["content"].count("## document-") == BRANCHES
