"""How a run treats slowness and failure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Contract


class RunPolicy(Contract):
    """Limits and tolerances of one run; every field has a default that works.

    A run whose branches miss `min_successful` or exceed a tolerance still completes, as `failed`, with every
    outcome it has. With none of the three stated, one success is enough.
    """

    max_concurrency: Annotated[int, Field(ge=1, le=1_000)] = 100
    """Branches in flight at a time."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Calls per branch: the first and its retries."""
    branch_timeout_s: Annotated[float, Field(ge=0.1, le=3_600)] = 120.0
    """A branch's time from its start, retries and waits included."""
    deadline_s: Annotated[float, Field(ge=0.1, le=86_400)] = 900.0
    """The run's time from its start, aggregation included."""
    min_successful: Annotated[int, Field(ge=1)] | None = None
    """Fewer successful branches than this, and the run is `failed`."""
    tolerated_failure_count: Annotated[int, Field(ge=0)] | None = None
    """More unsuccessful branches than this, and the run is `failed`."""
    tolerated_failure_percentage: Annotated[float, Field(ge=0, le=100)] | None = None
    """A larger share of unsuccessful branches than this, and the run is `failed`."""

    def contradiction(self, branches: int) -> str | None:
        """Why a run of so many branches cannot meet this policy; None when it can."""
        if self.min_successful is not None and self.min_successful > branches:
            return f"min_successful is {self.min_successful}, but the run has only {branches} branches"
        return None
