"""Maps whose outputs are in storage, and reductions of them that are played with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.base import restored
from shared.contracts.branch import Usage
from shared.contracts.reduction import RefineReduction, TreeReduction
from shared.contracts.stored_reduction import LevelPlan, PlanLevel
from shared.contracts.work import DocumentWork, Page, RunFolder, TextPlace, Unit, UnitCall, Work, stage_of
from shared.errors import ContentFiltered
from shared.model_client import Completion
from shared.stored_names import page_blob
from shared.stored_reduction.calls import read_parts
from shared.stored_reduction.files import RESULTS, level_page
from shared.stored_reduction.planning import plan_level
from shared.stored_reduction.reader import Readers
from tests.shared.memory_blobs import MemoryBlobs

FOLDER = RunFolder(container="results", name="runs/run-1/", run_id="run-1")
PAGE = 7
"""Works of a page: few, so that every map has several."""


@dataclass(frozen=True, repr=False)
class Mapped:
    """A work of the map and its output; None stands for a failure."""

    name: str
    output: Any
    document: str | None = None
    part: int | None = None
    of: int | None = None

    def __repr__(self) -> str:
        said = self.output if len(repr(self.output)) < 40 else f"…{len(repr(self.output))}"
        return f"{self.name}={said!r}"

    @property
    def origin(self) -> dict[str, Any]:
        lines = {} if self.part is None else {"first_line": self.part * 10, "last_line": self.part * 10 + 9}
        return {"document": self.document or self.name, "part": self.part, "of": self.of, **lines}


def documents(outputs: Sequence[Any]) -> list[Mapped]:
    """`d0`, `d1`, …"""
    return [Mapped(f"d{number}", output) for number, output in enumerate(outputs)]


def written(works: Sequence[Mapped], blobs: MemoryBlobs | None = None) -> MemoryBlobs:
    """The run's folder once the map is finished."""
    lines: list[bytes] = []
    planned: dict[str, bytes] = {}
    for start in range(0, len(works), PAGE):
        units = [
            Unit(name=f"1.{work.name}", works=[Work(name=work.name, place=place_of(work))])
            for work in works[start : start + PAGE]
        ]
        planned[page_blob(FOLDER, "map", start // PAGE + 1)] = Page(units=units).model_dump_json().encode()
    for work in works:
        if work.output is not None:
            origin = work.origin
            said = {"id": origin.pop("document"), "name": work.name, **origin, "status": "succeeded"}
            lines.append(json.dumps({**said, "output": work.output}).encode() + b"\n")
    results = {FOLDER.name + RESULTS: b"".join(lines)} if lines else {}
    blobs = blobs or MemoryBlobs()
    blobs.containers |= MemoryBlobs({FOLDER.container: {**planned, **results}}).containers
    return blobs


def place_of(work: Mapped) -> dict[str, Any]:
    return DocumentWork(text=TextPlace(blob="texts"), **work.origin).model_dump(mode="json")


def pages_of(works: Sequence[Mapped]) -> int:
    return -(-len(works) // PAGE)


@dataclass
class ScriptedModel:
    """A model that answers by the call's name, or fails where the reply is None."""

    reply: Callable[[str], str | None]
    name: str = ""
    prompts: dict[str, str] = field(default_factory=dict[str, str])

    async def complete(self, agent: Any, prompt: str, timeout_s: float) -> Completion:
        self.prompts[self.name] = prompt
        text = self.reply(self.name)
        if text is None:
            raise ContentFiltered("no")
        return Completion(text=text, usage=Usage(model_calls=1, total_tokens=3), model="scripted")


@dataclass
class Played:
    """A reduction that has been played: the calls of each level, and all prompts by the names of the calls."""

    levels: list[list[str]]
    prompts: dict[str, str]
    plans: list[LevelPlan]


async def played(
    blobs: MemoryBlobs,
    way: TreeReduction | RefineReduction,
    pages: int,
    reply: Callable[[str], str | None] = lambda _: "short",
) -> Played:
    """Plan and make the calls of each level until there are none."""
    end = Played([], {}, [])
    model = ScriptedModel(reply, prompts=end.prompts)
    while True:
        number = len(end.levels) + 1
        plan = await plan_level(blobs, PlanLevel(folder=FOLDER, way=way, number=number, pages=pages))
        if not plan.works:
            return end
        end.plans.append(plan)
        end.levels.append(await call_all(blobs, model, number, plan))


async def call_all(blobs: MemoryBlobs, model: ScriptedModel, number: int, plan: LevelPlan) -> list[str]:
    """Make the calls of a level; their names."""
    called: list[str] = []
    for unit in units_of(blobs, number, plan):
        model.name = unit.works[0].name
        called.append(model.name)
        await read_parts(blobs, model, Readers(), unit_call(unit, number))
    assert len(called) == plan.works
    return called


def units_of(blobs: MemoryBlobs, number: int, plan: LevelPlan) -> list[Unit]:
    """The units of a level, as they are on its pages."""
    names = [FOLDER.name + level_page(number, page) for page in range(1, plan.pages + 1)]
    pages = [restored(Page, json.loads(blobs.contents(FOLDER.container)[name])) for name in names]
    return [unit for page in pages for unit in page.units]


def unit_call(unit: Unit, number: int) -> UnitCall:
    return UnitCall(
        folder=FOLDER,
        stage=stage_of(number),
        unit=unit,
        attempt=1,
        instance="run-1:~reduce",
        deadline=datetime.now(UTC) + timedelta(minutes=5),
    )
