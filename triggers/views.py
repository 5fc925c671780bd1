"""What the durable state of a run and its branches looks like to a caller."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from shared.contracts.branch import BranchError, BranchOutcome, Usage
from shared.contracts.run import BranchView, Pattern, Progress, RunResult, RunView

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState

ENDED = ("COMPLETED", "FAILED", "TERMINATED")


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
    def stage(self) -> Literal["pending", "running"]:
        """How far a run is that has not ended."""
        return "pending" if self.state.runtime_status.name == "PENDING" else "running"


async def child_states(client: DurableFunctionsClient, run_id: str) -> list[OrchestrationState]:
    """The orchestrations of the run's branches that have started."""
    from durabletask.client import OrchestrationQuery

    query = OrchestrationQuery(instance_id_prefix=f"{run_id}:", fetch_inputs_and_outputs=True)
    return await client.get_all_orchestration_states(query)


def result_json(run: RunState) -> str:
    """An ended run's `RunResult` as JSON. An orchestration that died of a defect, or by a hand other than ours,
    still answers in that shape.
    """
    if run.state.runtime_status.name == "COMPLETED" and run.state.serialized_output:
        return run.state.serialized_output
    terminated = run.state.runtime_status.name == "TERMINATED"
    message = "the orchestration was terminated" if terminated else "the orchestration failed; the log has the cause"
    result = RunResult(
        id=run.id,
        pattern=run.pattern,
        status="cancelled" if terminated else "failed",
        completion_reason="cancelled" if terminated else "internal_error",
        error=BranchError(
            code="terminated" if terminated else "internal_error",
            message=message,
            retriable=not terminated,
        ),
        started_at=utc(run.state.created_at),
        ended_at=utc(run.state.last_updated_at),
    )
    return result.model_dump_json()


def view_of(run: RunState, children: Sequence[OrchestrationState]) -> RunView:
    """The run now. An ended run's view comes from its result; its branches' orchestrations may be gone."""
    if run.ended:
        return _view_of_result(RunResult.model_validate_json(result_json(run)))
    status: dict[str, Any] = json.loads(run.state.serialized_custom_status or "{}")
    branches = sorted((_branch_view(child) for child in children), key=lambda branch: branch.started_at)
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


def _view_of_result(result: RunResult) -> RunView:
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


def _branch_view(child: OrchestrationState) -> BranchView:
    _, _, name = child.instance_id.partition(":")
    if child.runtime_status.name == "COMPLETED" and child.serialized_output:
        return _outcome_view(BranchOutcome.model_validate_json(child.serialized_output))
    status: dict[str, Any] = json.loads(child.serialized_custom_status or "{}")
    ended = {"FAILED": "failed", "TERMINATED": "cancelled"}.get(child.runtime_status.name)
    return BranchView(
        name=name,
        status=cast(Any, ended or ("pending" if child.runtime_status.name == "PENDING" else "running")),
        attempts=status.get("attempt", 0),
        started_at=utc(child.created_at),
        ended_at=utc(child.last_updated_at) if ended else None,
    )


def _outcome_view(outcome: BranchOutcome) -> BranchView:
    return BranchView(
        name=outcome.name,
        status=outcome.status,
        attempts=outcome.attempts,
        usage=outcome.usage,
        error=outcome.error,
        started_at=outcome.started_at,
        ended_at=outcome.ended_at,
    )


def _progress(branches: Sequence[BranchView], total: int) -> Progress:
    succeeded = sum(branch.status == "succeeded" for branch in branches)
    running = sum(branch.status in {"pending", "running"} for branch in branches)
    failed = len(branches) - succeeded - running
    return Progress(total=total, done=succeeded + failed, succeeded=succeeded, failed=failed, running=running)


def _usage(branches: Sequence[BranchView]) -> Usage:
    return sum((branch.usage for branch in branches), start=Usage())
