"""Many outputs: calls and depth as computed on paper, and memory that does not grow with their number."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from math import ceil

from shared.contracts.agent import AgentSpec
from shared.contracts.reduction import TreeReduction
from shared.contracts.stored_reduction import PlanLevel
from shared.contracts.work import DocumentWork, Page, TextPlace, Unit, Work
from shared.errors import DocumentGone
from shared.stored_names import page_blob
from shared.stored_reduction.files import RESULTS
from shared.stored_reduction.planning import plan_level
from shared.stored_reduction.survey import SURVEY
from shared.token_estimate import estimated_input_tokens
from tests.shared.aggregation.reading import AGENT
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_reduction.stored_map import FOLDER, documents, pages_of, played, written

OUTPUTS = 10_000
WORKS_OF_A_PAGE = 250
LINE = 2_000
"""Bytes of a line."""


def test_two_thousand_outputs_are_reduced_by_as_many_calls_as_computed() -> None:
    works = documents([f"{number:04} " + "o" * 950 for number in range(2_000)])
    way = TreeReduction(agent=AGENT, max_input_tokens=10_000, max_fan_in=20)
    stored = asyncio.run(played(written(works), way, pages_of(works), lambda _: "short"))

    expected = [ceil(2_000 / 20), ceil(100 / 20), 1]
    assert [len(level) for level in stored.levels] == expected
    assert [plan.works for plan in stored.plans] == expected
    assert all(estimated_input_tokens(AGENT, prompt) <= 10_000 for prompt in stored.prompts.values())
    assert sum(prompt.count("<answer") for prompt in stored.prompts.values()) == 2_000 + 100 + 5


class GeneratedBlobs(MemoryBlobs):
    """Pages and results that are made when they are read, so that what is held is what the reader holds."""

    def __init__(self) -> None:
        super().__init__()
        self.containers[FOLDER.container] = {}

    async def read(
        self, container: str, name: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        if name == FOLDER.name + RESULTS and length is not None:
            first, last = offset // LINE, (offset + length + LINE - 1) // LINE
            data = b"".join(lines(first, min(last, OUTPUTS)))
            return data[offset - first * LINE :][:length]
        for number in range(1, OUTPUTS // WORKS_OF_A_PAGE + 1):
            if name == page_blob(FOLDER, "map", number):
                return page(number)
        if name.endswith(SURVEY) and name not in self.containers[container]:
            raise DocumentGone(name)
        return await super().read(container, name, offset=offset, length=length, etag=etag)

    async def stream(self, container: str, name: str, *, etag: str | None = None) -> AsyncIterator[bytes]:
        for first in range(0, OUTPUTS, 1_000):
            yield b"".join(lines(first, first + 1_000))

    async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
        kept = name.endswith(("survey.json", "missing.jsonl"))
        return await super().write(container, name, data if kept else b"", only_new=only_new)

    async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
        await super().stage(container, name, block, b"")


def lines(first: int, last: int) -> Iterator[bytes]:
    for number in range(first, last):
        head = json.dumps({"id": f"d{number}", "name": f"d{number}", "output": ""})[:-2].encode()
        yield head + b"o" * (LINE - len(head) - 3) + b'"}\n'


def page(number: int) -> bytes:
    first = (number - 1) * WORKS_OF_A_PAGE
    units = [
        Unit(name=f"{number}.{place}", works=[Work(name=f"d{place}", place=text_of(f"d{place}"))])
        for place in range(first, first + WORKS_OF_A_PAGE)
    ]
    return Page(units=units).model_dump_json().encode()


def text_of(document: str) -> object:
    return DocumentWork(text=TextPlace(blob="texts"), document=document).model_dump(mode="json")


def test_planning_a_level_of_many_outputs_holds_a_few_megabytes() -> None:
    """Twenty megabytes of outputs, 10,000 of them: a window of the file, a page, and some units."""
    way = TreeReduction(agent=AgentSpec(instructions="Reduce."), max_input_tokens=5_000)
    tracemalloc.start()
    try:
        plan = asyncio.run(plan_level(GeneratedBlobs(), PlanLevel(
            folder=FOLDER, way=way, number=1, pages=OUTPUTS // WORKS_OF_A_PAGE,
        )))  # fmt: skip
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert plan.works > 900
    assert peak < 40_000_000
    print(f"{plan.works} calls, peak {peak / 1e6:.1f} MB")
