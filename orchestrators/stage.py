"""A fan-out over pages, a shard each."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.contracts.policy import Interruption
from shared.contracts.work import Stage, Tally

if TYPE_CHECKING:
    from durabletask.task import Task

    from orchestrators.run import Run


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What came of a stage: all its works are in the tally; `missing` names the first without an answer."""

    tally: Tally
    missing: list[str] = field(default_factory=list[str])
    interruption: Interruption | None = None


def run_stage(run: Run, stage: Stage) -> Generator[Task[Any], Any, StageOutcome]:
    """Run all works of the stage."""
    del run, stage
    yield from ()
    raise NotImplementedError
