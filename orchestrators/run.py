"""What all patterns share: a run's start, what may interrupt it, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import CANCEL_EVENT
from orchestrators.versions import hedges_sooner
from shared.aggregation.completion import verdict
from shared.contracts.branch import BranchOutcome, Usage
from shared.contracts.policy import Interruption, RunPolicy
from shared.contracts.run import (
    CompletionReason,
    Pattern,
    PatternOutput,
    Phase,
    Redrive,
    RunResult,
    RunStatus,
    reads_a_part,
)
from shared.scheduling.budget import Budget

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task


@dataclass(frozen=True, slots=True)
class FannedOut:
    """What came of a fan-out: every outcome in branch order, and what cut it short, if anything did."""

    outcomes: list[BranchOutcome]
    interruption: Interruption | None = None

    @property
    def succeeded(self) -> list[BranchOutcome]:
        """The outcomes with an output."""
        return [outcome for outcome in self.outcomes if outcome.succeeded]

    @property
    def missing(self) -> list[str]:
        """The names of the branches without one."""
        return [outcome.name for outcome in self.outcomes if not outcome.succeeded]


def together(*fan_outs: FannedOut | None) -> FannedOut | None:
    """Several, of which the last that there is may have been interrupted, as one; None if there are none."""
    made = [fan_out for fan_out in fan_outs if fan_out is not None]
    if len(made) < 2:  # noqa: PLR2004
        return made[0] if made else None
    return FannedOut([outcome for fan_out in made for outcome in fan_out.outcomes], made[-1].interruption)


def may_go_on(interruption: Interruption | None) -> bool:
    """Whether a run that this has interrupted has time and budget left for what follows."""
    return interruption in {None, "min_successful_reached"}


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way. One timer and one event interrupt all of its phases."""

    context: DurableOrchestrationContext
    pattern: Pattern
    policy: RunPolicy
    started_at: datetime
    deadline: datetime
    deadline_timer: Task[Any]
    cancel_event: Task[Any]
    budget: Budget
    recipe: str | None = None
    redrive_of: str | None = None
    reused: Mapping[str, BranchOutcome] = field(default_factory=dict[str, BranchOutcome])
    status: dict[str, Any] = field(default_factory=dict[str, Any])
    """What those who watch were told last."""

    @classmethod
    def start(
        cls,
        context: DurableOrchestrationContext,
        pattern: Pattern,
        policy: RunPolicy,
        redrive: Redrive | None,
        recipe: str | None = None,
    ) -> Run:
        """Start the clock: the deadline counts from the orchestration's first moment."""
        policy = policy.effective()
        started_at = context.current_utc_datetime
        deadline = started_at + timedelta(seconds=policy.deadline_s)
        return cls(
            context=context,
            pattern=pattern,
            policy=policy,
            started_at=started_at,
            deadline=deadline,
            deadline_timer=context.create_timer(deadline),
            cancel_event=context.wait_for_external_event(CANCEL_EVENT),
            budget=Budget(policy.max_total_tokens),
            recipe=recipe,
            redrive_of=redrive.run_id if redrive else None,
            reused={outcome.name: outcome for outcome in redrive.reused} if redrive else {},
        )

    @property
    def interruption(self) -> Interruption | None:
        """What has interrupted the run so far. The clock tells of the deadline when its timer is late."""
        if self.cancel_event.is_complete:
            return "cancelled"
        late = self.deadline_timer.is_complete or self.context.current_utc_datetime >= self.deadline
        return "deadline_exceeded" if late else None

    def until(self, *tasks: Task[Any]) -> Task[Any]:
        """The first of `tasks`, or an interruption."""
        return self.context.task_any([*tasks, self.deadline_timer, self.cancel_event])

    def enter(self, phase: Phase, total: int, **counts: int) -> None:
        """Tell those who watch what the run does now; `total` counts the branches, not the aggregation.

        `counts` of them that no calls tell of have the names of the fields of `Progress`.
        """
        self.status.clear()
        self.tell(phase=phase, total=total, **counts)

    def tell(self, **more: Any) -> None:
        """Tell them more of the same phase, or something else."""
        self.status.update(more)
        self.context.set_custom_status({**self.status, **self._of_recipe})

    def wants_answer(self, branches: FannedOut) -> bool:
        """Whether what succeeded is worth aggregating: not after a cancel, nor when the policy was missed."""
        status, _ = verdict(branches.outcomes, self.policy, branches.interruption)
        return status in {"succeeded", "partial"}

    def may_call(self, branches: FannedOut) -> bool:
        """Whether there is time and budget left for an agent that aggregates."""
        return may_go_on(branches.interruption)

    @property
    def hedges_sooner(self) -> bool:
        """Whether its hedges are hedged sooner than first calls; see `orchestrators/versions.py`."""
        return hedges_sooner(self.context.version)

    @property
    def aggregation_policy(self) -> RunPolicy:
        """The policy for the one call of the aggregation: what counts branches means nothing there.

        Its time cannot be learned from the branches, so only a stated `hedge_after_s` hedges it.
        """
        return self.policy.model_copy(
            update={
                "min_successful": None,
                "tolerated_failure_count": None,
                "tolerated_failure_percentage": None,
                "stop_early": False,
                "hedge": None,
            }
        )

    def end(
        self,
        branches: FannedOut,
        output: PatternOutput | None,
        aggregation: FannedOut | None = None,
        *,
        judges: FannedOut | None = None,
        reductions: FannedOut | None = None,
        undecided: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The run's `RunResult`, as the orchestration returns it: with its synthesis, judges or reductions.

        `undecided` are sections whose agents all came to an end, but to no answer.
        """
        cast(Any, self.deadline_timer).cancel()
        calls = together(judges, aggregation or reductions)
        aggregated = (aggregation or reductions or FannedOut([])).outcomes
        judged = judges.outcomes if judges else []
        status, reason = self._verdict(branches, calls)
        result = RunResult(
            id=self.context.instance_id,
            pattern=self.pattern,
            recipe=self.recipe,
            redrive_of=self.redrive_of,
            status=status,
            completion_reason=reason,
            output=output,
            missing=[*branches.missing, *undecided],
            outcomes=branches.outcomes,
            reused=[outcome.name for outcome in branches.outcomes if outcome.name in self.reused],
            aggregation=next((outcome for outcome in aggregated if not reads_a_part(outcome.name)), None),
            reductions=[outcome for outcome in aggregated if reads_a_part(outcome.name)],
            judges=judged,
            usage=self._usage([*branches.outcomes, *(calls.outcomes if calls else [])]),
            policy=self.policy,
            started_at=self.started_at,
            ended_at=self.context.current_utc_datetime,
        )
        return self.conclude(result)

    def conclude(self, result: RunResult) -> dict[str, Any]:
        """The result as the orchestration returns it; who lists the runs is told how it ended, without reading it."""
        told = {"status": result.status, "completion_reason": result.completion_reason}
        self.context.set_custom_status({**told, **self._of_recipe})
        return result.model_dump(mode="json")

    @property
    def _of_recipe(self) -> dict[str, str]:
        return {"recipe": self.recipe} if self.recipe else {}

    def _verdict(self, branches: FannedOut, aggregation: FannedOut | None) -> tuple[RunStatus, CompletionReason]:
        status, reason = verdict(branches.outcomes, self.policy, branches.interruption)
        if aggregation is not None and aggregation.interruption == "cancelled":
            return "cancelled", "cancelled"
        if aggregation is None or not aggregation.missing:
            return status, reason
        return "partial", aggregation.interruption or "aggregation_failed"

    def _usage(self, outcomes: Sequence[BranchOutcome]) -> Usage:
        """What this run has spent; a redrive's reused outcomes were paid by an earlier run."""
        own = [outcome.usage for outcome in outcomes if outcome.name not in self.reused]
        return sum(own, start=Usage())
