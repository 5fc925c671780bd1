"""What the tests of runs in storage share: the parts of a run that others have, and its steps."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

import orchestrators.stored_map_reduce as under_test
from activities.names import FINISH_MAP, PLAN_DOCUMENTS
from orchestrators.map_reduce import map_reduce
from orchestrators.stage import StageOutcome
from orchestrators.stored_reduction import Reduced
from shared.contracts.branch import Usage
from shared.contracts.policy import Interruption
from shared.contracts.results import FinishedMap
from shared.contracts.storage import StoredFiles
from shared.contracts.stored_reduction import StoredReduction
from shared.contracts.work import RunFolder, Stage, Tally
from tests.orchestrators.fake_context import JSON, Call, Drive, FakeContext
from tests.orchestrators.given import USAGE

FOLDER = {"container": "results", "name": "team/run-1/", "run_id": "run-1"}
EARLIER = {"container": "results", "name": "team/run-0/", "run_id": "run-0"}
REDUCTION_USAGE = Usage(model_calls=1, input_tokens=7, output_tokens=3, total_tokens=10)


def request(**fields: Any) -> JSON:
    source = {"container": "documents", "prefix": "in/", "glob": "*.txt"}
    sink = {"container": "results", "prefix": "team"}
    agents = {"map": {"instructions": "Map.", "max_output_tokens": 90}, "reduce": {"instructions": "Reduce."}}
    return {"source": source, "sink": sink, **agents, **fields}


class Asked(NamedTuple):
    """What the reduction was asked for."""

    folder: RunFolder
    tally: Tally
    interruption: Interruption | None
    pages: int
    redrive_of: RunFolder | None


@dataclass
class Others:
    """The parts of a run that others have: what was asked of them, and what they say."""

    outcome: StageOutcome = field(default_factory=lambda: mapped(3))
    reduced: Reduced = field(default_factory=lambda: Reduced(answer(), Tally(succeeded=1, usage=REDUCTION_USAGE)))
    stages: list[Stage] = field(default_factory=list[Stage])
    reductions: list[Asked] = field(default_factory=list[Asked])

    def run_stage(self, _: Any, stage: Stage) -> Generator[Any, Any, StageOutcome]:
        yield from ()
        self.stages.append(stage)
        return self.outcome

    def reduce_stored(
        self, _run: Any, _request: Any, folder: RunFolder, tally: Tally, interruption: Interruption | None, **more: Any
    ) -> Generator[Any, Any, Reduced]:
        yield from ()
        self.reductions.append(Asked(folder, tally, interruption, **more))
        return self.reduced


def scripted(monkeypatch: pytest.MonkeyPatch) -> Others:
    """Put scripted shards and a scripted reduction in the place of the real ones."""
    others = Others()
    monkeypatch.setattr(under_test, "run_stage", others.run_stage)
    monkeypatch.setattr(under_test, "reduce_stored", others.reduce_stored)
    return others


def mapped(
    succeeded: int, failed: int = 0, interruption: Interruption | None = None, missing: list[str] | None = None
) -> StageOutcome:
    tally = Tally(succeeded=succeeded, failed=failed, usage=Usage.model_validate(USAGE))
    return StageOutcome(tally=tally, missing=missing or [], interruption=interruption)


def answer() -> StoredReduction:
    return StoredReduction.model_validate(
        {
            "reduction": "agent",
            "requested": "tree",
            "content": "All is well.",
            "output": "team/run-1/output.txt",
            "documents": 3,
        }
    )


def start(redrive: JSON | None = None, **fields: Any) -> Drive:
    return Drive(map_reduce, FakeContext({"request": request(**fields), "redrive": redrive}))


def asked(drive: Drive, activity: str) -> Call:
    """The newest call of this activity, which nobody has answered."""
    call = drive.context.activities[-1]
    assert call.name == activity
    assert not call.task.is_complete
    return call


def plan(drive: Drive, **fields: Any) -> None:
    """Let a step of planning end: by default all is planned."""
    totals = {"pages": 2, "works": 3, "documents": 3, "unreadable": 0, "bytes": 9, "tokens": 9, "cursor": None}
    drive.complete(asked(drive, PLAN_DOCUMENTS), {**totals, "problem": None, **fields})


def write_files(drive: Drive, succeeded: int = 3, failed: int = 0, **fields: Any) -> None:
    """Let `finish_map` end."""
    names = {name: f"team/run-1/{name}.jsonl" for name in ("results", "failures")}
    files = StoredFiles(container="results", folder="team/run-1/", documents="team/run-1/documents/", **names)
    tally = Tally(succeeded=succeeded, failed=failed, usage=Usage.model_validate(USAGE))
    written = FinishedMap.model_validate({"files": files, "tally": tally, **fields})
    drive.complete(asked(drive, FINISH_MAP), written.model_dump(mode="json"))


def finishing(others: Others, outcome: StageOutcome, **fields: Any) -> Drive:
    """A run of three documents whose map came to this, and whose files are being written."""
    others.outcome = outcome
    drive = start(**fields)
    plan(drive)
    asked(drive, FINISH_MAP)
    return drive
