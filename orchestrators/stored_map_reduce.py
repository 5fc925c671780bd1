"""Map-reduce in storage: the same as in history, with a folder of blobs in the place of outcomes.

1. The documents are planned, page by page, or a redrive takes over the plan of an earlier run.
2. The map is a stage: a fan-out over the pages, a shard each.
3. The shards' results become files, also those of a run that was interrupted.
4. The reduction reads these files.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import FINISH_MAP, READ_DOCUMENTS
from orchestrators.planning import Planning, plan
from orchestrators.run import Run, may_go_on
from orchestrators.stage import StageOutcome, run_stage
from orchestrators.step import step
from orchestrators.stored_reduction import Reduced, reduce_stored
from shared.aggregation.completion import verdict_by_counts
from shared.contracts.base import restored
from shared.contracts.branch import BranchError, Usage
from shared.contracts.missing import first_names
from shared.contracts.policy import Interruption
from shared.contracts.results import FinishedMap, FinishMap, Undecided
from shared.contracts.run import CompletionReason, Counts, Planned, Redrive, RunResult, RunStatus
from shared.contracts.storage import BlobSink, StoredFiles
from shared.contracts.work import MAP_STAGE, RunFolder, Stage, Tally, files_of
from shared.scheduling.accounts import CUT_SHORT
from shared.token_estimate import estimated_input_tokens

if TYPE_CHECKING:
    from durabletask.task import Task

    from shared.contracts.map_reduce import MapReduceRequest

CANCEL_GRACE_S = 0.5
"""How long a cancelled run, whose calls have had a moment, waits for its files. They are written on without it."""
FILES_GRACE_S = 60.0
"""How long after its deadline a run may write its files."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What came of the map. Without `finished`, its files could not be written; `failure` says why, if it is known."""

    planned: Planned
    outcome: StageOutcome
    finished: FinishedMap | None = None
    failure: str | None = None

    @property
    def tally(self) -> Tally:
        """What the files say, or else the shards: a call may have ended after its shard."""
        return self.finished.tally if self.finished else self.outcome.tally

    @property
    def missing(self) -> list[str]:
        """The first of the works without an answer."""
        return self.finished.missing if self.finished else self.outcome.missing


def map_in_storage(
    run: Run, request: MapReduceRequest, redrive: Redrive | None
) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a request with a sink to its `RunResult`."""
    folder = RunFolder.of(cast(BlobSink, request.sink), run.context.instance_id)
    planning = yield from plan(run, request, folder, redrive)
    if planning.planned is None:
        return unplanned(run, folder, planning)
    mapped = yield from map_documents(run, request, folder, planning.planned, planning.redrive_of)
    status, _ = verdict_of(run, mapped)
    if status not in {"succeeded", "partial"} or mapped.finished is None:
        return ended(run, folder, mapped)
    counts = counts_of(planning.planned, mapped.tally)
    told = {"succeeded": counts.succeeded, "failed": counts.failed, "reused": counts.reused}
    run.enter("aggregation", total=counts.works, **told, tokens=mapped.tally.usage.total_tokens)
    reduced = yield from reduce_stored(
        run,
        request,
        folder,
        mapped.tally,
        mapped.outcome.interruption,
        pages=planning.planned.pages,
        redrive_of=planning.redrive_of,
    )
    return ended(run, folder, mapped, reduced)


def map_documents(
    run: Run, request: MapReduceRequest, folder: RunFolder, planned: Planned, redrive_of: RunFolder | None
) -> Generator[Task[Any], Any, Mapped]:
    """Have every document read, and write the files."""
    run.enter("branches", total=planned.works)
    agent = request.map.with_defaults(request.defaults)
    stage = Stage(
        name=MAP_STAGE,
        call=READ_DOCUMENTS,
        folder=folder,
        pages=planned.pages,
        works=planned.works,
        base_tokens=estimated_input_tokens(agent, ""),
        max_output_tokens=agent.max_output_tokens,
        redrive_of=redrive_of,
        recipe=run.recipe,
        hedges_sooner=run.hedges_sooner,
    )
    mapped = Mapped(planned, (yield from run_stage(run, stage)))
    status, _ = verdict_of(run, mapped)
    given = FinishMap(
        folder=folder,
        pages=planned.pages,
        documents=planned.works if planned.documents is None else planned.documents,
        tally=mapped.tally,
        undecided=undecided(mapped.outcome.interruption),
        status=status,
        started_at=run.started_at,
        ended_at=run.context.current_utc_datetime,
        redrive_of=redrive_of,
    )
    return (yield from finish(run, mapped, given))


def finish(run: Run, mapped: Mapped, given: FinishMap) -> Generator[Task[Any], Any, Mapped]:
    """Have the files written, for which a cancelled run waits a moment only."""
    cancelled = mapped.outcome.interruption == "cancelled"
    now = run.context.current_utc_datetime
    patience = timedelta(seconds=CANCEL_GRACE_S if cancelled else FILES_GRACE_S)
    limit = run.context.create_timer(now + patience if cancelled else max(now, run.deadline) + patience)
    found = yield from step(run, FINISH_MAP, given, [limit] if cancelled else [limit, run.cancel_event])
    if not limit.is_complete:
        cast(Any, limit).cancel()
    if found.answer is not None:
        return replace(mapped, finished=restored(FinishedMap, found.answer))
    outcome = mapped.outcome.by_now()
    if found.failure is None and run.interruption == "cancelled":
        return replace(mapped, outcome=replace(outcome, interruption="cancelled"))
    too_late = f"storage had not taken them {FILES_GRACE_S:g} s after the run's time was up"
    return replace(mapped, outcome=outcome, failure=found.failure or too_late)


def undecided(interruption: Interruption | None) -> Undecided:
    """What is said of works that the run did not let come to their end."""
    if interruption is None:
        lost = BranchError(code="branch_failed", message="its shard ended without an account of it", retriable=True)
        return Undecided(status="failed", error=lost)
    status, why = CUT_SHORT[interruption]
    message = f"{why} before the document's agent had answered"
    return Undecided(status=status, error=BranchError(code=interruption, message=message, retriable=True))


def counts_of(planned: Planned, tally: Tally) -> Counts:
    """The run's counts. Works of which nobody has told are among those that failed."""
    return Counts(
        documents=planned.documents,
        works=planned.works,
        pages=planned.pages,
        succeeded=tally.succeeded,
        failed=planned.works - tally.succeeded,
        reused=tally.reused,
    )


