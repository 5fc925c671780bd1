"""An upgrade in the middle of a run: the app that began it goes, a newer one comes, and the task hub stays.

App A is the package with 1.0 as its `defaultVersion`, app B the package as it is. Each has a host and a worker process
of its own; what outlives both is the engine, as a task hub does on Azure.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import override

import aiohttp
import pytest
from durabletask.internal import orchestrator_service_pb2 as pb

import local_host.host
from local_host.engine import LocalEngine
from local_host.offline_model import OfflineModel
from local_host.settings import load_settings
from local_host.worker_pool import WorkerPool
from shared.scheduling.hedging import MARGIN, MARGIN_BEFORE_2
from tests.end_to_end.conftest import JSON, POLL_S, RUN_LIMIT_S, verdict
from tests.orchestrators.fake_context import APP_VERSION
from tests.packaging.checkout import ROOT, files_of_the_checkout, kept
from tests.packaging.ignore_rules import as_git_reads

ORDINARY_S = 1.0
STRAGGLER_S = 3.0
DOCUMENTS = ["ordinary-1", "ordinary-2", "ordinary-3", "straggler"]


class TaskHub(LocalEngine):
    """An engine that its hosts neither make nor end; the newest of them says the version of what starts."""

    def __init__(self) -> None:
        super().__init__()
        self._address = super().start()

    def taken_over(self, *, default_version: str | None, **_: object) -> TaskHub:
        """The engine, for the next host."""
        self._default_version = default_version
        return self

    @override
    def start(self) -> str:
        return self._address

    @override
    def stop(self, grace: float | None = None) -> None:
        """A host has ended, and the task hub has not."""

    def end(self) -> None:
        super().stop()

    def events(self, run_id: str) -> list[pb.HistoryEvent]:
        with self._lock:
            return list(self._instances[run_id].history)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskHub]:
    made = TaskHub()
    monkeypatch.setattr(local_host.host, "LocalEngine", made.taken_over)
    yield made
    made.end()


def package(place: Path, default_version: str) -> Path:
    """The app as it is deployed, with this version in its host.json."""
    for path in kept(files_of_the_checkout(), as_git_reads((ROOT / ".funcignore").read_text("utf-8"))):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, place / path)
    config = json.loads((place / "host.json").read_text("utf-8"))
    config["extensions"]["durableTask"]["defaultVersion"] = default_version
    (place / "host.json").write_text(json.dumps(config), "utf-8")
    return place


class App:
    """A client of the app on its host."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url
        self._session = session

    async def start(self) -> str:
        """Start a run whose last document takes longer than the others."""
        seconds = {name: STRAGGLER_S if name == "straggler" else ORDINARY_S for name in DOCUMENTS}
        body = {
            "documents": [
                {"id": name, "content": f"[[fault:slow:{seconds[name]}]] It was late."} for name in DOCUMENTS
            ],
            "map": {"instructions": "State what went wrong."},
            "reduce": "concatenate",
            "policy": {"hedge": "p95"},
        }
        async with self._session.post(f"{self._base_url}/api/map-reduce", json=body) as answer:
            assert answer.status == 202, await answer.text()
            return (await answer.json())["id"]

    async def result(self, run_id: str) -> JSON:
        async with asyncio.timeout(RUN_LIMIT_S):
            while True:
                async with self._session.get(f"{self._base_url}/api/runs/{run_id}") as answer:
                    if answer.status == 200:
                        return await answer.json()
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def deployed(app_dir: Path) -> AsyncGenerator[App]:
    """The app on a host of its own, which ends with the block."""
    settings = load_settings(app_dir, os.environ)
    workers = WorkerPool(1, settings.log_levels)
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    host = local_host.host.Host(app_dir, settings, workers, base_url, started=time.monotonic())
    workers.begin(str(app_dir))
    try:
        await host.start(listener)
        async with aiohttp.ClientSession() as session:
            yield App(base_url, session)
    finally:
        await host.stop()
        workers.kill()


def version_of(events: list[pb.HistoryEvent]) -> str:
    """The version that the run was given when it began."""
    return next(event.executionStarted.version.value for event in events if event.HasField("executionStarted"))


def learned_wait(events: list[pb.HistoryEvent]) -> tuple[float, float]:
    """What the run had seen of its slowest ordinary call, and what it gave the straggler, by its first timer for it."""
    turn = began = None
    for event in events:
        if event.HasField("orchestratorStarted"):
            turn = event.timestamp.ToDatetime()
            began = began or turn
        elif event.HasField("timerCreated") and turn != began:
            assert turn is not None
            assert began is not None
            return (turn - began).total_seconds(), (event.timerCreated.fireAt.ToDatetime() - began).total_seconds()
    raise AssertionError("the run has set no timer for its straggler")


def most_worked_s(events: list[pb.HistoryEvent]) -> float:
    """How long the worker was at the slowest ordinary call."""
    told = [event.subOrchestrationInstanceCompleted.result.value for event in events]
    outcomes = [json.loads(text) for text in told if text]
    return max(worked_s for outcome in outcomes if (worked_s := outcome["worked_s"]) < STRAGGLER_S)


async def test_a_run_goes_on_after_an_upgrade_as_it_began_and_a_new_one_as_the_new_app_decides(
    hub: TaskHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with OfflineModel(directed_faults=True) as model:
        for name, value in {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "offline"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "")
        async with deployed(package(tmp_path / "a", "1.0")) as app:
            begun = await app.start()
            async with asyncio.timeout(RUN_LIMIT_S):
                while model.calls < len(DOCUMENTS):  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(POLL_S)
        assert not any(event.HasField("executionCompleted") for event in hub.events(begun))
        assert not any(event.HasField("subOrchestrationInstanceCompleted") for event in hub.events(begun))
        async with deployed(package(tmp_path / "b", APP_VERSION)) as app:
            new = await app.start()
            results = [await app.result(run_id) for run_id in (begun, new)]

    assert [verdict(result) for result in results] == [("succeeded", "all_completed")] * 2
    assert [outcome["name"] for result in results for outcome in result["outcomes"]] == DOCUMENTS * 2
    assert [version_of(hub.events(run_id)) for run_id in (begun, new)] == ["1.0", APP_VERSION]
    seen_s, wait_s = learned_wait(hub.events(begun))
    assert wait_s == pytest.approx(MARGIN_BEFORE_2 * seen_s, rel=1e-3)
    seen_s, wait_s = learned_wait(hub.events(new))
    assert wait_s == pytest.approx(seen_s + (MARGIN - 1) * most_worked_s(hub.events(new)), rel=1e-3)
