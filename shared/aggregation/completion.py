"""Whether a run met its policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from shared.contracts.branch import BranchOutcome
from shared.contracts.policy import RunPolicy
from shared.contracts.run import CompletionReason, RunStatus

Interruption = Literal["deadline_exceeded", "cancelled"]


def verdict(
    outcomes: Sequence[BranchOutcome], policy: RunPolicy, interruption: Interruption | None
) -> tuple[RunStatus, CompletionReason]:
    """A run's status and the reason it ended, from its branches alone.

    Cancelled beats all. Otherwise the policy decides between `failed` and the rest, and failures between
    `partial` and `succeeded`.
    """
    if interruption == "cancelled":
        return "cancelled", "cancelled"
    met = meets(outcomes, policy)
    if interruption == "deadline_exceeded":
        return ("partial" if met else "failed"), "deadline_exceeded"
    if not met:
        return "failed", "failure_tolerance_exceeded"
    return ("succeeded" if all(o.succeeded for o in outcomes) else "partial"), "all_completed"


def meets(outcomes: Sequence[BranchOutcome], policy: RunPolicy) -> bool:
    """Whether enough branches succeeded and no more failed than is tolerated; one success is always needed."""
    successes = sum(outcome.succeeded for outcome in outcomes)
    failures = len(outcomes) - successes
    percentage, count = policy.tolerated_failure_percentage, policy.tolerated_failure_count
    return (
        successes >= (policy.min_successful or 1)
        and (count is None or failures <= count)
        and (percentage is None or failures * 100 / len(outcomes) <= percentage)
    )
