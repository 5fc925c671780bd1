"""The clients of the load benchmark: each starts a run, polls it to its result, checks that, and starts the next.

Most runs take the plain path: start, poll, result. By turns a client does more, as callers do: start with an
`Idempotency-Key`, send the same start again with it, look at the view, at the list of all runs, cancel.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

POLL_S = (0.25, 0.5)
"""Between two polls, drawn anew for each; the app itself asks for longer pauses, which would measure waiting."""
REQUEST_LIMIT_S = 60.0
RUN_LIMIT_S = 120.0
KEY_EVERY, AGAIN_EVERY, VIEW_EVERY, LIST_EVERY, CANCEL_EVERY = 3, 6, 5, 10, 15
EXAMPLES = 3
MATERIAL = "The checkout service times out when its pool of connections is exhausted. The alert was muted in March."

VOTE = {"question": "Is this a sound diagnosis?", "context": MATERIAL, "voters": 3, "ballot": {"type": "boolean"}}
SECTIONS = {
    "input": MATERIAL,
    "sections": [
        {"name": name, "instructions": f"Name the {name} in one sentence."} for name in ("cause", "effect", "remedy")
    ],
    "aggregation": "concatenate",
}
DOCUMENTS = {
    "documents": [{"id": f"note-{number}", "content": f"{MATERIAL} Note {number}."} for number in range(3)],
    "map": {"instructions": "Sum it up in one sentence."},
    "reduce": "concatenate",
}
REQUESTS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("voting", VOTE, 3),
    ("sectioning", SECTIONS, 3),
    ("map-reduce", DOCUMENTS, 3),
)
"""Route, request, and how many outcomes its result has."""


class Unexpected(Exception):
    """An answer that must not be: a defect, of the app or of the host."""


@dataclass
class Record:
    """What all clients saw."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of each kind of request, how long each took from its first byte sent to its last byte received."""
    runs_s: list[float] = field(default_factory=list)
    """From sending the start to holding the result."""
    ended: Counter[str] = field(default_factory=Counter)
    """Runs by their status."""
    defects: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def requests(self) -> int:
        """All that were answered."""
        return sum(len(values) for values in self.seconds.values())

    @property
    def runs(self) -> int:
        """All that came to their results."""
        return sum(self.ended.values())

    def defect(self, error: BaseException) -> None:
        """Count a defect, and keep the first few of its kind."""
        text = str(error) or repr(error)
        kind = text.partition(":")[0] if isinstance(error, Unexpected) else type(error).__name__
        self.defects[kind] += 1
        if len(self.examples[kind]) < EXAMPLES:
            self.examples[kind].append(text)


class Client:
    """One of many, with a number of its own; what it does is drawn from that number."""

    def __init__(self, number: int, session: aiohttp.ClientSession, api_url: str, record: Record) -> None:
        self._session = session
        self._api_url = api_url
        self._record = record
        self._random = random.Random(number)
        self._turn = number

    async def work_until(self, end: float) -> None:
        """Make runs one after the other; the one that is under way at the end is followed to its result."""
        while time.perf_counter() < end:
            self._turn += 1
            try:
                async with asyncio.timeout(RUN_LIMIT_S):
                    await self._one_run()
            except (Unexpected, aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
                self._record.defect(error)
                await asyncio.sleep(POLL_S[0])

    async def _one_run(self) -> None:
        route, body, outcomes = REQUESTS[self._turn % len(REQUESTS)]
        began = time.perf_counter()
        run_id = await self._started(route, body)
        cancelled = self._is_turn(CANCEL_EVERY) and await self._cancelled(run_id)
        if self._is_turn(VIEW_EVERY):
            self._expect("view", run_id, (await self._ask("view", "GET", f"/runs/{run_id}/view"))[1]["id"])
        if self._is_turn(LIST_EVERY):
            await self._ask("list", "GET", "/runs?limit=10")
        result = await self._result(run_id)
        self._record.runs_s.append(time.perf_counter() - began)
        self._record.ended[result["status"]] += 1
        self._expect("id of the result", run_id, result["id"])
        if not cancelled:
            self._expect("status of the result", "succeeded", result["status"])
            self._expect("number of outcomes", outcomes, len(result["outcomes"]))

    def _is_turn(self, every: int) -> bool:
        return self._turn % every == 0

    async def _started(self, route: str, body: dict[str, Any]) -> str:
        if not self._is_turn(KEY_EVERY):
            return (await self._ask("start", "POST", f"/{route}", body, expected=(202,)))[1]["id"]
        key = uuid.uuid4().hex
        copies = 2 if self._is_turn(AGAIN_EVERY) else 1
        starts = [
            self._ask("start with a key", "POST", f"/{route}", body, expected=(202,), key=key) for _ in range(copies)
        ]
        ids = [told["id"] for _, told in await asyncio.gather(*starts)]
        if self._is_turn(AGAIN_EVERY):
            self._expect("run of the same start sent twice", ids[0], ids[1])
        return ids[0]

    async def _cancelled(self, run_id: str) -> bool:
        """True when the run was told to end; it may have ended before."""
        await asyncio.sleep(self._random.uniform(0, 0.3))
        return (await self._ask("cancel", "DELETE", f"/runs/{run_id}", expected=(202, 409)))[0] == 202

    async def _result(self, run_id: str) -> dict[str, Any]:
        while True:
            await asyncio.sleep(self._random.uniform(*POLL_S))
            status, told = await self._ask("status", "GET", f"/runs/{run_id}", expected=(200, 202))
            if status == 200:
                return told

    async def _ask(
        self,
        kind: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        expected: Sequence[int] = (200,),
        key: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key else {}
        began = time.perf_counter()
        async with self._session.request(method, f"{self._api_url}{path}", json=body, headers=headers) as response:
            text = await response.text()
        self._record.seconds[kind].append(time.perf_counter() - began)
        if response.status not in expected:
            raise Unexpected(f"{kind} answered {response.status}: {method} {path}: {text[:500]}")
        return response.status, json.loads(text)

    @staticmethod
    def _expect(what: str, wanted: object, found: object) -> None:
        if wanted != found:
            raise Unexpected(f"{what} is not as it must be: {found!r} instead of {wanted!r}")


async def loaded(api_url: str, clients: int, seconds: float, record: Record) -> None:
    """Have so many clients work for so long, and to the ends of their last runs."""
    limit = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
        end = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(Client(number, session, api_url, record).work_until(end))
