"""What is known of a branch and its calls while they are scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.contracts.branch import Branch

Report = Mapping[str, Any]
"""An `AttemptOutcome` as JSON."""


@dataclass(slots=True, eq=False)
class Call:
    """One call for a branch. `number` counts the branch's calls from 1, `window_number` the run's."""

    record: Record
    number: int
    is_hedge: bool
    started_at: datetime
    deadline: datetime
    reserved_tokens: int
    window_number: int
    in_flight: bool = True


@dataclass(slots=True, eq=False)
class Record:
    """All that is known of a branch.

    A branch is `decided` by its `last` report; without one by a call that was `lost` (with these words), or because
    its time was up before the attempt `late_for_attempt` found a place. `not_before` is the wait that its failed calls
    have asked for.
    """

    branch: Branch
    started_at: datetime | None = None
    deadline: datetime | None = None
    calls: list[Call] = field(default_factory=list[Call])
    reports: list[Report] = field(default_factory=list[Report])
    attempts: int = 0
    in_flight: int = 0
    input_tokens: int | None = None
    not_before: datetime | None = None
    decided: bool = False
    last: Report | None = None
    lost: str | None = None
    late_for_attempt: int | None = None

    @property
    def hedges(self) -> int:
        """Calls beside the first and its retries."""
        return len(self.calls) - self.attempts

    def is_late(self, now: datetime) -> bool:
        """Whether its time is up."""
        return self.deadline is not None and now >= self.deadline
