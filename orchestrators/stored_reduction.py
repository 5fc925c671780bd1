"""From the results in storage to one answer there: the reduction that a request asks for, by names and counts alone.

1. An activity plans the next calls of a tree, or the next step of a refinement, from the answers that are there.
2. The calls are a stage, as the map's are: shards, window, retries, deadline and budget are those of the run.
3. When there are no more, or after an interruption, an activity writes the answer, or what there is, to a file.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import JOIN_OUTPUTS, PLAN_LEVEL, REDUCE_PARTS
from orchestrators.run import Run, may_go_on
from orchestrators.stage import run_stage
from orchestrators.step import step
from shared.contracts.base import restored
from shared.contracts.policy import Interruption
from shared.contracts.reduction import RefineReduction, TreeReduction
from shared.contracts.stored_reduction import (
    JoinOutputs,
    LevelPlan,
    Listed,
    PlanLevel,
    StoredReduction,
    together,
)
from shared.contracts.work import RunFolder, Stage, Tally, stage_of

if TYPE_CHECKING:
    from durabletask.task import Task

    from shared.contracts.map_reduce import MapReduceRequest

MAX_LEVELS = 500
"""Of a refinement, each step of which adds to the run's history; a tree has some twenty at most."""
JOIN_GRACE_S = 120.0
"""How long after its deadline a run may write its answer."""
NOTHING = Tally()
NOTHING_CLIPPED = Listed()
UNDONE = Tally(failed=1)
"""A level that could not be planned, or an answer that could not be written, counts as a failed call."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """The answer, if there is one, and what its calls came to; `missing` names the first that failed.

    `failure` says why something beside the calls failed, which counts as a failed call.
    """

    output: StoredReduction | None
    tally: Tally = NOTHING
    interruption: Interruption | None = None
    missing: list[str] = field(default_factory=list[str])
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Levels:
    """A reduction by calls as far as it has come; `calls` are those of each level."""

    calls: tuple[int, ...] = ()
    clipped: Listed = NOTHING_CLIPPED
    tally: Tally = NOTHING
    missing: tuple[str, ...] = ()
    interruption: Interruption | None = None
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
    """Reduce the results in `folder`, those of the works on `pages` pages; without calls if the map was interrupted.

    The run has entered the phase of aggregation. Pages that are not in the folder are in that of the run that this one
    is a redrive of.
    """
    way = with_defaults(request)
    levels = Levels()
    if isinstance(way, TreeReduction | RefineReduction) and mapped.succeeded and may_go_on(interruption):
        given = PlanLevel(folder=folder, way=way, number=1, pages=pages, redrive_of=redrive_of)
        levels = yield from read(run, given)
    joining = JoinOutputs(
        folder=folder,
        way=way,
        pages=pages,
        split=request.split.by != "document",
        planned=len(levels.calls),
        interrupted=levels.interruption is not None,
        calls_per_level=list(levels.calls),
        clipped=levels.clipped,
        redrive_of=redrive_of,
    )
    return (yield from joined(run, joining, levels))


def with_defaults(request: MapReduceRequest) -> Any:
    """The way to reduce, its agent with the request's defaults."""
    way = request.reduction
    if not isinstance(way, TreeReduction | RefineReduction):
        return way
    return way.model_copy(update={"agent": way.agent.with_defaults(request.defaults)})


def read(run: Run, given: PlanLevel) -> Generator[Task[Any], Any, Levels]:
    """Make the calls of the reduction, level by level."""
    levels = Levels()
    while levels.interruption is None:
        if len(levels.calls) == MAX_LEVELS:
            failure = f"the reduction was not at its end after {MAX_LEVELS} steps; raise max_input_tokens"
            return replace(levels, tally=levels.tally + UNDONE, failure=failure)
        number = len(levels.calls) + 1
        found = yield from step(
            run, PLAN_LEVEL, given.model_copy(update={"number": number}), [run.deadline_timer, run.cancel_event]
        )
        if found.answer is None:
            failed = found.failure is not None
            tally = levels.tally + UNDONE if failed else levels.tally
            return replace(levels, tally=tally, failure=found.failure, interruption=run.interruption)
        plan = restored(LevelPlan, found.answer)
        if not plan.works:
            return levels
        levels = yield from call_level(run, given, plan, levels)
    return levels


def call_level(run: Run, given: PlanLevel, plan: LevelPlan, levels: Levels) -> Generator[Task[Any], Any, Levels]:
    """Make the calls of a level."""
    stage = Stage(
        name=stage_of(len(levels.calls) + 1),
        call=REDUCE_PARTS,
        folder=given.folder,
        pages=plan.pages,
        works=plan.works,
        base_tokens=plan.base_tokens,
        max_output_tokens=given.way.agent.max_output_tokens,
        recipe=run.recipe,
        hedges_sooner=run.hedges_sooner,
    )
    outcome = yield from run_stage(replace(run, policy=run.aggregation_policy), stage)
    return replace(
        levels,
        calls=(*levels.calls, plan.works),
        clipped=together(levels.clipped, plan.clipped),
        tally=levels.tally + outcome.tally,
        missing=(*levels.missing, *outcome.missing),
        interruption=outcome.interruption,
    )


def joined(run: Run, given: JoinOutputs, levels: Levels) -> Generator[Task[Any], Any, Reduced]:
    """Have the answer written, which a cancelled run does not wait for: its results are there."""
    reduced = Reduced(None, levels.tally, levels.interruption, list(levels.missing), levels.failure)
    if run.interruption == "cancelled":
        return replace(reduced, interruption="cancelled")
    patience = max(run.context.current_utc_datetime, run.deadline) + timedelta(seconds=JOIN_GRACE_S)
    limit = run.context.create_timer(patience)
    found = yield from step(run, JOIN_OUTPUTS, given, [limit, run.cancel_event])
    if not limit.is_complete:
        cast(Any, limit).cancel()
    if found.answer is not None:
        return replace(reduced, output=restored(StoredReduction, found.answer))
    if found.failure is None:
        return replace(reduced, interruption=run.interruption)
    return replace(reduced, tally=levels.tally + UNDONE, failure=found.failure)
