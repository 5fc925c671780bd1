"""The child orchestration of one page: its units' calls, in places that shards pass to one another as in a relay.

1. It tells the shard before it that it is there, and opens its page.
2. While it has places, units start; each call is one activity. Retries, hedges, the window and the budget are those
   of every fan-out (`shared/scheduling`), over the whole stage as far as it is known here.
3. Once no unit waits, each place that nothing here needs goes to the next shard, with the account so far.
4. When all units are decided it closes its page, and stays until all places have passed through its hands.
5. Told to stop, at the run's deadline, or once the stage's outcome is certain, it gives up what is left, and says so.

Totals in events are cumulative: one that comes twice, or after a newer one, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from durabletask.task import RetryPolicy, when_any
from pydantic import ValidationError

from activities.names import (
    CALL_GIVEN_UP,
    CLOSE_PAGE,
    HOLD_EVENT,
    OPEN_PAGE,
    PLACES_EVENT,
    SHARD_HERE_EVENT,
    STOP_CALLS,
    STOP_EVENT,
    shard_news_event,
    unit_call_id,
)
from orchestrators.alarm import Alarm
from orchestrators.arrivals import Arrivals
from orchestrators.inbox import Inbox
from shared.contracts.base import Contract, restored
from shared.contracts.missing import first_names
from shared.contracts.policy import Interruption
from shared.contracts.stop import StopCalls, StopShards
from shared.contracts.work import (
    ClosePage,
    OpenedPage,
    OpenPage,
    PassedPlaces,
    ShardInput,
    ShardNews,
    ShardResult,
    Tally,
    UnitCall,
    UnitReply,
)
from shared.scheduling.page_schedule import PageSchedule
from shared.scheduling.record import Call, Report
from shared.scheduling.unit_job import UnitJob, call_lost, report_of

if TYPE_CHECKING:
    from durabletask.task import OrchestrationContext, Task

GIVING_UP_S = 0.5
"""How long calls that were told to stop may take to give their account, before the shard gives its own."""
PAGE_RETRIES = RetryPolicy(first_retry_interval=timedelta(seconds=2), max_number_of_attempts=3, backoff_coefficient=2.0)
"""Of opening and closing a page, whose activities try again for about half a minute themselves."""
EVENTS_PER_CALL = 11
"""At most, in a shard's history: the call and its end, the timer of its retry set and gone off, the place or account
that it passes on, a stop, and of each turn of these a beginning and an end."""
EVENTS_PER_MESSAGE = 4
"""Of one from the shard before: it comes, it is passed on, and the turn begins and ends."""
OTHER_EVENTS = 40
"""Beginning and end, the page opened and closed with retries, the deadline, a stop, news."""


def most_events(calls: int, messages: int) -> int:
    """How many events a shard's history can have at most: with places, not with the documents of the run.

    `calls` are at most the page's units times the policy's attempts, and hedges. `messages` come from the shard before:
    one for each of the stage's places at most, and one for each work that was called alone after its batch.
    """
    return calls * EVENTS_PER_CALL + messages * EVENTS_PER_MESSAGE + OTHER_EVENTS


def shard(context: OrchestrationContext, given: Any) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run the units of one page. Takes a `ShardInput`, returns a `ShardResult`."""
    result = yield from Shard(context, restored(ShardInput, given)).run()
    return result.model_dump(mode="json")


