"""The schedule of a fan-out: which branch is called when, again, twice, or no more.

It is told what happens (`ended`) and asked what to do (`due`, `wake_at`, `finished`, `certain`). It knows no clock:
every question carries the time. All rules of a run meet here: attempts and their waits, the window, hedging, the
budget, and the tolerances. A call takes constant time however many branches there are, because all of this happens
again at each replay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from shared.aggregation.completion import Certainty, certainty
from shared.backoff import retry_delay_s
from shared.contracts.branch import Branch
from shared.contracts.policy import RunPolicy
from shared.errors import RateLimited
from shared.scheduling.budget import Budget
from shared.scheduling.hedging import MAX_HEDGES_PER_BRANCH, Hedging
from shared.scheduling.window import AdaptiveWindow
from shared.token_estimate import estimated_input_tokens

Report = Mapping[str, Any]
"""An `AttemptOutcome` as JSON."""


@dataclass(slots=True, eq=False)
class Call:
    """One call for a branch. `number` counts the branch's calls from 1."""

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
    """All that is known of a branch. `last` is the report that decides, `lost` the words of a call without one."""

    branch: Branch
    started_at: datetime | None = None
    deadline: datetime | None = None
    calls: list[Call] = field(default_factory=list[Call])
    reports: list[Report] = field(default_factory=list[Report])
    attempts: int = 0
    in_flight: int = 0
    input_tokens: int | None = None
    decided: bool = False
    last: Report | None = None
    lost: str | None = None
    late_for_attempt: int | None = None

    @property
    def hedges(self) -> int:
        """Calls beside the first and its retries."""
        return len(self.calls) - self.attempts


