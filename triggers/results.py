"""The result of a run that has ended, also of one that could not write its own.

An orchestration that died of a defect, or was terminated by a hand other than ours, has no output. What its calls
came to is still there: its result is put together from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from shared.branching import branches_of, spared
from shared.contracts.base import restored
from shared.contracts.branch import JUDGE, BranchError, BranchOutcome, Usage
from shared.contracts.run import RunResult, reads_a_part
from shared.task_hub import death_of
from triggers.batches import outcomes_in
from triggers.calls import status_after, utc
from triggers.problems import Problem
from triggers.shards import all_shards
from triggers.stored_runs import put_together_in_storage, stored_request
from triggers.views import RunState, calls_by_branch, child_states

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState


async def result_json(client: DurableFunctionsClient, run: RunState) -> str:
    """An ended run's `RunResult` as JSON; needs the run's payloads."""
    if run.state.runtime_status.name == "COMPLETED" and run.state.serialized_output:
        return run.state.serialized_output
    request = stored_request(run)
    if request is not None:
        shards = await all_shards(client, run.id)
        return put_together_in_storage(run, request, shards, error_of(run)).model_dump_json()
    return put_together(run, await child_states(client, run.id)).model_dump_json()


async def result_of(client: DurableFunctionsClient, run: RunState) -> RunResult:
    """An ended run's `RunResult` without its output; needs the run's payloads.

    What runs and branches came to is read here, not what was made of it: versions differ most in that.
    """
    told = json.loads(await result_json(client, run))
    try:
        return restored(RunResult, {**cast(dict[str, Any], told), "output": None} if isinstance(told, dict) else told)
    except ValidationError as exc:
        raise unreadable(run) from exc


def unreadable(run: RunState) -> Problem:
    """The problem with a run that another version of the app wrote, in a way that this one does not know."""
    return Problem(
        HTTPStatus.CONFLICT,
        "run_not_readable",
        f"Run {run.id!r} was started by another version of the app, and this one cannot read all of it. "
        "Its status_url has the result as far as there is one; start a new run to run it again.",
    )


def error_of(run: RunState) -> BranchError:
    """Why a run has no output of its own."""
    return death_of(run.state.runtime_status.name)


def put_together(run: RunState, children: Sequence[OrchestrationState]) -> RunResult:
    """The result of a run without an output of its own: every branch that succeeded is in it."""
    error = error_of(run)
    terminated = error.code == "terminated"
    ended_at = utc(run.state.last_updated_at)
    calls = calls_by_branch(run, children)
    told = outcomes_in(calls, error, ended_at)
    outcomes = outcomes_of(run, told, error)
    ours = [outcome for name, outcome in told.items() if name.startswith("~")]
    judges = [outcome for outcome in ours if outcome.name.startswith(JUDGE)]
    aggregation = [outcome for outcome in ours if not outcome.name.startswith(JUDGE)]
    last = [outcome for outcome in aggregation if not reads_a_part(outcome.name)]
    redrive = run.redrive
    reused = [outcome.name for outcome in redrive.reused] if redrive else []
    return RunResult(
        id=run.id,
        pattern=run.pattern,
        recipe=run.recipe,
        redrive_of=redrive.run_id if redrive else None,
        status="cancelled" if terminated else "failed",
        completion_reason="cancelled" if terminated else "internal_error",
        missing=[outcome.name for outcome in outcomes if not outcome.succeeded],
        outcomes=outcomes,
        reused=reused,
        aggregation=last[0] if last else None,
        reductions=[outcome for outcome in aggregation if reads_a_part(outcome.name)],
        judges=judges,
        usage=sum((o.usage for o in [*outcomes, *ours] if o.name not in reused), start=Usage()),
        policy=run.request.policy.effective() if run.request else None,
        started_at=utc(run.state.created_at),
        ended_at=ended_at,
        error=error,
    )


def outcomes_of(run: RunState, told: Mapping[str, BranchOutcome], error: BranchError) -> list[BranchOutcome]:
    """An outcome for each branch of the request, in its order: what its calls `told`, or the `error` of the run.

    Of a vote that asks its voters in waves, only for those who were asked.
    """
    reused = {outcome.name: outcome for outcome in run.redrive.reused} if run.redrive else {}
    ended_at = utc(run.state.last_updated_at)

    def outcome_of(name: str) -> BranchOutcome:
        if name in reused:
            return reused[name]
        if name in told:
            return told[name]
        return BranchOutcome(name=name, status=status_after(error), error=error, started_at=ended_at, ended_at=ended_at)

    request = run.request
    if request is None:
        return []
    names, unneeded = [branch.name for branch in branches_of(request)], spared(request)
    return [outcome_of(name) for name in names if name in reused or name in told or not name.startswith(unneeded)]
