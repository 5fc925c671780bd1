"""What the durable state of a run and its branches looks like to a caller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pydantic import ValidationError

from activities.names import AGENT_ATTEMPT, attempt_of, children_prefix
from shared.branching import REQUESTS, Request, branches_of
from shared.contracts.base import restored
from shared.contracts.branch import BranchOutcome, Usage
from shared.contracts.policy import RunPolicy
from shared.contracts.run import BranchView, Counts, Pattern, Phase, Progress, Redrive, RunInput, RunResult, RunView
from shared.task_hub import ENDED
from triggers.batches import views_of
from triggers.calls import BranchCalls, utc

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState


@dataclass(frozen=True)
class RunState:
    """A run's orchestration, read from the task hub."""

    id: str
    pattern: Pattern
    state: OrchestrationState

    @classmethod
    def of(cls, state: OrchestrationState | None) -> RunState | None:
        """The run that `state` is, or None when it is none."""
        if state is None or state.name not in get_args(Pattern):
            return None
        return cls(state.instance_id, cast(Pattern, state.name), state)

    @property
    def ended(self) -> bool:
        """Whether there is a result."""
        return self.state.runtime_status.name in ENDED

    @cached_property
    def given(self) -> RunInput | None:
        """What it was started with, or None when this version cannot read it; needs the payloads."""
        try:
            return restored(RunInput, json.loads(self.state.serialized_input or "null"))
        except ValidationError:
            return None

    @cached_property
    def request(self) -> Request | None:
        """The request that it was started with, or None when this version cannot read it; needs the payloads."""
        given = self.given
        try:
            return restored(REQUESTS[self.pattern], given.request) if given else None
        except ValidationError:
            return None

    @cached_property
    def redrive(self) -> Redrive | None:
        """What it took over from another run, if it did; needs the payloads."""
        given = self.given
        return given.redrive if given else None

    @property
    def recipe(self) -> str | None:
        """The name of the recipe that it was started by, if it was; needs the payloads."""
        given = self.given
        return given.recipe if given else None

    @cached_property
    def phase(self) -> Phase | Literal["pending"]:
        """What it told last of what it does; needs the payloads."""
        told: dict[str, Any] = json.loads(self.state.serialized_custom_status or "null") or {}
        phase = told.get("phase")
        return cast(Phase, phase) if phase in get_args(Phase) else "pending"

    @property
    def stage(self) -> Literal["pending", "running"]:
        """How far a run is that has not ended."""
        return "pending" if self.state.runtime_status.name == "PENDING" else "running"


async def child_states(client: DurableFunctionsClient, run_id: str) -> list[OrchestrationState]:
    """The orchestrations of the calls that the run's branches have made so far."""
    from durabletask.client import OrchestrationQuery

    query = OrchestrationQuery(instance_id_prefix=children_prefix(run_id), fetch_inputs_and_outputs=True)
    return [state for state in await client.get_all_orchestration_states(query) if state.name == AGENT_ATTEMPT]


def view_of(run: RunState, children: Sequence[OrchestrationState], now: datetime) -> RunView:
    """A run that has not ended, as it is now."""
    status: dict[str, Any] = json.loads(run.state.serialized_custom_status or "null") or {}
    request, redrive = run.request, run.redrive
    taken_over = [_outcome_view(outcome) for outcome in redrive.reused] if redrive else []
    own = views_of(calls_by_branch(run, children))
    branches = [*taken_over, *own]
    counted = [branch for branch in branches if not branch.name.startswith("~")]
    asked = len(branches_of(request)) if request and "total" not in status else len(counted)
    progress = _progress(counted, total=max(len(counted), status.get("total", asked)), reused=len(taken_over))
    began_at = utc(run.state.created_at)
    rate, remaining_s = pace_of(progress, (now - began_at).total_seconds())
    return RunView(
        id=run.id,
        pattern=run.pattern,
        recipe=run.recipe,
        redrive_of=redrive.run_id if redrive else None,
        status=run.stage,
        phase=run.phase,
        progress=progress,
        branches=branches,
        reused=[branch.name for branch in taken_over],
        usage=_usage(own),
        rate=rate,
        remaining_s=remaining_s,
        started_at=began_at,
        updated_at=max(utc(state.last_updated_at) for state in [run.state, *children]),
    )


def view_of_result(result: RunResult) -> RunView:
    """A run that has ended: its branches' orchestrations may be gone."""
    aggregation = [*result.reductions, *([result.aggregation] if result.aggregation else [])]
    branches = [_outcome_view(outcome) for outcome in [*result.outcomes, *aggregation, *result.judges]]
    progress = _progress_in_storage(result.counts) if result.counts else _progress_of(result, branches)
    rate, _ = pace_of(progress, (result.ended_at - result.started_at).total_seconds())
    return RunView(
        id=result.id,
        pattern=result.pattern,
        recipe=result.recipe,
        redrive_of=result.redrive_of,
        status=result.status,
        phase="done",
        completion_reason=result.completion_reason,
        progress=progress,
        branches=branches,
        reused=result.reused,
        usage=result.usage,
        rate=rate,
        started_at=result.started_at,
        updated_at=result.ended_at,
    )


def calls_by_branch(run: RunState, children: Sequence[OrchestrationState]) -> dict[str, BranchCalls]:
    """The calls of each branch that has any; the branches in the order of their first calls."""
    calls: dict[str, list[OrchestrationState]] = {}
    for child in sorted(children, key=lambda child: child.created_at):
        calls.setdefault(attempt_of(child.instance_id)[0], []).append(child)
    policy = run.request.policy if run.request else RunPolicy()
    return {name: BranchCalls(run.id, name, called, policy) for name, called in calls.items()}


def _outcome_view(outcome: BranchOutcome) -> BranchView:
    return BranchView(
        name=outcome.name,
        status=outcome.status,
        attempts=outcome.attempts,
        hedges=outcome.hedges,
        usage=outcome.usage,
        error=outcome.error,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
    )


def pace_of(progress: Progress, seconds: float) -> tuple[float | None, float | None]:
    """Branches that ended in a second of so many, and how many seconds the others take at this rate.

    None while nothing has ended that was not reused; no time remains once everything has.
    """
    own = progress.done - progress.reused
    if own <= 0 or seconds <= 0:
        return None, None
    rate, left = own / seconds, progress.total - progress.done
    return round(rate, 3), round(left / rate, 1) if left > 0 else None


def _progress_of(result: RunResult, branches: Sequence[BranchView]) -> Progress:
    total = len(result.outcomes)
    return _progress(branches[:total], total=total, reused=len(result.reused))


def _progress_in_storage(counts: Counts) -> Progress:
    return Progress(
        total=counts.works,
        done=counts.works,
        succeeded=counts.succeeded,
        failed=counts.failed,
        reused=counts.reused,
    )


def _progress(branches: Sequence[BranchView], total: int, reused: int) -> Progress:
    succeeded = sum(branch.status == "succeeded" for branch in branches)
    running = sum(branch.ended_at is None for branch in branches)
    failed = len(branches) - succeeded - running
    done = succeeded + failed
    return Progress(total=total, done=done, succeeded=succeeded, failed=failed, running=running, reused=reused)


def _usage(branches: Sequence[BranchView]) -> Usage:
    return sum((branch.usage for branch in branches), start=Usage())