class Schedule:
    """The calls of one fan-out. `key` tells the run apart from others, for the jitter of its waits."""

    def __init__(
        self,
        branches: Sequence[Branch],
        policy: RunPolicy,
        *,
        run_deadline: datetime,
        budget: Budget,
        key: str,
        reused: int = 0,
    ) -> None:
        self.records = {branch.name: Record(branch) for branch in branches}
        self.withheld = False
        """Whether the budget kept a branch from a call."""
        self._policy = policy
        self._run_deadline = run_deadline
        self._budget = budget
        self._key = key
        self._window = AdaptiveWindow(policy.max_concurrency)
        self._hedging = Hedging(policy, len(branches))
        self._waiting = deque(self.records.values())
        self._retries: list[tuple[datetime, int, Record]] = []
        self._oldest = deque[Call]()
        self._losers: list[Call] = []
        self._in_flight = 0
        self._undecided = len(branches)
        self._branches = len(branches) + reused
        self._successes = reused
        self._failures = 0
        self._order = 0
        self._closed = False

    # --- Questions ---

    @property
    def finished(self) -> bool:
        """Whether every branch is decided, or kept from its next call by the budget."""
        return self._undecided == 0

    @property
    def certain(self) -> Certainty | None:
        """What the other branches cannot change any more."""
        return None if self.finished else certainty(self._successes, self._failures, self._branches, self._policy)

    def wants_turn(self, now: datetime, armed: datetime | None) -> bool:
        """Whether there is something to do, or a moment to wake at before the `armed` one."""
        if self._losers or self.certain or self._next(now) is not None or self.finished:  # `_next` may finish it
            return True
        wake = self.wake_at(now)
        return wake is not None and (armed is None or wake < armed)

    def wake_at(self, now: datetime) -> datetime | None:
        """The next moment at which time alone makes a call due; None when only the end of a call can."""
        if self._in_flight >= self._window.size:
            return None
        moments = [self._retries[0][0]] if self._retries else []
        if (straggler := self._straggler()) is not None and (after_s := self._hedging.after_s) is not None:
            moments.append(straggler.started_at + timedelta(seconds=after_s))
        return min((moment for moment in moments if moment > now), default=None)

    # --- What to do ---

    def due(self, now: datetime) -> list[Call]:
        """The calls to start now; they count as started."""
        calls: list[Call] = []
        while (start := self._next(now)) is not None:
            calls.append(start(now))
        return calls

    def losers(self) -> list[Call]:
        """Calls in flight whose branch another call has decided, each told once."""
        losers, self._losers = self._losers, []
        return [call for call in losers if call.in_flight]

    def close(self) -> None:
        """From here on no call starts, whatever ends."""
        self._closed = True

    # --- What happened ---

    def ended(self, call: Call, report: Report, now: datetime) -> None:
        """A call ended with this account."""
        record, status = call.record, report["status"]
        usage = report["usage"]
        self._land(call, usage["total_tokens"], usage["output_tokens"])
        record.reports.append(report)
        if status == "succeeded":
            self._window.succeeded()
            self._hedging.succeeded((now - call.started_at).total_seconds())
        elif report["error"]["code"] == RateLimited.code:
            self._window.throttled(call.window_number, self._in_flight)
        if not record.decided:
            self._judge(record, report, now)

    def lost(self, call: Call, why: str) -> None:
        """A call ended without an account: its orchestration failed, or was terminated by a hand other than ours."""
        self._land(call, 0, 0)
        record = call.record
        if not record.decided and not self._closed:
            record.lost = why
            self._decide(record, succeeded=False)

    # --- Inside ---

    def _next(self, now: datetime) -> Callable[[datetime], Call] | None:
        """How to start the call that is due now, if the window and the budget have room for it."""
        if self._closed or self._in_flight >= self._window.size:
            return None
        if self._budget.exhausted:
            self._withhold()
            return None
        record, is_hedge = self._candidate(now)
        if record is None:
            return None
        tokens = self._estimate(record)
        if not self._budget.allows(tokens):
            return None
        return lambda now: self._start(record, now, tokens, is_hedge=is_hedge)

    def _candidate(self, now: datetime) -> tuple[Record | None, bool]:
        """The branch to call: one whose wait is over, one that straggles, or one that has not begun; and if twice."""
        while self._retries and self._retries[0][0] <= now:
            record = self._retries[0][2]
            if record.deadline is None or now < record.deadline:
                return record, False
            heappop(self._retries)  # it waited for a place until its time was up
            record.late_for_attempt = record.attempts + 1
            self._decide(record, succeeded=False)
        straggler, after_s = self._straggler(), self._hedging.after_s
        if straggler is not None and after_s is not None and now >= straggler.started_at + timedelta(seconds=after_s):
            return straggler.record, True
        return (self._waiting[0], False) if self._waiting else (None, False)

    def _straggler(self) -> Call | None:
        """The call in flight that started first, of those that may be hedged; none while the model throttles."""
        if not self._policy.hedges or not self._window.is_open:
            return None
        while self._oldest:
            call = self._oldest[0]
            record = call.record
            newest = call.in_flight and record.calls[-1] is call
            if newest and not record.decided and record.hedges < MAX_HEDGES_PER_BRANCH:
                return call
            self._oldest.popleft()
        return None

    def _start(self, record: Record, now: datetime, tokens: int, *, is_hedge: bool) -> Call:
        if is_hedge:
            self._hedging.spend()
        else:
            self._hedging.started()
            record.attempts += 1
            if record.started_at is None:
                self._waiting.popleft()
                record.started_at = now
                record.deadline = min(now + timedelta(seconds=self._policy.branch_timeout_s), self._run_deadline)
            else:
                heappop(self._retries)
        self._budget.reserve(tokens)
        self._in_flight += 1
        record.in_flight += 1
        call = Call(
            record=record,
            number=len(record.calls) + 1,
            is_hedge=is_hedge,
            started_at=now,
            deadline=record.deadline or self._run_deadline,
            reserved_tokens=tokens,
            window_number=self._window.started(),
        )
        record.calls.append(call)
        if self._policy.hedges:
            self._oldest.append(call)
        return call

    def _land(self, call: Call, total_tokens: int, output_tokens: int) -> None:
        call.in_flight = False
        call.record.in_flight -= 1
        self._in_flight -= 1
        self._budget.settle(call.reserved_tokens, total_tokens, output_tokens)

    def _judge(self, record: Record, report: Report, now: datetime) -> None:
        """What the end of a call means for its branch."""
        error = report["error"]
        if report["status"] == "cancelled" and self._closed:
            return
        if report["status"] == "succeeded" or not error["retriable"]:
            record.last = report
            self._decide(record, succeeded=report["status"] == "succeeded")
        elif record.in_flight == 0:  # otherwise another call may still succeed
            due = self._retry_at(record, report, now)
            if due is None:
                record.last = report
                self._decide(record, succeeded=False)
            elif not self._closed:
                self._order += 1
                heappush(self._retries, (due, self._order, record))

    def _retry_at(self, record: Record, report: Report, now: datetime) -> datetime | None:
        """When to call again; None when there is no attempt or no time left."""
        if report["status"] != "failed" or record.attempts >= self._policy.attempts:
            return None
        key = f"{self._key}:{record.branch.name}"
        delay_s = retry_delay_s(record.attempts, report["retry_after_s"], key=key)
        due = now + timedelta(seconds=delay_s)
        return due if record.deadline is None or due < record.deadline else None

    def _decide(self, record: Record, *, succeeded: bool) -> None:
        record.decided = True
        self._undecided -= 1
        self._successes += succeeded
        self._failures += not succeeded
        if record.in_flight:
            self._losers += [call for call in record.calls if call.in_flight]

    def _withhold(self) -> None:
        """The budget is spent: what waits for a call gets none."""
        kept = [*self._waiting, *(record for _, _, record in self._retries)]
        if kept:
            self.withheld = True
            self._undecided -= len(kept)
            self._waiting.clear()
            self._retries.clear()

    def _estimate(self, record: Record) -> int:
        if self._budget.left is None:
            return 0
        if record.input_tokens is None:
            record.input_tokens = estimated_input_tokens(record.branch.agent, record.branch.prompt)
        return self._budget.estimate(record.input_tokens)
