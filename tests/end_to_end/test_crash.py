"""Crashes in the middle of a run: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from local_host.offline_model import OfflineModel
from local_host.testing import ROOT, running_host

JSON = dict[str, Any]

BRANCHES = 200
LATENCY_S = 0.3
NAMES = [f"document-{number}" for number in range(1, BRANCHES + 1)]
RUN_LIMIT_S = 90.0
POLL_S = 0.02


@dataclass
class Crashing:
    """A client of the app on a host whose workers are about to be killed."""

    host: running_host
    session: aiohttp.ClientSession

    async def start(self, route: str, body: JSON) -> str:
        async with self.session.post(f"{self.host.base_url}/api/{route}", json=body) as answer:
            assert answer.status == 202, await answer.text()
            return (await answer.json())["id"]

    async def kill_workers_when(self, run_id: str, branches: int) -> list[int]:
        """Wait until so many branches are done, then kill every worker process there is; return their ids."""
        view = await self._poll(f"{run_id}/view", lambda view: view["progress"]["done"] >= branches)
        assert view["status"] == "running", "the run was over before its workers were killed"
        pids = self.host.worker_pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # one for suspects, which has just ended by itself
                os.kill(pid, signal.SIGKILL)
        return pids

    async def result(self, run_id: str) -> JSON:
        return await self._poll(run_id, lambda body: "outcomes" in body)

    async def _poll(self, path: str, condition: Callable[[JSON], bool]) -> JSON:
        """Ask until the answer is as wanted; one that was in a killed worker is a 500, and asked for again."""
        async with asyncio.timeout(RUN_LIMIT_S):
            while True:
                async with self.session.get(f"{self.host.base_url}/api/runs/{path}") as answer:
                    body = await answer.json(content_type=None) if answer.status in {200, 202} else {}
                if body and condition(body):
                    return body
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def crashing(workers: int) -> AsyncIterator[Crashing]:
    async with OfflineModel(directed_faults=True) as model:
        env = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "offline", "AZURE_OPENAI_ENDPOINT": ""}
        async with (
            running_host(ROOT, env=env, args=["--workers", str(workers)]) as host,
            aiohttp.ClientSession() as session,
        ):
            yield Crashing(host, session)


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
        run_id = await app.start("map-reduce", documents())
        killed = await app.kill_workers_when(run_id, 50)
        result = await app.result(run_id)
        assert len(killed) == workers
        assert not set(killed) & set(app.host.worker_pids)
    assert_whole(result)
    assert result["output"]["documents"] == NAMES
    assert result["aggregation"]["status"] == "succeeded"
    assert app.host.output.count("was killed by SIGKILL. Work items handed out again:") == workers
    assert "Work items handed out again: 0," not in app.host.output


async def test_a_run_of_200_branches_survives_one_death_after_another() -> None:
    async with crashing(2) as app:
        run_id = await app.start("sectioning", sections())
        killed = [pid for branches in (40, 80, 120) for pid in await app.kill_workers_when(run_id, branches)]
        result = await app.result(run_id)
        assert len(set(killed)) == len(killed) >= 4
    assert_whole(result)
    assert result["output"]["content"].count("## document-") == BRANCHES
