"""The whole app as its callers meet it: real host process, real HTTP, real engine, the offline model over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from local_host.offline_model import OfflineModel
from local_host.testing import running_host

APP_DIR = Path(__file__).parents[2]
RUN_LIMIT_S = 60.0
POLL_S = 0.02

JSON = dict[str, Any]


def verdict(result: JSON) -> tuple[str, str]:
    """How the run ended, and why."""
    return result["status"], result["completion_reason"]


def outcomes_of(result: JSON) -> dict[str, JSON]:
    """The outcomes by branch."""
    return {outcome["name"]: outcome for outcome in result["outcomes"]}


def seconds(result: JSON) -> float:
    """How long the run took, as it says itself."""
    return (datetime.fromisoformat(result["ended_at"]) - datetime.fromisoformat(result["started_at"])).total_seconds()


@dataclass
class Chorus:
    """A client of a running app."""

    base_url: str
    session: aiohttp.ClientSession
    model: OfflineModel
    host: running_host

    async def post(self, route: str, body: JSON | None) -> tuple[int, JSON, dict[str, str]]:
        """POST JSON; None sends no body at all."""
        async with self.session.post(f"{self.base_url}/api/{route}", json=body) as answer:
            return answer.status, await answer.json(content_type=None), dict(answer.headers)

    async def get(self, route: str) -> tuple[int, JSON, dict[str, str]]:
        async with self.session.get(f"{self.base_url}/api/{route}") as answer:
            return answer.status, await answer.json(content_type=None), dict(answer.headers)

    async def delete(self, route: str) -> tuple[int, JSON]:
        async with self.session.delete(f"{self.base_url}/api/{route}") as answer:
            return answer.status, await answer.json(content_type=None)

    async def terminate(self, run_id: str) -> None:
        """End the orchestration from outside, by the management API of Durable Functions."""
        url = f"{self.base_url}/runtime/webhooks/durabletask/instances/{run_id}/terminate"
        async with self.session.post(url, params={"reason": "test"}) as answer:
            assert answer.status == 202

    async def purge(self, run_id: str) -> None:
        """Remove all that the task hub has of an orchestration, by the management API of Durable Functions."""
        url = f"{self.base_url}/runtime/webhooks/durabletask/instances/{run_id}"
        async with self.session.delete(url) as answer:
            assert answer.status == 200

    async def start_by_hand(self, orchestration: str, instance_id: str, given: JSON) -> None:
        """Start an orchestration with any input, by the management API of Durable Functions."""
        url = f"{self.base_url}/runtime/webhooks/durabletask/orchestrators/{orchestration}/{instance_id}"
        async with self.session.post(url, json=given) as answer:
            assert answer.status == 202

    async def start(self, route: str, body: JSON) -> str:
        status, accepted, _ = await self.post(route, body)
        assert status == 202, accepted
        return accepted["id"]

    async def result(self, run_id: str, poll_s: float = POLL_S, limit_s: float = RUN_LIMIT_S) -> JSON:
        """Poll as a caller does until there is a result."""
        async with asyncio.timeout(limit_s):
            while True:
                status, body, _ = await self.get(f"runs/{run_id}")
                if status == 200:
                    return body
                assert status == 202, body
                await asyncio.sleep(poll_s)

    async def until(self, run_id: str, condition: Any, poll_s: float = POLL_S) -> JSON:
        """Look at the run's view until `condition(view)` holds."""
        async with asyncio.timeout(RUN_LIMIT_S):
            while True:
                _, view, _ = await self.get(f"runs/{run_id}/view")
                if condition(view):
                    return view
                await asyncio.sleep(poll_s)

    async def run(self, route: str, body: JSON, poll_s: float = POLL_S) -> JSON:
        return await self.result(await self.start(route, body), poll_s)

    async def stats(self) -> JSON:
        """What the model counted, by its admin page."""
        async with self.session.get(f"{self.model.base_url.removesuffix('/v1')}/admin/stats") as answer:
            return await answer.json()

    async def model_calls(self, condition: Callable[[OfflineModel], bool]) -> None:
        """Wait until the model's calls are as `condition` says."""
        async with asyncio.timeout(RUN_LIMIT_S):
            while not condition(self.model):  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(POLL_S)


@asynccontextmanager
async def running_chorus(**env: str) -> AsyncGenerator[Chorus]:
    """The app with an offline model that obeys the markers in prompts."""
    async with OfflineModel(directed_faults=True, directed_answers=True) as model:
        model_env = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "offline", "AZURE_OPENAI_ENDPOINT": ""}
        async with running_host(APP_DIR, env={**model_env, **env}) as host, aiohttp.ClientSession() as session:
            yield Chorus(host.base_url, session, model, host)
            assert "TypeError" not in host.output, "the app called something of its own in a wrong way"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chorus() -> AsyncIterator[Chorus]:
    async with running_chorus() as app:
        yield app
