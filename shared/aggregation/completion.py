"""Whether a run met its policy, and whether that is certain before all branches have ended."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.branch import BranchOutcome
from shared.contracts.policy import Certainty, Interruption, RunPolicy
from shared.contracts.run import CompletionReason, RunStatus


def verdict(
    outcomes: Sequence[BranchOutcome], policy: RunPolicy, interruption: Interruption | None
) -> tuple[RunStatus, CompletionReason]:
    """A run's status and the reason it ended, from its branches alone."""
    successes = sum(outcome.succeeded for outcome in outcomes)
    return verdict_by_counts(successes, len(outcomes) - successes, policy, interruption)


def verdict_by_counts(
    successes: int, failures: int, policy: RunPolicy, interruption: Interruption | None
) -> tuple[RunStatus, CompletionReason]:
    """The same, from how many of all branches succeeded and how many did not.

    Cancelled beats all. Otherwise the policy decides between `failed` and the rest, and failures between
    `partial` and `succeeded`. Branches that were stopped because enough had succeeded are no failures.
    """
    if interruption == "cancelled":
        return "cancelled", "cancelled"
    met = interruption == "min_successful_reached" or _met(successes, failures, policy)
    complete: RunStatus = "partial" if failures else "succeeded"
    if interruption == "failure_tolerance_exceeded" or (interruption is None and not met):
        return "failed", "failure_tolerance_exceeded"
    if interruption is None:
        return complete, "all_completed"
    return (complete if met else "failed"), interruption


def meets(outcomes: Sequence[BranchOutcome], policy: RunPolicy) -> bool:
    """Whether enough branches succeeded and no more failed than is tolerated; one success is always needed."""
    successes = sum(outcome.succeeded for outcome in outcomes)
    return _met(successes, len(outcomes) - successes, policy)


def certainty(successes: int, failures: int, branches: int, policy: RunPolicy) -> Certainty | None:
    """What is certain of a run of so many `branches` of which these have ended; None while it is open.

    More failures than are tolerated, or so many that too few branches are left to succeed, cannot be made good.
    """
    if branches - failures < (policy.min_successful or 1) or not _tolerates(failures, branches, policy):
        return "failure_tolerance_exceeded"
    enough = policy.stop_early and policy.min_successful is not None and successes >= policy.min_successful
    return "min_successful_reached" if enough else None


def _met(successes: int, failures: int, policy: RunPolicy) -> bool:
    return successes >= (policy.min_successful or 1) and _tolerates(failures, successes + failures, policy)


def _tolerates(failures: int, branches: int, policy: RunPolicy) -> bool:
    percentage, count = policy.tolerated_failure_percentage, policy.tolerated_failure_count
    return (count is None or failures <= count) and (percentage is None or failures * 100 / branches <= percentage)
