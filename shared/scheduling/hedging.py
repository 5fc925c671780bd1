"""When a slow call gets a second one beside it (Dean and Barroso, The Tail at Scale, 2013)."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from math import ceil

from shared.contracts.policy import RunPolicy

MAX_HEDGES_PER_BRANCH = 3
MARGIN = 1.3
"""A learned wait is so many times the 95th percentile: most calls above the percentile itself are not stuck.

Hedges are hedged without it. They are few, so that one in vain costs little; and the slowest runs wait for them.
"""
LEAST_COMPLETED = 3
LEAST_COMPLETED_SHARE = 0.75
"""Of the first calls and retries that have not failed, successes, before the percentile says anything."""
LEAST_WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class Margins:
    """How many times the 95th percentile a call may take before it is hedged: a first one or a retry, and a hedge."""

    first: float
    again: float


MARGINS = Margins(MARGIN, 1.0)
MARGINS_BEFORE_2 = Margins(1.25, 1.25)
"""Of runs before version 2.0."""


def margins_of(*, hedges_sooner: bool) -> Margins:
    """Those of a run, by what its version decides."""
    return MARGINS if hedges_sooner else MARGINS_BEFORE_2


class Hedging:
    """Decides how long a call may take before it is hedged, and how many extra calls there may be.

    `hedge_after_s` states the wait. `hedge: "p95"` learns it: `MARGIN` times the 95th percentile of the run's own
    successful calls, once three quarters of those that have not failed are done, and the percentile itself for hedges.

    Simulated (`tests/shared/scheduling/test_tail.py`): fifty calls of about a second, of which one in twenty takes ten
    times as long, end in a third of the time that they take without hedging, for some five extra calls of a hundred.
    Without the margin all hedges go to calls that are not stuck; with one hedge per branch the slowest runs stay slow,
    because hedges straggle too; waiting for more than three quarters waits for the stragglers themselves.
    """

    def __init__(self, policy: RunPolicy, margins: Margins = MARGINS) -> None:
        self._margins = margins
        self._stated_s = policy.hedge_after_s
        self._learns = policy.hedge is not None
        self._share = policy.max_hedge_percentage / 100 if policy.hedges else 0.0
        self._branches = 0
        self._spent = 0
        self._hopeful = 0
        self._durations_s: list[float] = []
        self._told_s: float | None = None

    @property
    def after_s(self) -> float | None:
        """Seconds after which a call is hedged now; None when none is."""
        if self._spent >= ceil(self._branches * self._share):
            return None
        return self.typical_s

    @property
    def again_after_s(self) -> float | None:
        """The same for a call that is a hedge itself."""
        after_s = self.after_s
        if after_s is None or not self._learns or self.is_one_queue:
            return after_s
        return max(LEAST_WAIT_S, after_s * self._margins.again / self._margins.first)

    @property
    def is_one_queue(self) -> bool:
        """Whether hedges wait among all other calls for their own hedges."""
        return self._margins.first == self._margins.again

    @property
    def typical_s(self) -> float | None:
        """`after_s`, however many extra calls there have been; what was told counts until enough has been learned."""
        if not self._learns:
            return self._stated_s
        learned_s = self._learned_s()
        return self._told_s if learned_s is None else learned_s

    @property
    def left(self) -> int:
        """Extra calls that may still be made."""
        return max(0, ceil(self._branches * self._share) - self._spent)

    def kept_for(self, branches: int) -> int:
        """Of the extra calls left, those that so many branches in flight may want."""
        return min(self.left, ceil(branches * self._share))

    def be_told(self, typical_s: float | None) -> None:
        """What calls of the same kind elsewhere have taught."""
        self._told_s = self._told_s if typical_s is None else typical_s

    def add(self, branches: int) -> None:
        """So many more branches share the extra calls."""
        self._branches += branches

    def started(self) -> None:
        """A call started that is no hedge."""
        self._hopeful += 1

    def failed(self, *, is_hedge: bool) -> None:
        """A call ended without an answer."""
        self._hopeful -= not is_hedge

    def succeeded(self, duration_s: float) -> None:
        """A call succeeded after so many seconds."""
        if self._learns:
            insort(self._durations_s, duration_s)

    def spend(self) -> None:
        """An extra call started."""
        self._spent += 1

    def _learned_s(self) -> float | None:
        completed = len(self._durations_s)
        if completed < max(LEAST_COMPLETED, LEAST_COMPLETED_SHARE * self._hopeful):
            return None
        rank = ceil(completed * 0.95)
        return max(LEAST_WAIT_S, self._margins.first * self._durations_s[rank - 1])
