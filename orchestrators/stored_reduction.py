"""From the results in storage to one answer there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
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
    """The answer, and what its calls came to."""

    output: StoredReduction | None
    tally: Tally
    interruption: Interruption | None = None


def reduce_stored(
    run: Run, request: MapReduceRequest, folder: RunFolder, mapped: Tally, interruption: Interruption | None
) -> Generator[Task[Any], Any, Reduced]:
    """Reduce the results in `folder`; without calls if the map was interrupted."""
    del run, request, folder, mapped, interruption
    yield from ()
    raise NotImplementedError
