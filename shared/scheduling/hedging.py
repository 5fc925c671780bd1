"""When a slow call gets a second one beside it (Dean and Barroso, The Tail at Scale, 2013)."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from math import ceil

from shared.contracts.policy import RunPolicy

MAX_HEDGES_PER_BRANCH = 3
MARGIN = 1.3
"""A call may take so many times the 95th percentile: most that are above the percentile itself are not stuck.

What is stretched is the time of the calls themselves, not what the host takes to bring them there and back.
"""
MARGIN_BEFORE_2 = 1.25
"""Of runs before version 2.0, which stretch all of it, and wait as long for a hedge as for a first call."""
QUICK_SHARE = 0.25
"""A hedge is on its way without the crowd that first calls start in: as quickly as this share of them, or slower."""
LEAST_COMPLETED = 3
LEAST_COMPLETED_SHARE = 0.75
"""Of the first calls and retries that have not failed, successes, before the percentile says anything."""
LEAST_WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that a call may take before it is hedged: a first one or a retry, and a hedge."""

    first_s: float
    again_s: float


class Hedging:
    """Decides how long a call may take before it is hedged, and how many extra calls there may be.

    `hedge_after_s` states the wait. `hedge: "p95"` learns it once three quarters of the run's calls that have not
    failed are done, from two times of each: as the run has seen it, and in the worker. A first call may take the 95th
    percentile of the one, and the margin of the other; a hedge the percentile of the other, and a quick way there and
    back. Hedges have no margin: they are few, so that one in vain costs little, and the slowest runs wait for them.

    Simulated (`tests/shared/scheduling/test_tail.py`): fifty calls of about a second, of which one in twenty takes ten
    times as long, end in a third of the time that they take without hedging, for some five extra calls of a hundred.
    Without the margin all hedges go to calls that are not stuck; with one hedge per branch the slowest runs stay slow,
    because hedges straggle too; waiting for more than three quarters waits for the stragglers themselves.

    `hedges_sooner` is what the run's version decides.
    """

    def __init__(self, policy: RunPolicy, *, hedges_sooner: bool = True) -> None:
        self._hedges_sooner = hedges_sooner
        self._stated_s = policy.hedge_after_s
        self._learns = policy.hedge is not None
        self._share = policy.max_hedge_percentage / 100 if policy.hedges else 0.0
        self._branches = 0
        self._spent = 0
        self._hopeful = 0
        self._seen_s: list[float] = []
        self._worked_s: list[float] = []
        self._underway_s: list[float] = []
        self._told_s: float | None = None

    @property
    def after_s(self) -> float | None:
        """Seconds after which a call is hedged now; None when none is."""
        return self.typical_s if self.left else None

    @property
    def again_after_s(self) -> float | None:
        """The same for a call that is a hedge itself."""
        waits = self._waits() if self.left else None
        return waits and waits.again_s

    @property
    def is_one_queue(self) -> bool:
        """Whether hedges wait among all other calls for their own hedges."""
        return not self._hedges_sooner

    @property
    def typical_s(self) -> float | None:
        """`after_s`, however many extra calls there have been; what was told counts until enough has been learned."""
        waits = self._waits()
        return waits and waits.first_s

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

    def succeeded(self, seen_s: float, worked_s: float | None = None) -> None:
        """A call succeeded after so many seconds, of which it was in the worker for `worked_s`, if that is known."""
        if self._learns:
            worked_s = seen_s if worked_s is None else min(worked_s, seen_s)
            insort(self._seen_s, seen_s)
            insort(self._worked_s, worked_s)
            insort(self._underway_s, seen_s - worked_s)

    def spend(self) -> None:
        """An extra call started."""
        self._spent += 1

    def _waits(self) -> Waits | None:
        if not self._learns:
            return None if self._stated_s is None else Waits(self._stated_s, self._stated_s)
        completed = len(self._seen_s)
        if completed >= max(LEAST_COMPLETED, LEAST_COMPLETED_SHARE * self._hopeful):
            return self._learned()
        if self._told_s is None:
            return None
        again_s = self._told_s / MARGIN if self._hedges_sooner else self._told_s
        return Waits(self._told_s, max(LEAST_WAIT_S, again_s))

    def _learned(self) -> Waits:
        slow_s = percentile(self._seen_s, 0.95)
        if not self._hedges_sooner:
            first_s = again_s = MARGIN_BEFORE_2 * slow_s
        else:
            worked_s = percentile(self._worked_s, 0.95)
            first_s = slow_s + (MARGIN - 1) * worked_s
            again_s = worked_s + percentile(self._underway_s, QUICK_SHARE)
        return Waits(max(LEAST_WAIT_S, first_s), max(LEAST_WAIT_S, again_s))


def percentile(ordered: list[float], share: float) -> float:
    """By nearest rank: the least of these values that `share` of them are not above."""
    return ordered[ceil(len(ordered) * share) - 1]
