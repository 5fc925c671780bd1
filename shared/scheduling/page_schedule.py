"""The schedule of a shard: units of one page, in places that shards of the same stage pass to one another.

To what every schedule with batches does it adds what units need: a call that never returns is given up, and the sums
are those of the whole stage, as far as they are known here. They always are where
work begins: what shards before this one have come to arrives with their places. Shards after this one are not known
here, and what is certain with fewer failures, successes or tokens is certain with more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import override

from shared.contracts.branch import Usage
from shared.contracts.policy import Interruption, RunPolicy
from shared.contracts.work import Account, Stage, Tally, Unit, WorkFailure
from shared.scheduling.accounts import ABANDONED_CALL, fate_of
from shared.scheduling.batch_schedule import BatchSchedule, leaves_all
from shared.scheduling.budget import Budget
from shared.scheduling.record import Call, Record, Report
from shared.scheduling.unit_job import UnitJob, overdue

EXPIRY_GRACE_S = 5.0
"""After its deadline a call is late; so much later it is lost with its worker, because a call ends itself in time."""


class PageSchedule(BatchSchedule[UnitJob]):
    """The calls of one shard, which has some `places` of the stage's `max_concurrency`."""

    def __init__(self, policy: RunPolicy, stage: Stage, *, run_deadline: datetime, spent_tokens: int, key: str) -> None:
        budget = Budget(policy.max_total_tokens)
        super().__init__(
            policy,
            expected=stage.works,
            run_deadline=run_deadline,
            budget=budget,
            key=key,
            hedges_sooner=stage.hedges_sooner,
        )
        budget.take_over(spent_tokens, 0, 0)
        self.places = 0
        self._stage = stage
        self._before = Account()
        self._expiries: list[tuple[datetime, int, Call[UnitJob]]] = []
        self._works = 0
        self._reused = 0
        self._is_held = False
        self._own_usage = [0, 0, 0, 0]
        self._own_answers = 0

    # --- Questions ---

    @property
    def in_flight(self) -> int:
        """Calls that have not ended, needless ones too: each has a place."""
        return self._in_flight

    @property
    def spare(self) -> int:
        """Places that nothing here needs: none while a unit waits, and one is kept for each that is not decided.

        With hedging, a share of those in flight may want another; see `Hedging.kept_for`.
        """
        if self._waiting and not self._closed:
            return 0
        hedges = self._hedging.kept_for(self._undecided) if self._policy.hedges and not self._closed else 0
        return max(0, self.places - self._in_flight - len(self._retries) - hedges)

    @property
    def has_waiting(self) -> bool:
        """Whether units have not begun."""
        return bool(self._waiting)

    @property
    def decided_works(self) -> int:
        """Works of the stage that are decided, as far as is known here."""
        return self._successes + self._failures

    @property
    def budget_left(self) -> int | None:
        """Tokens that the run has left, as far as is known here."""
        return self._budget.left

    @property
    def budget_is_spent(self) -> bool:
        """Whether no call may start any more, here or in a shard that is to come."""
        return self._budget.exhausted or self._is_held

    @override
    def wants_turn(self, now: datetime, armed: datetime | None) -> bool:
        return super().wants_turn(now, armed) or self._next_expiry(now) <= now

    @override
    def wake_at(self, now: datetime) -> datetime | None:
        moments = [super().wake_at(now), self._next_expiry(now) if self._expiries else None]
        return min((moment for moment in moments if moment is not None and moment > now), default=None)

    # --- What the shard hears ---

    def open(self, units: Sequence[Unit], *, answered: int, are_reused: bool = True) -> None:
        """The page has these units; other works of it have their answers, from an earlier run if `are_reused`."""
        jobs = [UnitJob(unit, self._stage.base_tokens, self._stage.max_output_tokens) for unit in units]
        self._reused += answered if are_reused else 0
        self._works += answered + sum(job.weight for job in jobs)
        self.add(jobs, reused=answered)

    def absorb(self, account: Account) -> None:
        """What the shards before this one have come to; an account that is older than the last changes nothing.

        One that takes the place of a lost shard does not know what that one had spent: what was known stays known.
        """
        old, new = self._before.tally, account.tally
        if new.succeeded + new.failed < old.succeeded + old.failed:
            return
        if new.usage.total_tokens < old.usage.total_tokens:
            new = new.model_copy(update={"usage": old.usage})
        self._successes += new.succeeded - old.succeeded
        self._failures += new.failed - old.failed
        self._budget.take_over(
            new.usage.total_tokens - old.usage.total_tokens,
            new.usage.output_tokens - old.usage.output_tokens,
            max(0, account.answers - self._before.answers),
        )
        self._budget.hold_elsewhere(account.held_tokens)
        self._hedging.be_told(account.typical_s)
        if account.window is not None:
            self._window.adopt(account.window)
        self._before = account.model_copy(update={"tally": new})

    def hold(self) -> None:
        """A shard that knows more has seen the budget spent: what waits for a call gets none."""
        self._is_held = True
        self._withhold()

    def lose(self, why: str) -> None:
        """The shard that should have called these units was lost: those without an answer get none."""
        for record in self._waiting:
            record.lost = why
            self._decide(record, succeeded=False)
        self._waiting.clear()

    def expire(self, now: datetime) -> None:
        """Give up the calls that are long overdue."""
        while self._next_expiry(now) <= now:
            call = heappop(self._expiries)[2]
            self.ended(call, overdue((call.deadline - call.started_at).total_seconds()), now)

    # --- What the shard tells ---

    def account(self) -> Account:
        """What the stage has come to, as far as is known here, for the next shard."""
        own = self.tally()
        held = self._budget.reserved + sum(self._estimate(record) for _, _, record in self._retries)
        return Account(
            tally=self._before.tally + own,
            held_tokens=self._before.held_tokens + held,
            answers=self._before.answers + self._own_answers,
            typical_s=self._hedging.typical_s,
            window=self._window.state,
        )

    def tally(self) -> Tally:
        """What the works of this page have come to so far."""
        calls, read, written, total = self._own_usage
        return Tally(
            succeeded=self._successes - self._before.tally.succeeded,
            failed=self._failures - self._before.tally.failed,
            reused=self._reused,
            usage=Usage(model_calls=calls, input_tokens=read, output_tokens=written, total_tokens=total),
        )

    def final_tally(self) -> Tally:
        """The same once no more is waited for: works that are not decided have failed, calls in flight were made."""
        tally, works = self.tally(), self._works
        abandoned = Usage(model_calls=self._in_flight * ABANDONED_CALL.model_calls)
        return tally.model_copy(update={"failed": works - tally.succeeded, "usage": tally.usage + abandoned})

    def failures(self, cut_by: Interruption | None) -> list[WorkFailure]:
        """The works without an answer, and why; `cut_by` says why the stage ended before those not decided."""
        return [failure for record in self.records.values() for failure in self._failures_of(record, cut_by)]

    def _failures_of(self, record: Record[UnitJob], cut_by: Interruption | None) -> Iterator[WorkFailure]:
        job = record.branch
        if record.divided:
            return
        status, error = fate_of(record, run_deadline=self._run_deadline, cut_by=cut_by)
        if error is None:
            return
        calls = job.calls_before + len(record.calls)
        for work in job.unit.works:
            yield WorkFailure(name=work.name, status=status, error=error, calls=calls)

    # --- How ---

    @property
    @override
    def _crowd(self) -> int:
        """With the calls elsewhere, taken to be as many as their places may have while the window is this small.

        Of a window that has shrunk, each shard has the share that it has of the places, and one place at least: one
        that waits for a retry is not to wait until the model serves all the others, too.
        """
        size = self._window.size
        share = max(1, size * self.places // self._policy.max_concurrency) if self.places else 0
        return self._in_flight + size - share

    def _next_expiry(self, now: datetime) -> datetime:
        while self._expiries and not self._expiries[0][2].in_flight:
            heappop(self._expiries)
        return self._expiries[0][0] if self._expiries else now + timedelta(days=1)

    @override
    def _withhold(self) -> None:
        if self._is_held and not self._closed:
            self._withhold_all()
        super()._withhold()

    @override
    def due(self, now: datetime) -> list[Call[UnitJob]]:
        calls = super().due(now)
        for call in calls:
            self._order += 1
            heappush(self._expiries, (call.deadline + timedelta(seconds=EXPIRY_GRACE_S), self._order, call))
        return calls

    @override
    def ended(self, call: Call[UnitJob], report: Report, now: datetime) -> None:
        usage = report["usage"]
        for place, field in enumerate(("model_calls", "input_tokens", "output_tokens", "total_tokens")):
            self._own_usage[place] += usage[field]
        self._own_answers += bool(usage["output_tokens"])
        super().ended(call, report, now)

    @override
    def _left(self, record: Record[UnitJob], report: Report) -> Sequence[UnitJob]:
        works = record.branch.unit.works
        if report["status"] == "succeeded":
            left = [work for work in works if work.name in report["unanswered"]]
        else:
            left = works if leaves_all(report) else []
        return record.branch.singles(left, len(record.calls))
