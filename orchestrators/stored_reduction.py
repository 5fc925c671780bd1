"""From the results in storage to one answer there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.contracts.policy import Interruption
from shared.contracts.stored_reduction import StoredReduction
from shared.contracts.work import RunFolder, Tally

if TYPE_CHECKING:
    from durabletask.task import Task

    from orchestrators.run import Run
    from shared.contracts.map_reduce import MapReduceRequest


@dataclass(frozen=True, slots=True)
class Reduced:
    """The answer, if there is one, and what its calls came to; `failure` says why something beside them failed."""

    output: StoredReduction | None
    tally: Tally
    interruption: Interruption | None = None
    missing: list[str] = field(default_factory=list[str])
    failure: str | None = None


def reduce_stored(
    run: Run,
    request: MapReduceRequest,
    folder: RunFolder,
    mapped: Tally,
    interruption: Interruption | None = None,
    *,
    pages: int,
    redrive_of: RunFolder | None = None,
) -> Generator[Task[Any], Any, Reduced]:
    """Reduce the results in `folder`; without calls if the map was interrupted."""
    del run, request, folder, mapped, interruption, pages, redrive_of
    yield from ()
    raise NotImplementedError
