"""What the tests of planning share: plans from blobs in memory, and what came of them."""

from __future__ import annotations

import json
from typing import Any

from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.planning import Plan, PlanInput
from shared.contracts.work import DocumentWork, Page, RunFolder, Unit, Work
from shared.errors import DocumentUnreadable
from shared.planning import STEP, StepBounds, plan
from shared.sources.texts import text_at
from tests.shared.memory_blobs import MemoryBlobs

FOLDER = RunFolder(container="out", name="runs/r1/", run_id="r1")
AGENTS = {"map": {"instructions": "Read."}, "reduce": {"type": "concatenate"}}


def request(source: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    body = {**AGENTS, **fields}
    if source is not None:
        body["source"] = {"container": "docs", **source}
    return MapReduceRequest.model_validate(body).model_dump(mode="json")


async def steps(blobs: MemoryBlobs, given: dict[str, Any], bounds: StepBounds = STEP) -> list[Plan]:
    """Every step of a plan; what passes between them passes as JSON."""
    done = [await plan(blobs, PlanInput(folder=FOLDER, request=given), bounds)]
    while done[-1].cursor is not None:
        cursor = json.loads(json.dumps(done[-1].cursor))
        done.append(await plan(blobs, PlanInput(folder=FOLDER, cursor=cursor), bounds))
    return done


async def planned(blobs: MemoryBlobs, given: dict[str, Any], bounds: StepBounds = STEP) -> Plan:
    return (await steps(blobs, given, bounds))[-1]


def units_of(blobs: MemoryBlobs, pages: int) -> list[Unit]:
    written = blobs.contents("out")
    numbers = range(1, pages + 1)
    return [
        unit
        for number in numbers
        for unit in restored(Page, json.loads(written[f"runs/r1/plan/{number:05d}.json"])).units
    ]


def works_of(blobs: MemoryBlobs, done: Plan) -> list[Work]:
    return [work for unit in units_of(blobs, done.pages) for work in unit.works]


def document(work: Work) -> DocumentWork:
    return restored(DocumentWork, work.place)


async def told(blobs: MemoryBlobs, done: Plan) -> list[tuple[str, int, dict[str, Any], str | None]]:
    """Each work with its text, whose place may differ from plan to plan."""
    found: list[tuple[str, int, dict[str, Any], str | None]] = []
    for work in works_of(blobs, done):
        about = document(work)
        text = None if about.problem else await text_or_error(blobs, about)
        found.append((work.name, work.tokens, about.model_dump(exclude={"text"}), text))
    return found


async def text_or_error(blobs: MemoryBlobs, about: DocumentWork) -> str:
    """What an unsplit blob holds shows only when it is read."""
    try:
        return await text_at(blobs, FOLDER, about.text)
    except DocumentUnreadable as exc:
        assert about.text.container == "docs"
        return exc.message