def verdict_of(run: Run, mapped: Mapped) -> tuple[RunStatus, CompletionReason]:
    """How the map went, by the policy."""
    succeeded = mapped.tally.succeeded
    failed = mapped.planned.works - succeeded
    return verdict_by_counts(succeeded, failed, run.policy, mapped.outcome.interruption)


def verdict_with(run: Run, mapped: Mapped, reduced: Reduced | None) -> tuple[RunStatus, CompletionReason]:
    """How the run went, its reduction included."""
    status, reason = verdict_of(run, mapped)
    if status not in {"succeeded", "partial"}:
        return status, reason
    if reduced is None:
        return "partial", "aggregation_failed" if may_go_on(mapped.outcome.interruption) else reason
    if reduced.interruption == "cancelled":
        return "cancelled", "cancelled"
    if reduced.tally.failed == 0 and reduced.interruption is None:
        return status, reason
    return "partial", reduced.interruption or "aggregation_failed"


def unplanned(run: Run, folder: RunFolder, planning: Planning) -> dict[str, Any]:
    """The result of a run without a plan: it was interrupted, or there is nothing that it could do."""
    cancelled = planning.interruption == "cancelled"
    return _result(
        run,
        status="cancelled" if cancelled else "failed",
        completion_reason=planning.interruption or "planning_failed",
        error=planning.error,
        files=files_of(folder),
    )


def ended(run: Run, folder: RunFolder, mapped: Mapped, reduced: Reduced | None = None) -> dict[str, Any]:
    """The result of a run whose documents were planned."""
    status, reason = verdict_with(run, mapped, reduced)
    output = reduced.output if reduced else None
    files = mapped.finished.files if mapped.finished else files_of(folder)
    return _result(
        run,
        status=status,
        completion_reason=reason,
        output=output,
        missing=first_names(mapped.missing),
        usage=mapped.tally.usage + (reduced.tally.usage if reduced else Usage()),
        error=_unwritten(mapped, reduced),
        files=_with_output(files, output.output if output else None),
        counts=counts_of(mapped.planned, mapped.tally),
    )


def _unwritten(mapped: Mapped, reduced: Reduced | None) -> BranchError | None:
    """Why files are missing that storage, and no agent, has failed to take."""
    if mapped.failure is not None:
        message = f"the files of the run could not be written, its documents are there: {mapped.failure}"
        return BranchError(code="files_not_written", message=message, retriable=True)
    if reduced is not None and reduced.failure is not None:
        message = f"the reduction did not come to its end: {reduced.failure}"
        return BranchError(code="reduction_failed", message=message, retriable=True)
    return None


def _with_output(files: StoredFiles, output: str | None) -> StoredFiles:
    return files if output is None else files.model_copy(update={"output": output})


def _result(run: Run, **fields: Any) -> dict[str, Any]:
    cast(Any, run.deadline_timer).cancel()
    result = RunResult(
        id=run.context.instance_id,
        pattern=run.pattern,
        recipe=run.recipe,
        redrive_of=run.redrive_of,
        policy=run.policy,
        started_at=run.started_at,
        ended_at=run.context.current_utc_datetime,
        **fields,
    )
    return run.conclude(result)
