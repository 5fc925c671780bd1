"""Chorus, as a caller uses it: a POST, and polls of the run's status over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from job import MATERIAL, CannotRun, Run, Setup, Texts

SHORTEST_POLL_S = 0.02
LONGEST_POLL_S = 0.5
POLL_SHARE = 0.05
"""A poll follows the last after this share of the time that the run has taken, so polling adds no more than that."""
REQUEST_LIMIT_S = 30.0
CONNECTIONS = 200


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Run]:
    """One HTTP client for all runs."""
    body = request(setup)
    limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx2.AsyncClient(timeout=REQUEST_LIMIT_S, limits=limits, trust_env=False) as client:

        async def run() -> Texts:
            answer = await client.post(f"{setup.api_url}/sectioning", json=body)
            if answer.status_code == httpx2.codes.BAD_REQUEST:
                raise CannotRun(f"Chorus refuses the request: {answer.json()['detail']}")
            answer.raise_for_status()
            status_url = answer.json()["status_url"]
            try:
                return texts_of(await ended(client, status_url), setup)
            except asyncio.CancelledError:
                await client.delete(status_url)
                raise

        yield run


def request(setup: Setup) -> dict[str, Any]:
    """The body of `POST /api/sectioning`."""
    return {
        "input": MATERIAL,
        "sections": [{"name": each.name, "instructions": each.instructions} for each in setup.sections],
        "aggregation": "concatenate",
        "policy": {"deadline_s": setup.limit_s, **setup.options["policy"]},
    }


async def ended(client: httpx2.AsyncClient, status_url: str) -> dict[str, Any]:
    """The result of the run, when it has ended."""
    started = time.perf_counter()
    while True:
        answer = await client.get(status_url)
        answer.raise_for_status()
        if answer.status_code != httpx2.codes.ACCEPTED:
            return answer.json()
        pause_s = POLL_SHARE * (time.perf_counter() - started)
        await asyncio.sleep(min(max(pause_s, SHORTEST_POLL_S), LONGEST_POLL_S))


def texts_of(result: dict[str, Any], setup: Setup) -> Texts:
    """The sections' texts; a run that missed its policy has no result."""
    if result["status"] not in {"succeeded", "partial"}:
        raise RuntimeError(f"the run ended {result['status']}: {result['completion_reason']}")
    texts = {each["name"]: each["output"] for each in result["outcomes"] if each["status"] == "succeeded"}
    return [texts.get(section.name) for section in setup.sections]
