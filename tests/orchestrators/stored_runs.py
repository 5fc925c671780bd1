"""Whole runs in storage on the in-memory engine: the app's orchestrators, and scripted activities instead of blobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, override

from activities.names import (
    FINISH_MAP,
    JOIN_OUTPUTS,
    MAP_REDUCE,
    PLAN_DOCUMENTS,
    PLAN_LEVEL,
    REDUCE_PARTS,
    TAKE_OVER,
    shard_instance_id,
)
from shared.contracts.planning import Plan, PlanInput
from shared.contracts.results import FinishedMap, FinishMap
from shared.contracts.storage import StoredFiles
from shared.contracts.stored_reduction import JoinOutputs, LevelPlan, PlanLevel, StoredReduction
from shared.contracts.take_over import TakenOver
from shared.contracts.work import MAP_STAGE, OpenedPage, OpenPage, Unit
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.relay import Pages, Stages, unit


class StoredPages(Pages):
    """The pages of the map, and those of the reduction: one for each level, with as many calls as it has."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: Sequence[int] = ()

    @override
    def open_page(self, _: Any, given: JSON) -> JSON:
        asked = OpenPage.model_validate(given)
        if asked.stage == MAP_STAGE:
            return super().open_page(_, given)
        level = int(asked.stage.removeprefix("reduce-"))
        names = [f"~reduce-{level}-{number}" for number in range(1, self.levels[level - 1] + 1)]
        units = [unit(f"{level}r.{number}", name) for number, name in enumerate(names, 1)]
        return OpenedPage(units=units).model_dump(mode="json")


class StoredRuns(Stages):
    """`Stages` with map-reduce as a whole; `away` activities fail once, as when storage is away."""

    def __init__(self) -> None:
        self.stored_pages = StoredPages()
        super().__init__(self.stored_pages)
        self.away: list[str] = []
        registry = self._worker._registry
        for name, activity in {
            PLAN_DOCUMENTS: self._plan_documents,
            TAKE_OVER: lambda *_: TakenOver().model_dump(mode="json"),
            FINISH_MAP: self._finish_map,
            PLAN_LEVEL: self._plan_level,
            REDUCE_PARTS: self.pages.read,
            JOIN_OUTPUTS: self._join_outputs,
        }.items():
            registry.add_named_activity(name, activity)

    def start_run(
        self,
        pages: Sequence[Sequence[Unit]],
        *,
        levels: Sequence[int] = (),
        redrive_of: str | None = None,
        **policy: Any,
    ) -> None:
        """Start a run whose map has these pages; its tree so many calls on each of its `levels`, or there is none."""
        self.pages.pages, self.stored_pages.levels = pages, levels
        tree = {"type": "tree", "agent": {"instructions": "Reduce."}}
        request = {
            "source": {"container": "documents"},
            "sink": {"container": "results"},
            "map": {"instructions": "Map."},
            "reduce": tree if levels else "concatenate",
            "policy": policy,
        }
        given = {"request": request, "redrive": self._redrive(redrive_of) if redrive_of else None}
        self.client.schedule_new_orchestration(MAP_REDUCE, input=given, instance_id=self.run_id)

    def stage_shard_id(self, stage: str, number: int) -> str:
        return shard_instance_id(self.run_id, stage, number)

    @property
    def _works(self) -> int:
        return sum(len(one.works) for page in self.pages.pages for one in page)

    def _redrive(self, run_id: str) -> JSON:
        folder = {"container": "results", "name": f"{run_id}/", "run_id": run_id}
        planned = {"documents": self._works, "works": self._works, "pages": len(self.pages.pages)}
        return {"run_id": run_id, "reused": [], "folder": folder, "planned": planned}

    def _plan_documents(self, _: Any, given: JSON) -> JSON:
        """Two steps: the first plans one page."""
        self._answer_unless_away(PLAN_DOCUMENTS)
        asked = PlanInput.model_validate(given)
        if asked.cursor is None:
            return Plan(pages=1, works=1, documents=1, cursor={"after": "1"}).model_dump(mode="json")
        return Plan(pages=len(self.pages.pages), works=self._works, documents=self._works).model_dump(mode="json")

    def _finish_map(self, _: Any, given: JSON) -> JSON:
        self._answer_unless_away(FINISH_MAP)
        asked = FinishMap.model_validate(given)
        assert asked.tally is not None
        name = asked.folder.name
        files = StoredFiles(
            container="results", folder=name, documents=f"{name}documents/", results=f"{name}results.jsonl"
        )
        finished = FinishedMap(files=files, tally=asked.tally)
        return finished.model_dump(mode="json")

    def _plan_level(self, _: Any, given: JSON) -> JSON:
        number = PlanLevel.model_validate(given).number
        if number > len(self.stored_pages.levels):
            return LevelPlan().model_dump(mode="json")
        return LevelPlan(works=self.stored_pages.levels[number - 1], pages=1).model_dump(mode="json")

    def _join_outputs(self, _: Any, given: JSON) -> JSON:
        self._answer_unless_away(JOIN_OUTPUTS)
        asked = JoinOutputs.model_validate(given)
        reduction = StoredReduction(
            reduction=asked.way.type,
            requested=asked.way.type,
            content="all",
            output=f"{asked.folder.name}output.txt",
            documents=self._works,
            calls_per_level=asked.calls_per_level,
        )
        return reduction.model_dump(mode="json")

    def _answer_unless_away(self, activity: str) -> None:
        if activity in self.away:
            self.away.remove(activity)
            raise RuntimeError("storage is away")
