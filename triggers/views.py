"""What the durable state of a run and its branches looks like to a caller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from activities.names import attempt_of, children_prefix
from shared.contracts.base import restored
from shared.contracts.branch import AttemptOutcome, BranchOutcome, Usage
from shared.contracts.policy import RunPolicy
from shared.contracts.run import BranchView, LiveStatus, Pattern, Progress, RunInput, RunResult, RunView
from shared.task_hub import ENDED

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState

UNDECIDED = ("pending", "running", "retrying")


@dataclass(frozen=True, slots=True)
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

    @property
    def given(self) -> RunInput:
        """What it was started with; needs the payloads."""
        return restored(RunInput, json.loads(self.state.serialized_input or '{"request": {}}'))

    @property
    def reused(self) -> list[BranchOutcome]:
        """The outcomes that it took over from another run; needs the payloads."""
        redrive = self.given.redrive
        return redrive.reused if redrive else []

    @property
    def stage(self) -> Literal["pending", "running"]:
        """How far a run is that has not ended."""
        return "pending" if self.state.runtime_status.name == "PENDING" else "running"


async def child_states(client: DurableFunctionsClient, run_id: str) -> list[OrchestrationState]:
    """The orchestrations of the calls that the run's branches have made so far."""
    from durabletask.client import OrchestrationQuery

    query = OrchestrationQuery(instance_id_prefix=children_prefix(run_id), fetch_inputs_and_outputs=True)
    return await client.get_all_orchestration_states(query)


def view_of(run: RunState, children: Sequence[OrchestrationState]) -> RunView:
    """A run that has not ended, as it is now."""
    status: dict[str, Any] = json.loads(run.state.serialized_custom_status or "{}")
    attempts = restored(RunPolicy, run.given.request.get("policy", {})).attempts
    called = [_branch_view(name, calls, attempts) for name, calls in calls_by_branch(children).items()]
    branches = [*(_outcome_view(outcome) for outcome in run.reused), *called]
    counted = [branch for branch in branches if not branch.name.startswith("~")]
    return RunView(
        id=run.id,
        pattern=run.pattern,
        status=run.stage,
        phase=status.get("phase", "pending"),
        progress=_progress(counted, total=status.get("total", len(counted))),
        branches=branches,
        usage=_usage(branches),
        started_at=utc(run.state.created_at),
        updated_at=max(
            [utc(run.state.last_updated_at), *(branch.ended_at or branch.started_at for branch in branches)]
        ),
    )


def utc(moment: datetime) -> datetime:
    """The SDK's times are in UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def view_of_result(result: RunResult) -> RunView:
    """A run that has ended: its branches' orchestrations may be gone."""
    aggregation = [result.aggregation] if result.aggregation else []
    branches = [_outcome_view(outcome) for outcome in [*result.outcomes, *aggregation]]
    return RunView(
        id=result.id,
        pattern=result.pattern,
        status=result.status,
        phase="done",
        completion_reason=result.completion_reason,
        progress=_progress(branches[: len(result.outcomes)], total=len(result.outcomes)),
        branches=branches,
        usage=result.usage,
        started_at=result.started_at,
        updated_at=result.ended_at,
    )


def calls_by_branch(children: Sequence[OrchestrationState]) -> dict[str, list[OrchestrationState]]:
    """The calls for each branch, in the order of their start; the branches in the order of their first calls."""
    calls: dict[str, list[OrchestrationState]] = {}
    for child in sorted(children, key=lambda child: child.created_at):
        calls.setdefault(attempt_of(child.instance_id)[0], []).append(child)
    return calls


def reports_of(calls: Sequence[OrchestrationState]) -> list[AttemptOutcome]:
    """The accounts of the calls that have given one."""
    return [
        restored(AttemptOutcome, json.loads(call.serialized_output))
        for call in calls
        if call.runtime_status.name == "COMPLETED" and call.serialized_output
    ]


def _branch_view(name: str, calls: Sequence[OrchestrationState], attempts: int) -> BranchView:
    """A branch from all of its calls, of which at most `attempts` are no hedges."""
    reports = reports_of(calls)
    hedges = sum(attempt_of(call.instance_id)[1] for call in calls)
    errors = [report.error for report in reports if report.error]
    status = _status(calls, reports, retries_left=attempts - (len(calls) - hedges))
    return BranchView(
        name=name,
        status=status,
        attempts=len(calls) - hedges,
        hedges=hedges,
        usage=sum((report.usage for report in reports), start=Usage()),
        error=errors[-1] if errors and status != "succeeded" else None,
        started_at=utc(calls[0].created_at),
        ended_at=None if status in UNDECIDED else max(utc(call.last_updated_at) for call in calls),
    )


def _status(calls: Sequence[OrchestrationState], reports: Sequence[AttemptOutcome], retries_left: int) -> LiveStatus:
    """A success decides; otherwise what is still under way, or will be; otherwise the last end."""
    if any(report.status == "succeeded" for report in reports):
        return "succeeded"
    names = {call.runtime_status.name for call in calls}
    if names & {"RUNNING", "SUSPENDED"}:
        return "running"
    if "PENDING" in names:
        return "pending"
    last = reports[-1] if reports else None
    if last is None or "FAILED" in names:
        return "cancelled" if "TERMINATED" in names else "failed"
    again = last.status == "failed" and last.error is not None and last.error.retriable and retries_left > 0
    return "retrying" if again else last.status


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


def _progress(branches: Sequence[BranchView], total: int) -> Progress:
    succeeded = sum(branch.status == "succeeded" for branch in branches)
    running = sum(branch.status in UNDECIDED for branch in branches)
    failed = len(branches) - succeeded - running
    return Progress(total=total, done=succeeded + failed, succeeded=succeeded, failed=failed, running=running)


def _usage(branches: Sequence[BranchView]) -> Usage:
    return sum((branch.usage for branch in branches), start=Usage())
