"""What tests of the offline model share: waiting for it, calling it over plain HTTP, and running it as a process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

APP_DIR = Path(__file__).parents[2]
LIMIT_S = 20.0


async def until(condition: Callable[[], object]) -> None:
    """Waits for what the server's own task brings about."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - the server has no event for a test to wait on
            await asyncio.sleep(0.01)


class Caller:
    """Plain HTTP calls to a model: status, headers and body, whatever they are."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, prompt: str = "The disk was full.") -> tuple[int, Any]:
        async with self._session.post("/v1/responses", json={"model": "m", "input": prompt}) as answer:
            await answer.read()
            return answer.status, answer

    async def stats(self) -> Any:
        async with self._session.get("/admin/stats") as answer:
            return await answer.json()

    async def post(self, path: str) -> tuple[int, Any]:
        async with self._session.post(path) as answer:
            return answer.status, await answer.json()

    async def calls(self) -> Any:
        async with self._session.get("/admin/calls") as answer:
            return await answer.json()


@asynccontextmanager
async def caller_of(base_url: str) -> AsyncIterator[Caller]:
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    async with aiohttp.ClientSession(
        base_url.removesuffix("/v1"),
        connector=aiohttp.TCPConnector(limit=0),
        headers={"Authorization": "Bearer any"},
        timeout=timeout,
    ) as session:
        yield Caller(session)


async def start_process(*options: str) -> tuple[asyncio.subprocess.Process, str]:
    """The model as a process of its own, and its base URL from the first line that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local_host.offline_model", "--port", "0", *options,
        cwd=APP_DIR, env=dict(os.environ), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        line = (await process.stdout.readline()).decode().strip()
    assert line.startswith("Offline model on http://127.0.0.1:"), line
    return process, line.removeprefix("Offline model on ")
