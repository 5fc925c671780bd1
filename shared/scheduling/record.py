"""What is known of a branch and its calls while they are scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.contracts.branch import Branch

Report = Mapping[str, Any]
"""An `AttemptOutcome` as JSON."""


class Job(Protocol):
    """What calls are made for: a branch, or a unit of a page."""

    @property
    def name(self) -> str:
        """Unique among the jobs of a schedule."""
        ...

    @property
    def weight(self) -> int:
        """How many it counts for in the policy's tolerances."""
        ...

    @property
    def max_output_tokens(self) -> int | None:
        """The bound of its answer, if any."""
        ...

    def estimated_input_tokens(self) -> int:
        """About how many input tokens a call for it has."""
        ...


@dataclass(slots=True, eq=False)
class Call[J: Job = Branch]:
    """One call for a branch. `number` counts the branch's calls from 1, `window_number` the run's."""

    record: Record[J]
    number: int
    is_hedge: bool
    started_at: datetime
    deadline: datetime
    reserved_tokens: int
    window_number: int
    in_flight: bool = True


@dataclass(slots=True, eq=False)
class Record[J: Job = Branch]:
    """All that is known of a branch, or of another job.

    A branch is `decided` by its `last` report; without one by a call that was `lost` (with these words), or because
    its time was up before the attempt `late_for_attempt` found a place. `not_before` is the wait that its failed calls
    have asked for. A batch that is `divided` has left its branches to calls of their own.
    """

    branch: J
    started_at: datetime | None = None
    deadline: datetime | None = None
    calls: list[Call[J]] = field(default_factory=list["Call[J]"])
    reports: list[Report] = field(default_factory=list[Report])
    attempts: int = 0
    in_flight: int = 0
    input_tokens: int | None = None
    not_before: datetime | None = None
    decided: bool = False
    divided: bool = False
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
