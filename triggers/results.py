"""The result of a run that has ended, also of one that could not write its own.

An orchestration that died of a defect, or was terminated by a hand other than ours, has no output. What its calls
came to is still there: its result is put together from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.branching import REQUESTS, branches_of
from shared.contracts.base import restored
from shared.contracts.branch import AttemptOutcome, BranchError, BranchOutcome, Usage
from shared.contracts.run import RunResult
from triggers.views import RunState, calls_by_branch, child_states, reports_of, utc

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState


async def result_json(client: DurableFunctionsClient, run: RunState) -> str:
    """An ended run's `RunResult` as JSON; needs the run's payloads."""
    if run.state.runtime_status.name == "COMPLETED" and run.state.serialized_output:
        return run.state.serialized_output
    return put_together(run, await child_states(client, run.id)).model_dump_json()


async def result_of(client: DurableFunctionsClient, run: RunState) -> RunResult:
    """An ended run's `RunResult`; needs the run's payloads."""
    return restored(RunResult, json.loads(await result_json(client, run)))


def put_together(run: RunState, children: Sequence[OrchestrationState]) -> RunResult:
    """The result of a run without an output of its own: every branch that succeeded is in it."""
    terminated = run.state.runtime_status.name == "TERMINATED"
    code = "terminated" if terminated else "internal_error"
    message = "the orchestration was terminated" if terminated else "the orchestration failed; the log has the cause"
    error = BranchError(code=code, message=message, retriable=not terminated)
    calls = calls_by_branch(children)
    outcomes = outcomes_of(run, calls, error)
    aggregation = [outcome_of(run, name, called, error) for name, called in calls.items() if name.startswith("~")]
    reused = [outcome.name for outcome in run.reused]
    redrive = run.given.redrive
    return RunResult(
        id=run.id,
        pattern=run.pattern,
        redrive_of=redrive.run_id if redrive else None,
        status="cancelled" if terminated else "failed",
        completion_reason="cancelled" if terminated else "internal_error",
        missing=[outcome.name for outcome in outcomes if not outcome.succeeded],
        outcomes=outcomes,
        reused=reused,
        aggregation=aggregation[0] if aggregation else None,
        usage=sum((o.usage for o in [*outcomes, *aggregation] if o.name not in reused), start=Usage()),
        started_at=utc(run.state.created_at),
        ended_at=utc(run.state.last_updated_at),
        error=error,
    )


def outcomes_of(
    run: RunState, calls: Mapping[str, Sequence[OrchestrationState]], error: BranchError
) -> list[BranchOutcome]:
    """An outcome for each branch of the request, in its order; `error` is that of the run."""
    if not run.given.request:
        return []
    request = restored(REQUESTS[run.pattern], run.given.request)
    reused = {outcome.name: outcome for outcome in run.reused}
    names = [branch.name for branch in branches_of(request)]
    return [reused.get(name) or outcome_of(run, name, calls.get(name, []), error) for name in names]


def outcome_of(run: RunState, name: str, calls: Sequence[OrchestrationState], error: BranchError) -> BranchOutcome:
    """What the calls for a branch came to: a success, or the end of the run before one."""
    reports = reports_of(calls)
    success = next((report for report in reports if report.status == "succeeded"), None)
    ended_at = utc(run.state.last_updated_at)
    untold = Usage(model_calls=len(calls) - len(reports))
    return BranchOutcome(
        name=name,
        status="succeeded" if success else "cancelled" if error.code == "terminated" else "failed",
        error=None if success else error,
        attempts=len(calls),
        usage=sum((report.usage for report in reports), start=untold),
        started_at=utc(calls[0].created_at) if calls else ended_at,
        ended_at=success.ended_at if success else ended_at,
        **kept(success),
    )


def kept(success: AttemptOutcome | None) -> dict[str, Any]:
    """What a branch keeps of the call that succeeded."""
    return {} if success is None else success.model_dump(include={"output", "model", "truncated"})
