"""What there is to do for a run in storage: planned anew, or taken over from the run that a redrive goes on from."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activities.names import PLAN_DOCUMENTS, TAKE_OVER
from orchestrators.run import Run
from orchestrators.step import Step, step
from shared.contracts.base import restored
from shared.contracts.branch import BranchError
from shared.contracts.planning import Plan, PlanInput
from shared.contracts.policy import Interruption, RunPolicy
from shared.contracts.run import Planned, Redrive
from shared.contracts.take_over import TakenOver, TakeOver
from shared.contracts.work import RunFolder

if TYPE_CHECKING:
    from durabletask.task import Task

    from shared.contracts.base import Contract
    from shared.contracts.map_reduce import MapReduceRequest

NO_DOCUMENTS = "no_documents"
"""The error's code of a run whose source has nothing."""
SOURCE_NOT_USABLE = "source_not_usable"
"""Of one whose source cannot be listed or read, or has too much."""
POLICY_MISFIT = "policy_misfit"
"""Of one that cannot meet its policy, however well it goes."""


@dataclass(frozen=True, slots=True)
class Planning:
    """What is planned, or why nothing is. `redrive_of` has results of an earlier run for the same pages."""

    planned: Planned | None = None
    redrive_of: RunFolder | None = None
    error: BranchError | None = None
    interruption: Interruption | None = None


def plan(
    run: Run, request: MapReduceRequest, folder: RunFolder, redrive: Redrive | None
) -> Generator[Task[Any], Any, Planning]:
    """What the run has to do."""
    run.enter("planning", total=0)
    if redrive is None or redrive.folder is None or redrive.planned is None:
        planning = yield from _planned_anew(run, request, folder)
    else:
        planning = yield from _taken_over(run, folder, redrive.folder, redrive.planned)
    misfit = planning.planned and problem_of(planning.planned, request, run.policy)
    return Planning(error=misfit) if misfit else planning


def problem_of(planned: Planned, request: MapReduceRequest, policy: RunPolicy) -> BranchError | None:
    """Why a run with so much to do is not worth its first call."""
    if planned.works == 0:
        return _problem(NO_DOCUMENTS, _no_documents(request))
    if policy.min_successful is not None and policy.min_successful > planned.works:
        told = f"min_successful is {policy.min_successful:,}, but there are only {planned.works:,} documents or parts"
        return _problem(POLICY_MISFIT, f"{told}; lower policy.min_successful")
    return None


def _planned_anew(run: Run, request: MapReduceRequest, folder: RunFolder) -> Generator[Task[Any], Any, Planning]:
    given = PlanInput(folder=folder, request=request.model_dump(mode="json"))
    while True:
        found = yield from _asked(run, PLAN_DOCUMENTS, given)
        if found.answer is None:
            return _without_answer(run, found)
        planned = restored(Plan, found.answer)
        if planned.problem is not None:
            return Planning(error=_problem(SOURCE_NOT_USABLE, planned.problem))
        if planned.cursor is None:
            return Planning(Planned(documents=planned.documents, works=planned.works, pages=planned.pages))
        run.enter("planning", total=planned.works)
        given = PlanInput(folder=folder, cursor=planned.cursor)


def _taken_over(
    run: Run, folder: RunFolder, earlier: RunFolder, planned: Planned
) -> Generator[Task[Any], Any, Planning]:
    given = TakeOver(folder=folder, earlier=earlier, policy=run.policy)
    found = yield from _asked(run, TAKE_OVER, given)
    if found.answer is None:
        return _without_answer(run, found)
    if problem := restored(TakenOver, found.answer).problem:
        return Planning(error=_problem(SOURCE_NOT_USABLE, problem))
    return Planning(planned, redrive_of=earlier)


def _asked(run: Run, activity: str, given: Contract) -> Generator[Task[Any], Any, Step]:
    """The answer to a step of planning, unless the run is interrupted."""
    if run.interruption is not None:
        return Step()
    return (yield from step(run, activity, given, [run.deadline_timer, run.cancel_event]))


def _without_answer(run: Run, found: Step) -> Planning:
    if found.failure is not None:
        return Planning(error=BranchError(code=SOURCE_NOT_USABLE, message=found.failure, retriable=True))
    return Planning(interruption=run.interruption)


def _no_documents(request: MapReduceRequest) -> str:
    source = request.source
    if source is None:
        return "the request has no documents"
    where = f"no blob of the container {source.container!r} begins with the prefix {source.prefix!r}"
    fits = f" and fits the glob {source.glob!r}" if source.glob is not None else ""
    records = "" if source.format in {"text", "markdown"} else f", or none has a record ({source.format})"
    return f"there are no documents: {where}{fits}{records}; look at source"


def _problem(code: str, message: str) -> BranchError:
    return BranchError(code=code, message=message, retriable=False)
