"""What a run in storage looks like to a caller: counts and names of files, and never a list of its documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

from shared.contracts.branch import BranchError, Usage
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.missing import first_names
from shared.contracts.run import Counts, Progress, RunResult, RunView
from shared.contracts.storage import BlobSink
from shared.contracts.work import RunFolder, files_of
from triggers.calls import utc
from triggers.shards import Shard, Told, pages_of, result_of_shard, usage_of
from triggers.views import RunState, pace_of

if TYPE_CHECKING:
    from durabletask.client import OrchestrationState


def stored_request(run: RunState) -> MapReduceRequest | None:
    """The request of a run in storage; None for every other."""
    request = run.request
    return request if isinstance(request, MapReduceRequest) and request.in_storage else None


def folder_of(run: RunState, request: MapReduceRequest) -> RunFolder:
    """Where the run works: it was started with a sink."""
    return RunFolder.of(cast(BlobSink, request.sink), run.id)


def view_of_stored(run: RunState, shards: Sequence[OrchestrationState], now: datetime) -> RunView:
    """A run in storage that goes on, from its own custom status and that of the `shards` at work."""
    told = Told.by(run.state)
    is_reading = run.phase == "branches"
    reading = [_told_at_last(shard) for tries in pages_of(shards).values() for shard in tries] if is_reading else []
    succeeded, failed, reused = (sum(each) for each in zip(_ended(told), *map(_ended, reading), strict=True))
    done = succeeded + failed
    progress = Progress(
        total=max(told.total, done),
        done=done,
        succeeded=succeeded,
        failed=failed,
        running=sum(each.running for each in reading),
        reused=reused,
    )
    began_at = utc(run.state.created_at)
    rate, remaining_s = pace_of(progress, (now - began_at).total_seconds())
    redrive = run.redrive
    return RunView(
        id=run.id,
        pattern=run.pattern,
        recipe=run.recipe,
        redrive_of=redrive.run_id if redrive else None,
        status=run.stage,
        phase=run.phase,
        progress=progress,
        branches=[],
        usage=sum((usage_of(shard) for shard in shards), start=Usage(total_tokens=told.tokens)),
        rate=rate,
        remaining_s=None if run.phase == "planning" else remaining_s,
        started_at=began_at,
        updated_at=max(utc(state.last_updated_at) for state in [run.state, *shards]),
    )


def put_together_in_storage(
    run: RunState, request: MapReduceRequest, shards: Sequence[OrchestrationState], error: BranchError
) -> RunResult:
    """The result of a run without an output of its own: what its shards have counted, and where its documents are."""
    terminated = error.code == "terminated"
    redrive = run.redrive
    return RunResult(
        id=run.id,
        pattern=run.pattern,
        recipe=run.recipe,
        redrive_of=redrive.run_id if redrive else None,
        status="cancelled" if terminated else "failed",
        completion_reason="cancelled" if terminated else "internal_error",
        missing=first_names(name for tries in pages_of(shards).values() for name in _missing(tries[-1].state)),
        usage=sum((usage_of(shard) for shard in shards), start=Usage()),
        policy=request.policy.effective(),
        started_at=utc(run.state.created_at),
        ended_at=utc(run.state.last_updated_at),
        error=error,
        files=files_of(folder_of(run, request)),
        counts=_counts(run, request, shards),
    )


def _counts(run: RunState, request: MapReduceRequest, shards: Sequence[OrchestrationState]) -> Counts | None:
    """What the shards have counted; None if none was started, as if the planning had not ended."""
    pages = pages_of(shards)
    if not pages:
        return None
    stage = next(iter(pages.values()))[0].stage
    told = [max(map(_told_at_last, tries), key=lambda each: each.succeeded) for tries in pages.values()]
    succeeded = sum(each.succeeded for each in told)
    planned = run.redrive.planned if run.redrive else None
    whole = stage.works if request.split.by == "document" else None
    return Counts(
        documents=planned.documents if planned else whole,
        works=stage.works,
        pages=stage.pages,
        succeeded=succeeded,
        failed=stage.works - succeeded,
        reused=sum(each.reused for each in told),
    )


def _told_at_last(shard: Shard) -> Told:
    result = result_of_shard(shard.state)
    if result is None:
        return Told.by(shard.state)
    tally = result.tally
    return Told(succeeded=tally.succeeded, failed=tally.failed, reused=tally.reused)


def _missing(shard: OrchestrationState) -> list[str]:
    result = result_of_shard(shard)
    return result.missing if result else []


def _ended(told: Told) -> tuple[int, int, int]:
    return told.succeeded, told.failed, told.reused
