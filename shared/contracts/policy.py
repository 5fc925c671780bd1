"""How a run treats slowness, failure and cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo

from shared.contracts.base import TRUSTED, Contract, misfit

USUAL_HEDGE_PERCENTAGE = 20.0

Certainty = Literal["min_successful_reached", "failure_tolerance_exceeded"]
"""Why a run need not wait for its other branches."""
Interruption = Literal["deadline_exceeded", "cancelled", "budget_exhausted"] | Certainty
"""Why a run did not let every branch come to its own end."""


class RunPolicy(Contract):
    """Limits and tolerances of one run; every field has a default that works.

    A run whose branches miss `min_successful` or exceed a tolerance still completes, as `failed`, with every
    outcome it has. With none of the three stated, one success is enough. As soon as it is certain that the policy
    is missed, the run stops and pays no more.
    """

    max_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Calls in flight at a time; while the model throttles, the run allows itself fewer."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Calls per branch: the first and its retries."""
    branch_timeout_s: Annotated[float, Field(ge=0.1, le=3_600)] = 120.0
    """A branch's time from its start, retries and waits included; never more than `deadline_s`."""
    deadline_s: Annotated[float, Field(ge=0.1, le=86_400)] = 900.0
    """The run's time from its start, aggregation included."""
    min_successful: Annotated[int, Field(ge=1)] | None = None
    """Fewer successful branches than this, and the run is `failed`."""
    tolerated_failure_count: Annotated[int, Field(ge=0)] | None = None
    """More unsuccessful branches than this, and the run is `failed`."""
    tolerated_failure_percentage: Annotated[float, Field(ge=0, le=100)] | None = None
    """A larger share of unsuccessful branches than this, and the run is `failed`."""
    stop_early: bool = False
    """Stop the other branches once `min_successful` have succeeded."""
    hedge_after_s: Annotated[float, Field(ge=0.1, le=3_600)] | None = None
    """Make a second call for a branch whose call has taken this long; the first success wins."""
    hedge: Literal["p95"] | None = None
    """The same, with the time learned from the run's own completed calls; see `shared/scheduling/hedging.py`."""
    max_hedge_percentage: Annotated[float, Field(gt=0, le=100)] = USUAL_HEDGE_PERCENTAGE
    """Extra calls of hedging, as a share of the run's branches (rounded up)."""
    max_total_tokens: Annotated[int, Field(ge=1)] | None = None
    """No call starts once the run has spent so many tokens, input and output together."""

    def effective(self) -> Self:
        """The policy that a run follows: a branch has no more time than its run."""
        return self.model_copy(update={"branch_timeout_s": min(self.branch_timeout_s, self.deadline_s)})

    @property
    def hedges(self) -> bool:
        """Whether stragglers get a second call."""
        return self.hedge is not None or self.hedge_after_s is not None

    def contradictions(self, branches: int) -> Iterator[tuple[str, str]]:
        """Each field that makes no sense beside the others, and why. A policy that a run has followed has none.

        Only for a policy that has just come in: one from history may be older than a rule.
        """
        if self.min_successful is not None and self.min_successful > branches:
            count = "1 branch" if branches == 1 else f"{branches} branches"
            reason = f"min_successful is {self.min_successful}, but the run has only {count}"
            yield "min_successful", f"{reason}; lower min_successful"
        if self.stop_early and self.min_successful is None:
            yield "stop_early", "stop_early stops at min_successful; state min_successful too"
        if self.branch_timeout_s > self.deadline_s and {"branch_timeout_s", "deadline_s"} <= self.model_fields_set:
            reason = f"a branch cannot have {self.branch_timeout_s:g} s in a run that ends after {self.deadline_s:g} s"
            yield "branch_timeout_s", f"{reason}; lower branch_timeout_s or raise deadline_s"
        yield from self._contradictions_of_hedging()

    def _contradictions_of_hedging(self) -> Iterator[tuple[str, str]]:
        if not self.hedges:
            if self.max_hedge_percentage != USUAL_HEDGE_PERCENTAGE:
                yield "max_hedge_percentage", "max_hedge_percentage has no use without hedge or hedge_after_s"
            return
        if self.hedge is not None and self.hedge_after_s is not None:
            yield "hedge", "hedge learns the time that hedge_after_s states; give one of the two"
        if self.max_concurrency == 1:
            reason = "a second call beside the first needs a second place; raise max_concurrency or do not hedge"
            yield "max_concurrency", reason
        branch_s = min(self.branch_timeout_s, self.deadline_s)
        if self.hedge_after_s is not None and self.hedge_after_s >= branch_s:
            reason = f"a branch ends after {branch_s:g} s, so none would ever be hedged"
            yield "hedge_after_s", f"{reason}; lower hedge_after_s or raise branch_timeout_s and deadline_s"


def check_policy(policy: RunPolicy, branches: int, info: ValidationInfo) -> None:
    """Raise the misfit of a request whose policy contradicts itself or its number of branches."""
    if info.context is TRUSTED:
        return
    for field, reason in policy.contradictions(branches):
        raise misfit(f"policy.{field}", reason)
