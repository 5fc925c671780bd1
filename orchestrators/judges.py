"""The judges of votes: what a count needs of them, asked side by side for all counts of a run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from orchestrators.fan_out import call_aggregators
from orchestrators.run import FannedOut, Run
from shared.voting.counting import Counting
from shared.voting.judging import without_overlap

if TYPE_CHECKING:
    from durabletask.task import Task


def consult(
    run: Run, countings: Sequence[Counting], total: int
) -> Generator[Task[Any], Any, tuple[list[Counting], FannedOut]]:
    """The counts after all that judges had to say to them, and the calls to these; `total` is of the run's branches."""
    heard = list(countings)
    judges = FannedOut([])
    while judges.interruption is None and any(questions := [counting.questions() for counting in heard]):
        run.enter("aggregation", total=total)
        told = yield from call_aggregators(run, [question for each in questions for question in each])
        answers = [without_overlap(outcome) for outcome in told.outcomes]
        judges = FannedOut([*judges.outcomes, *answers], told.interruption)
        left = iter(answers)
        heard = [
            counting.heard([next(left) for _ in each]) if each else counting
            for counting, each in zip(heard, questions, strict=True)
        ]
    return heard, judges
