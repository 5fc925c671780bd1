"""The one primitive: branches side by side, each call of theirs a child orchestration.

1. As many branches as `max_concurrency` allows start at once, and one `task_all` waits for them.
2. When one ends in a way that changes something (a retry, a free place, a straggler), the schedule gets a turn:
   whatever is due starts, calls that have become needless are told to stop, and one timer wakes the run for what time
   alone makes due.
3. The deadline, a cancel, or a certain outcome ends it: calls in flight are told to stop and get a moment to give
   their account, waiting branches never start.
4. Outcomes come back in branch order; a branch without an account of its own gets one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import AGENT_ATTEMPT, STOP_CALLS, attempt_instance_id, children_prefix
from orchestrators.alarm import Alarm
from orchestrators.arrivals import Arrivals
from orchestrators.run import FannedOut, Run
from shared.contracts.branch import AttemptInput, Branch, BranchOutcome
from shared.contracts.policy import Interruption, RunPolicy
from shared.contracts.stop import StopCalls
from shared.scheduling.accounts import End, outcome_of
from shared.scheduling.batch import Batch, BranchJob, in_batches
from shared.scheduling.batch_accounts import outcomes_of
from shared.scheduling.batch_schedule import BranchSchedule
from shared.scheduling.schedule import Call

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

STOP_GRACE_S = 1.0
"""How long calls that were told to stop may take to give their account; a cancelled run ends within 2 s."""


def fan_out(run: Run, branches: Sequence[Branch], *, batch_size: int = 1) -> Generator[Task[Any], Any, FannedOut]:
    """Run `branches`, but for those whose outcomes a redrive reuses, until all have ended or no more is needed.

    One call may be for `batch_size` of them, which then have the same agent.
    """
    flight = Flight(run, run.policy, reused=run.reused, expected=len(branches))
    return (yield from flight.flown(branches, batch_size))


def fan_out_in_waves(
    run: Run, most: int, next_wave: Callable[[Sequence[BranchOutcome]], Sequence[Branch]]
) -> Generator[Task[Any], Any, FannedOut]:
    """The same for at most `most` branches that are not all known: `next_wave` names more, given all outcomes so far.

    Policy, window, hedging and budget are those of one run, however many waves there are. A wave that the deadline or
    the budget keeps from starting is missing in the end, and so is the first one if the run is over before it begins.
    """
    flight = Flight(run, run.policy, reused=run.reused, expected=most)
    flight.board(next_wave([]))
    yield from flight.fly()
    while (wave := next_wave(flight.outcomes())) and flight.cut_by is None:
        flight.board(wave)
        yield from flight.fly()
    if wave and flight.cut_by == "deadline_exceeded" and flight.is_idle:
        flight.board(wave)  # to be told as missing: nobody else was kept from an end
    return (yield from flight.land(is_whole=not wave))


def call_aggregators(run: Run, branches: Sequence[Branch]) -> Generator[Task[Any], Any, FannedOut]:
    """Run the `branches` that make an answer of the others'."""
    flight = Flight(run, run.aggregation_policy, reused={}, expected=len(branches))
    return (yield from flight.flown(branches))