class Shard:
    """A shard at work: the schedule decides, this carries out."""

    def __init__(self, context: OrchestrationContext, given: ShardInput) -> None:
        self._context = context
        self._given = given
        self._stage = given.stage
        self._schedule = PageSchedule(
            given.policy,
            given.stage,
            run_deadline=given.deadline,
            spent_tokens=given.spent_tokens,
            key=context.instance_id,
        )
        self._schedule.places = self._received = given.places
        self._passed = 0
        self._told: int | None = None
        self._before = given.before
        self._after = given.after
        self._has_begun = given.places > 0
        self._is_open = False
        self._told_budget = False
        self._cut_by: Interruption | None = None
        self._has_stopped = False
        self._alarm = Alarm(context)
        self._arrivals = Arrivals(self._wants_turn)
        self._here = Inbox(context, self._arrivals, SHARD_HERE_EVENT)
        self._places = Inbox(context, self._arrivals, PLACES_EVENT)
        self._hold = Inbox(context, self._arrivals, HOLD_EVENT)
        self._stop = context.wait_for_external_event(STOP_EVENT)
        self._deadline = context.create_timer(given.deadline)
        self._page = self._opening()
        self._closing: Task[Any] | None = None
        for task in (self._stop, self._deadline):
            self._arrivals.watch(task, lambda: None)

    def run(self) -> Generator[Task[Any], Any, ShardResult]:
        """All of it."""
        if self._before is not None:
            self._send(self._before, SHARD_HERE_EVENT, {"instance": self._context.instance_id})
        yield from self._turns_until(self._is_decided)
        if (reason := self._reason()) is not None:
            yield from self._give_up(reason)
        elif self._schedule.withheld:
            self._cut_by = "budget_exhausted"
        self._close_page()
        yield from self._turns_until(self._may_leave)
        self._alarm.disarm()
        cast(Any, self._deadline).cancel()
        return self._result()

    # --- Phases ---

    def _turns_until(self, is_over: Callable[[], bool]) -> Generator[Task[Any], Any]:
        while True:
            self._turn()
            if is_over():
                return
            yield when_any([self._arrivals.next(), *self._alarm.tasks])

    def _is_decided(self) -> bool:
        """Whether no more calls are to be made or waited for."""
        return (self._is_open and self._schedule.finished) or self._reason() is not None

    def _may_leave(self) -> bool:
        """Whether nobody needs this shard any more: its page is closed, and all places have passed through its hands.

        Once the stage is at its end, whatever ends it, nobody waits for places.
        """
        if self._closing is not None and not self._closing.is_complete:
            return False
        at_end = self._cut_by is not None or self._stop.is_complete or self._schedule.budget_is_spent
        return at_end or self._is_last or self._passed == self._given.policy.max_concurrency

    @property
    def _is_last(self) -> bool:
        return self._given.number == self._stage.pages

    def _reason(self) -> Interruption | None:
        """Why the units that are left are not waited for."""
        late = self._deadline.is_complete or self._now >= self._given.deadline
        if self._stop.is_complete:
            return self._stop.get_result() or ("deadline_exceeded" if late else "cancelled")
        return "deadline_exceeded" if late else self._schedule.certain

    def _wants_turn(self) -> bool:
        if self._cut_by is not None and self._closing is None:
            return self._schedule.in_flight == 0
        has_mail = self._here.has_mail or self._places.has_mail or self._hold.has_mail
        if has_mail or self._is_decided() or self._has_to_tell():
            return True
        return self._schedule.wants_turn(self._now, self._alarm.at)

    # --- A turn ---

    def _turn(self) -> None:
        """Hear what has come, start what is due, stop what is no longer wanted, pass on what nobody here needs."""
        self._read()
        now = self._now
        self._schedule.expire(now)
        if self._is_open and self._reason() is None:
            for call in self._schedule.due(now):
                self._start(call)
            self._tell_losers()
            self._tell_of_budget()
            self._pass_places()
        if self._closing is not None and self._stop.is_complete:
            self._tell_of_stop(self._stop.get_result())
        self._alarm.arm(self._schedule.wake_at(now))
        self._show()

    def _read(self) -> None:
        for here in self._here.take():
            self._after, self._told = max(self._after or "", here["instance"]), None
        for told in self._places.take():
            self._receive(restored(PassedPlaces, told))
        if self._hold.take():
            self._schedule.hold()

    def _receive(self, told: PassedPlaces) -> None:
        self._before = told.sender
        gained = max(0, told.places - self._received)
        self._received += gained
        self._schedule.places += gained
        self._schedule.absorb(told.account)
        if gained and not self._has_begun:
            self._has_begun = True
            self._tell_parent("began", self._schedule.account().tally)

    def _has_to_tell(self) -> bool:
        """Whether the next shard is there and does not have all places, or all of the account, that it could have."""
        if self._after is None or not self._is_open or self._cut_by is not None:
            return False
        is_spent = self._schedule.budget_is_spent
        if self._schedule.has_waiting and not is_spent:
            return self._told is None and self._passed > 0
        return self._schedule.spare > 0 or self._told != self._schedule.decided_works

    def _pass_places(self) -> None:
        if self._after is None or not self._has_to_tell():
            return
        spare = self._schedule.spare
        self._schedule.places -= spare
        self._passed += spare
        self._told = self._schedule.decided_works
        told = PassedPlaces(sender=self._context.instance_id, places=self._passed, account=self._schedule.account())
        self._send(self._after, PLACES_EVENT, told.model_dump(mode="json"))

    def _tell_of_budget(self) -> None:
        """The shards before this one may have retries to come, and the parent shards to start: neither is to be."""
        if self._told_budget or not self._schedule.budget_is_spent:
            return
        self._told_budget, self._told = True, None
        if self._before is not None:
            self._send(self._before, HOLD_EVENT, None)
        self._tell_parent("budget", self._schedule.account().tally)

    def _show(self) -> None:
        """What a view of the run adds up over its shards."""
        tally, running = self._schedule.tally(), self._schedule.in_flight
        counts = {"succeeded": tally.succeeded, "failed": tally.failed, "reused": tally.reused, "running": running}
        self._context.set_custom_status(counts | {"tokens": tally.usage.total_tokens})

    # --- The page ---

    def _opening(self) -> Task[Any]:
        """One that takes the place of a lost shard looks for the answers that this run's own folder has."""
        stage, number = self._stage, self._given.number
        looked_up = stage.redrive_of if self._given.lost is None else stage.folder
        given = OpenPage(folder=stage.folder, stage=stage.name, number=number, redrive_of=looked_up)
        task = self._call(OPEN_PAGE, given, PAGE_RETRIES)
        self._arrivals.watch(task, lambda: self._opened(task))
        return task

    def _opened(self, task: Task[Any]) -> None:
        """A page that cannot be read has no units here: to its parent, its works are missing."""
        self._is_open = True
        if task.is_failed:
            return
        page = restored(OpenedPage, task.get_result())
        is_redrive = self._stage.redrive_of is not None
        self._schedule.open(page.units, answered=len(page.reused), are_reused=is_redrive)
        if self._given.lost is not None:
            self._schedule.lose(self._given.lost)

    def _close_page(self) -> None:
        if not self._is_open or self._page.is_failed:
            return
        stage, failures = self._stage, self._schedule.failures(self._cut_by)
        given = ClosePage(folder=stage.folder, stage=stage.name, number=self._given.number, failures=failures)
        self._closing = self._call(CLOSE_PAGE, given, PAGE_RETRIES)
        self._arrivals.watch(self._closing, lambda: None)

    def _result(self) -> ShardResult:
        """A page that could not be closed fails the shard: another takes its place, and tries again."""
        if self._closing is not None:
            if self._closing.is_failed:
                self._tell_of_stop(self._cut_by)
            self._closing.get_result()
        missing = first_names(failure.name for failure in self._schedule.failures(self._cut_by))
        return ShardResult(
            number=self._given.number, tally=self._schedule.final_tally(), missing=missing, reason=self._cut_by
        )

    # --- Calls ---

    def _start(self, call: Call[UnitJob]) -> None:
        given = UnitCall(
            folder=self._stage.folder,
            stage=self._stage.name,
            unit=call.record.branch.unit,
            attempt=call.number,
            instance=self._context.instance_id,
            deadline=call.deadline,
            max_tokens=self._schedule.budget_left,
            recipe=self._stage.recipe,
        )
        task = self._call(self._stage.call, given)
        self._arrivals.watch(task, lambda: self._land(call, task))

    def _land(self, call: Call[UnitJob], task: Task[Any]) -> None:
        if call.in_flight:  # it was not given up meanwhile
            self._schedule.ended(call, _report(call, task), self._now)
            if not self._context.is_replaying:  # a page whose units have all begun has no turn before its last one ends
                self._show()

    def _tell_losers(self) -> None:
        """Stop the calls that another call for the same unit has made needless."""
        if losers := self._schedule.losers():
            shard_id = self._context.instance_id
            names = [unit_call_id(shard_id, call.record.branch.name, call.number) for call in losers]
            self._tell(StopCalls(instances=names))

    # --- The end before its time ---

    def _give_up(self, reason: Interruption) -> Generator[Task[Any], Any]:
        """Stop all calls, and give them a moment for their account, before this shard gives its own."""
        if reason == self._schedule.certain and not self._stop.is_complete:
            self._tell_parent("certain", self._schedule.account().tally, reason)
        self._cut_by = reason
        self._schedule.close()
        self._alarm.disarm()
        if self._schedule.in_flight:
            if not self._stop.is_complete:  # else whoever told this shard to stop has told its calls, too
                self._tell(StopShards(prefix=unit_call_id(self._context.instance_id, "", 0).partition("/")[0] + "/"))
            grace = self._context.create_timer(self._now + timedelta(seconds=GIVING_UP_S))
            yield when_any([self._arrivals.next(), grace])
            cast(Any, grace).cancel()
        self._tell_of_stop(reason)

    # --- Telling others ---

    def _call(self, activity: str, given: Contract, retries: RetryPolicy | None = None) -> Task[Any]:
        data = given.model_dump(mode="json")
        return cast(Any, self._context.call_activity(activity, input=data, retry_policy=retries))

    def _tell(self, stop: StopCalls) -> None:
        """Nobody waits for this activity: a call that it cannot reach ends with its deadline."""
        self._call(STOP_CALLS, stop)

    def _tell_of_stop(self, reason: Interruption | None) -> None:
        """Give the parent, which does not wait for pages to be closed, this shard's account."""
        if not self._has_stopped:
            self._has_stopped = True
            self._tell_parent("stopped", self._schedule.final_tally(), reason)

    def _tell_parent(self, kind: Any, tally: Tally, reason: Interruption | None = None) -> None:
        news = ShardNews(number=self._given.number, kind=kind, tally=tally, reason=reason)
        self._send(self._given.parent, shard_news_event(self._stage.name), news.model_dump(mode="json"))

    def _send(self, instance: str, event: str, data: Any) -> None:
        self._context.send_event(instance, event, data=data)

    @property
    def _now(self) -> datetime:
        """The SDK's moments are in UTC, and do not say so."""
        return self._context.current_utc_datetime.replace(tzinfo=UTC)


def _report(call: Call[UnitJob], task: Task[Any]) -> Report:
    if task.is_failed:
        return call_lost(str(task.get_exception()))
    try:
        reply = restored(UnitReply, task.get_result())
    except ValidationError as exc:
        return call_lost(f"what it returned is no reply: {exc}")
    return report_of(reply, call.record.branch.unit, given_up=CALL_GIVEN_UP)
