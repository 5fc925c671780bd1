"""The schedule of a fan-out: which branch is called when, again, twice, or no more.

It is told what happens (`ended`, `lost`) and asked what to do (`due`, `losers`) and when (`wants_turn`, `wake_at`,
`finished`, `certain`). It knows no clock: every question carries the time. All rules of a run meet here: attempts and
their waits, the window, hedging, the budget, and the tolerances. What an event costs hardly grows with the number of
branches, because all of this happens again at each replay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Literal

from shared.aggregation.completion import certainty
from shared.backoff import retry_delay_s
from shared.contracts.branch import Branch
from shared.contracts.policy import Certainty, RunPolicy
from shared.errors import RateLimited
from shared.scheduling.budget import Budget
from shared.scheduling.hedging import MAX_HEDGES_PER_BRANCH, Hedging
from shared.scheduling.record import Call, Job, Record, Report
from shared.scheduling.window import AdaptiveWindow


@dataclass(frozen=True, slots=True)
class Start[J: Job]:
    """A call that may start: its branch, whether it is a second one, and the tokens to reserve for it."""

    record: Record[J]
    is_hedge: bool
    tokens: int


class Schedule[J: Job = Branch]:
    """The calls of one fan-out. `key` tells the run apart from others, for the jitter of its waits.

    At most `expected` branches are added to it, at once or in waves: what is certain counts those to come. A job that
    is no branch counts by its weight. `hedges_sooner` is what the run's version decides.
    """

    def __init__(
        self,
        policy: RunPolicy,
        *,
        expected: int,
        run_deadline: datetime,
        budget: Budget,
        key: str,
        hedges_sooner: bool = True,
    ) -> None:
        self.records: dict[str, Record[J]] = {}
        self._policy = policy
        self._run_deadline = run_deadline
        self._budget = budget
        self._key = key
        self._window = AdaptiveWindow(policy.max_concurrency)
        self._hedging = Hedging(policy, hedges_sooner=hedges_sooner)
        self._waiting = deque[Record[J]]()
        self._retries: list[tuple[datetime, int, Record[J]]] = []
        self._oldest = (deque[Call[J]](), deque[Call[J]]())
        self._rehedges: list[tuple[datetime, int, Call[J]]] = []
        self._losers: list[Call[J]] = []
        self._in_flight = 0
        self._undecided = 0
        self._branches = expected
        self._successes: int = 0
        self._failures: int = 0
        self._withheld = 0
        self._order = 0
        self._closed = False

    # --- Questions ---

    @property
    def finished(self) -> bool:
        """Whether every branch so far is decided, or kept from its next call by the budget."""
        return self._undecided == 0

    @property
    def withheld(self) -> bool:
        """Whether the budget kept a branch from a call."""
        return self._withheld > 0

    @property
    def certain(self) -> Certainty | Literal["budget_exhausted"] | None:
        """What the other branches cannot change any more; one that the budget keeps back is as good as failed."""
        if self._successes + self._failures + self._withheld == self._branches:
            return None
        failures, branches = self._failures, self._branches
        found = certainty(self._successes, failures, branches, self._policy)
        if found is None and self._withheld:
            missed = certainty(self._successes, failures + self._withheld, branches, self._policy) is not None
            return "budget_exhausted" if missed else None
        return found

    def wants_turn(self, now: datetime, armed: datetime | None) -> bool:
        """Whether there is something to do, or a moment to wake at before the `armed` one."""
        if self.finished or self._losers or self.certain or self._next(now) is not None:
            return True
        wake = self.wake_at(now)
        return wake is not None and (armed is None or wake < armed)

    def wake_at(self, now: datetime) -> datetime | None:
        """The next moment at which time alone makes a call due; None when only the end of a call can."""
        opens_at = self._window.opens_at(now, self._crowd)
        if opens_at is None:
            return None
        moments = [self._retries[0][0]] if self._retries else []
        moments += [now] if self._waiting else []
        if (straggler := self._straggler()) is not None:
            moments.append(straggler[1])
        return min((moment for due in moments if (moment := max(due, opens_at)) > now), default=None)

    # --- What to do ---

    def add(self, branches: Sequence[J], *, reused: int = 0) -> None:
        """More branches to call; `reused` others succeeded before: they count for the policy, and are not called."""
        records = {branch.name: Record[J](branch) for branch in branches}
        self.records |= records
        self._waiting += records.values()
        self._undecided += len(records)
        self._successes += reused
        self._hedging.add(len(records))

    def due(self, now: datetime) -> list[Call[J]]:
        """The calls to start now; they count as started. A retry that found no place in time is given up."""
        self._withhold()
        calls: list[Call[J]] = []
        while (start := self._next(now)) is not None:
            if start.record.is_late(now):
                self._give_up(start.record)
            else:
                calls.append(self._start(start, now))
        return calls

    def losers(self) -> list[Call[J]]:
        """Calls in flight whose branch another call has decided, each told once."""
        losers, self._losers = self._losers, []
        return [call for call in losers if call.in_flight]

    def close(self) -> None:
        """From here on no call starts, whatever ends, and the budget keeps nothing for calls that nobody awaits."""
        self._closed = True
        for record in self.records.values():
            for call in record.calls:
                self._release(call)

    # --- What happened ---

    def ended(self, call: Call[J], report: Report, now: datetime) -> None:
        """A call ended with this account."""
        record, usage = call.record, report["usage"]
        self._land(call)
        self._budget.spend(usage["total_tokens"], usage["output_tokens"])
        record.reports.append(report)
        self._learn(call, report, now)
        if not record.decided:
            self._judge(call, report, now)
        self._withhold()

    def lost(self, call: Call[J], why: str) -> None:
        """A call ended without an account: its orchestration failed, or was terminated by a hand other than ours."""
        self._land(call)
        self._window.ended()
        self._hedging.failed(is_hedge=call.is_hedge)
        record = call.record
        if not record.decided and not self._closed and record.in_flight == 0:
            record.lost = why
            self._decide(record, succeeded=False)

    # --- What may start ---

    @property
    def _crowd(self) -> int:
        """The calls in flight, as the window counts them."""
        return self._in_flight

    def _next(self, now: datetime) -> Start[J] | None:
        """The call that is due now, if the window and the budget have room for it."""
        if self._closed or now >= self._run_deadline:
            return None
        if self._window.opens_at(now, self._crowd) != now:
            return None
        record, is_hedge = self._candidate(now)
        if record is None:
            return None
        tokens = self._estimate(record)
        return Start(record, is_hedge, tokens) if self._budget.allows(tokens) else None

    def _candidate(self, now: datetime) -> tuple[Record[J] | None, bool]:
        """The branch to call: one whose wait is over, one that straggles, or one that has not begun; and if twice."""
        if self._retries and self._retries[0][0] <= now:
            return self._retries[0][2], False
        if (straggler := self._straggler()) is not None:
            call, moment = straggler
            if moment <= now < call.deadline:
                return call.record, True
        return (self._waiting[0], False) if self._waiting else (None, False)

    def _straggler(self) -> tuple[Call[J], datetime] | None:
        """The call to hedge next, which is the oldest that may be, and when: not while the model throttles."""
        after_s, again_after_s = self._hedging.after_s, self._hedging.again_after_s
        if after_s is None or again_after_s is None:
            return None
        waits_s = (after_s, again_after_s)
        for calls in self._oldest:
            while calls and not self._may_be_hedged(calls[0], waits_s):
                calls.popleft()
        while self._rehedges and not self._may_be_hedged(self._rehedges[0][2], waits_s):
            heappop(self._rehedges)
        calls = [*(calls[0] for calls in self._oldest if calls), *(call for _, _, call in self._rehedges[:1])]
        return min(((call, self._hedged_at(call, waits_s)) for call in calls), key=lambda due: due[1], default=None)

    def _may_be_hedged(self, call: Call[J], waits_s: tuple[float, float]) -> bool:
        record = call.record
        newest = call.in_flight and not any(later.in_flight for later in record.calls[call.number :])
        left = not record.decided and record.hedges < MAX_HEDGES_PER_BRANCH
        return newest and left and self._hedged_at(call, waits_s) < call.deadline

    def _hedged_at(self, call: Call[J], waits_s: tuple[float, float]) -> datetime:
        """When a call is hedged: once it has taken long, and after the wait that a failed hedge of it has asked for.

        A first call and a hedge may take differently long.
        """
        moment = max(call.started_at + timedelta(seconds=waits_s[call.is_hedge]), self._window.throttled_until)
        return max(moment, call.record.not_before or moment)

    def _start(self, start: Start[J], now: datetime) -> Call[J]:
        record = start.record
        if start.is_hedge:
            self._hedging.spend()
        else:
            self._begin_attempt(record, now)
        self._budget.reserve(start.tokens)
        self._in_flight += 1
        record.in_flight += 1
        call = Call(
            record=record,
            number=len(record.calls) + 1,
            is_hedge=start.is_hedge,
            started_at=now,
            deadline=record.deadline or self._run_deadline,
            reserved_tokens=start.tokens,
            window_number=self._window.started(),
        )
        record.calls.append(call)
        if self._policy.hedges:
            self._oldest[call.is_hedge and not self._hedging.is_one_queue].append(call)
        return call

    def _begin_attempt(self, record: Record[J], now: datetime) -> None:
        """Take the branch out of its queue."""
        self._hedging.started()
        record.attempts += 1
        if record.started_at is None:
            self._waiting.popleft()
            record.started_at = now
            record.deadline = min(now + timedelta(seconds=self._policy.branch_timeout_s), self._run_deadline)
        else:
            heappop(self._retries)

    def _estimate(self, record: Record[J]) -> int:
        """The tokens to reserve for a call; counted once a branch, because a prompt may be long."""
        if self._budget.left is None:
            return 0
        if record.input_tokens is None:
            record.input_tokens = record.branch.estimated_input_tokens()
        return self._budget.estimate(record.branch, record.input_tokens)

    # --- What the end of a call means ---

    def _land(self, call: Call[J]) -> None:
        call.in_flight = False
        call.record.in_flight -= 1
        self._in_flight -= 1
        self._release(call)

    def _release(self, call: Call[J]) -> None:
        self._budget.release(call.reserved_tokens)
        call.reserved_tokens = 0

    def _learn(self, call: Call[J], report: Report, now: datetime) -> None:
        """What the window and the hedging make of it."""
        if report["status"] == "succeeded":
            self._window.succeeded()
            self._hedging.succeeded((now - call.started_at).total_seconds(), report.get("worked_s"))
            return
        self._hedging.failed(is_hedge=call.is_hedge)
        if report["error"]["code"] == RateLimited.code:
            self._window.throttled(call.window_number, self._crowd, now, self._wait_s(call.record, report))
        else:
            self._window.ended()

    def _judge(self, call: Call[J], report: Report, now: datetime) -> None:
        """What it means for its branch, which awaits its other calls unless this one decides.

        A success decides, and a failure that the same call would meet again: that one the other calls meet, too.
        """
        record = call.record
        if report["status"] == "cancelled" and self._closed:
            return
        if report["status"] == "succeeded" or not report["error"]["retriable"]:
            record.last = report
            self._decide(record, succeeded=report["status"] == "succeeded")
            return
        back_at = now + timedelta(seconds=self._wait_s(record, report))
        record.not_before = max(record.not_before or back_at, back_at)
        if record.in_flight == 0:
            self._try_again(record, report, record.not_before)
        elif self._policy.hedges:  # the hedge of a call that straggles on has failed: the call may have another
            straggler = next(other for other in reversed(record.calls) if other.in_flight)
            self._order += 1
            heappush(self._rehedges, (record.not_before, self._order, straggler))

    def _try_again(self, record: Record[J], report: Report, due: datetime) -> None:
        """Queue the next attempt, if there is one left and time for it."""
        if report["status"] != "failed" or record.attempts >= self._policy.attempts or record.is_late(due):
            record.last = report
            self._decide(record, succeeded=False)
        elif not self._closed:
            self._order += 1
            heappush(self._retries, (due, self._order, record))

    def _wait_s(self, record: Record[J], report: Report) -> float:
        """How long a branch waits after this report before it may be called again."""
        return retry_delay_s(record.attempts, report["retry_after_s"], key=f"{self._key}:{record.branch.name}")

    def _give_up(self, record: Record[J]) -> None:
        """Its retry waited for a place until its time was up."""
        heappop(self._retries)
        record.late_for_attempt = record.attempts + 1
        self._decide(record, succeeded=False)

    def _decide(self, record: Record[J], *, succeeded: bool) -> None:
        record.decided = True
        self._undecided -= 1
        self._count(record, succeeded=succeeded)
        if record.in_flight:
            self._losers += [call for call in record.calls if call.in_flight]

    def _count(self, record: Record[J], *, succeeded: bool) -> None:
        """What its decision adds to the sums that the policy is about."""
        self._successes += record.branch.weight * succeeded
        self._failures += record.branch.weight * (not succeeded)

    def _withhold(self) -> None:
        """Once the budget is spent, what waits for a call gets none."""
        if self._budget.exhausted and not self._closed:
            self._withhold_all()

    def _withhold_all(self) -> None:
        kept = [*self._waiting, *(record for _, _, record in self._retries)]
        self._withheld += sum(record.branch.weight for record in kept)
        self._undecided -= len(kept)
        self._waiting.clear()
        self._retries.clear()