class Flight:
    """A fan-out under way: the schedule decides, this carries out.

    At most `expected` branches come aboard. `reused` outcomes stand for the branches of their names.
    """

    def __init__(self, run: Run, policy: RunPolicy, *, reused: Mapping[str, BranchOutcome], expected: int) -> None:
        self._run = run
        self._context: DurableOrchestrationContext = run.context
        self._schedule = BranchSchedule(
            policy,
            expected=expected,
            run_deadline=run.deadline,
            budget=run.budget,
            key=run.context.instance_id,
            hedges_sooner=run.hedges_sooner,
        )
        self._reused = reused
        self._aboard: list[Branch] = []
        self._batches: list[Batch] = []
        self._tasks: dict[Call[BranchJob], Task[Any]] = {}
        self._settled: dict[str, BranchOutcome] = {}
        self._cut_by: Interruption | None = None
        self._alarm = Alarm(self._context)
        self._arrivals = Arrivals(self._wants_turn)

    def flown(self, branches: Sequence[Branch], batch_size: int = 1) -> Generator[Task[Any], Any, FannedOut]:
        """All of it, for branches that are all known."""
        self.board(branches, batch_size)
        yield from self.fly()
        return (yield from self.land())

    def board(self, branches: Sequence[Branch], batch_size: int = 1) -> None:
        """Take more branches."""
        self._aboard += branches
        own = [branch for branch in branches if branch.name not in self._reused]
        jobs = in_batches(own, batch_size)
        self._batches += [job for job in jobs if isinstance(job, Batch)]
        self._schedule.add(jobs, reused=len(branches) - len(own))

    def fly(self) -> Generator[Task[Any], Any]:
        """Start calls and wait until every branch is decided, or there is no need to wait for the others."""
        if not self._is_over():
            self._take_turn()
            if (started := self._in_flight()) and not self._schedule.finished:
                first_wave = self._context.task_all([self._tasks[call] for call in started])
                yield self._run.until(first_wave, self._arrivals.next(), *self._alarm.tasks)
        while not self._is_over():
            self._take_turn()
            if not self._schedule.finished:
                yield self._run.until(self._arrivals.next(), *self._alarm.tasks)
        self._alarm.disarm()

    def land(self, *, is_whole: bool = True) -> Generator[Task[Any], Any, FannedOut]:
        """Start no more; calls that are still out are told to stop, and get a moment for their account.

        `is_whole` says that no more branches would have come aboard.
        """
        self._cut_by = self._reason()
        if is_whole and self._schedule.finished and self._cut_by == "min_successful_reached":
            self._cut_by = None
        self._schedule.close()
        if self._cut_by is not None and (calls := self._in_flight()):
            yield from self._stop(calls)
        else:
            self._tell_losers()
        outcomes = self.outcomes()
        return FannedOut(outcomes, self._interruption(outcomes))

    @property
    def cut_by(self) -> Interruption | None:
        """What ends the fan-out before its branches do, if anything does."""
        return self._reason()

    @property
    def is_idle(self) -> bool:
        """Whether every branch aboard is decided."""
        return self._schedule.finished

    def outcomes(self) -> list[BranchOutcome]:
        """What became of the branches aboard, in their order."""
        told = dict(self._reused) | self._outcomes_of_batches()
        return [told.get(branch.name) or self._outcome(branch.name) for branch in self._aboard]

    def _outcomes_of_batches(self) -> dict[str, BranchOutcome]:
        found: dict[str, BranchOutcome] = {}
        for batch in self._batches:
            found |= outcomes_of(batch, self._schedule.records, **self._end)
        return found

    def _outcome(self, branch: str) -> BranchOutcome:
        """What became of a branch. Nothing more becomes of one without calls: each wave asks for all outcomes again."""
        if branch in self._settled:
            return self._settled[branch]
        record = self._schedule.records[branch]
        outcome = outcome_of(record, **self._end)
        if record.decided and not record.in_flight:
            self._settled[branch] = outcome
        return outcome

    @property
    def _end(self) -> End:
        return {"run_deadline": self._run.deadline, "cut_by": self._cut_by, "now": self._context.current_utc_datetime}

    def _interruption(self, outcomes: Sequence[BranchOutcome]) -> Interruption | None:
        """What kept branches from their own end; a deadline that passed when all was done is no reason."""
        if self._cut_by == "deadline_exceeded" and not any(outcome.status == "timed_out" for outcome in outcomes):
            return None
        return self._cut_by

    def _is_over(self) -> bool:
        return self._schedule.finished or self._reason() is not None

    def _reason(self) -> Interruption | None:
        """Why the run need not wait any longer; also the deadline that has passed when the last branch ended."""
        withheld: Interruption | None = "budget_exhausted" if self._schedule.withheld else None
        budget = withheld if self._schedule.finished else None
        return self._run.interruption or self._schedule.certain or budget

    def _take_turn(self) -> None:
        """Start what is due, stop what is no longer wanted, and set the alarm."""
        now = self._context.current_utc_datetime
        for call in self._schedule.due(now):
            self._start(call)
        self._tell_losers()
        self._alarm.arm(self._schedule.wake_at(now))

    def _start(self, call: Call[BranchJob]) -> None:
        job = call.record.branch
        given = AttemptInput(
            run_id=self._context.instance_id,
            branch=job.asked() if isinstance(job, Batch) else job,
            number=call.number,
            deadline=call.deadline,
            max_tokens=self._run.budget.left,
            recipe=self._run.recipe,
        )
        task = self._context.call_sub_orchestrator(
            AGENT_ATTEMPT, given.model_dump(mode="json"), self._instance_id(call)
        )
        self._tasks[call] = task
        self._arrivals.watch(task, lambda: self._land(call, task))

    def _land(self, call: Call[BranchJob], task: Task[Any]) -> None:
        if task.is_failed:
            self._schedule.lost(call, str(task.get_exception()))
        else:
            self._schedule.ended(call, task.get_result(), self._context.current_utc_datetime)

    def _wants_turn(self) -> bool:
        return self._schedule.wants_turn(self._context.current_utc_datetime, self._alarm.at)

    def _stop(self, calls: Sequence[Call[BranchJob]]) -> Generator[Task[Any], Any]:
        """Tell calls to stop, and give them a moment. `task_any` raises for none of them."""
        self._tell(self._stop_of(calls))
        grace = self._context.create_timer(self._context.current_utc_datetime + timedelta(seconds=STOP_GRACE_S))
        accounts = self._context.task_all([self._tasks[call] for call in calls])
        yield self._context.task_any([accounts, grace])
        cast(Any, grace).cancel()

    def _stop_of(self, calls: Sequence[Call[BranchJob]]) -> StopCalls:
        """All calls of the run; these alone if it goes on, because a stop that comes late must not reach the next."""
        if self._cut_by == "min_successful_reached":
            return StopCalls(instances=[self._instance_id(call) for call in calls])
        return StopCalls(prefix=children_prefix(self._context.instance_id))

    def _tell_losers(self) -> None:
        """Stop the calls that another call for the same branch has made needless; their end changes nothing."""
        if losers := self._schedule.losers():
            self._tell(StopCalls(instances=[self._instance_id(call) for call in losers]))

    def _tell(self, stop: StopCalls) -> None:
        """Nobody waits for this activity: a call that it cannot reach ends with its deadline."""
        self._context.call_activity(STOP_CALLS, stop.model_dump(mode="json"))

    def _in_flight(self) -> list[Call[BranchJob]]:
        return [call for call in self._tasks if call.in_flight]

    def _instance_id(self, call: Call[BranchJob]) -> str:
        run_id, branch = self._context.instance_id, call.record.branch.name
        return attempt_instance_id(run_id, branch, call.number, is_hedge=call.is_hedge)
