"""The delivery of a run's callback: an orchestration of its own, which is there before the run and outlives it.

1. It waits for the run's end: the run announces it. A run that cannot, because it was terminated or died of a defect,
   is found by looking now and then.
2. It has the callback sent, again and again for up to a day, until somebody takes it or wants none any more.

What has come of it is its custom status, and in the end its output: a `DeliveryReport`. It never fails.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import DELIVER_RESULT, LOOK_FOR_END, RUN_ENDED_EVENT
from shared.contracts.base import Contract, restored
from shared.contracts.callback import DeliveryCall, DeliveryInput, DeliveryReply, DeliveryReport, LookForEnd, RunEnd
from shared.scheduling.deliveries import MAX_ABSENT_S, MAX_WAIT_S, look_after_s, retry_after_s

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

ANNOUNCED_PATIENCE_S = 5.0
"""A run that has announced its end is given so long to be seen to have ended: it does so last of all but one."""

Steps = Generator["Task[Any]", Any, Any]


def delivery(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Deliver the callback of a `DeliveryInput`; returns the `DeliveryReport`."""
    given = restored(DeliveryInput, context.get_input())
    tell(context, DeliveryReport(state="waiting"))
    if reason := (yield from waited_in_vain(context, given)):
        return told(context, DeliveryReport(state="failed", last_error=reason))
    report = yield from delivered(context, given)
    return told(context, report)


def waited_in_vain(context: DurableOrchestrationContext, given: DeliveryInput) -> Generator[Task[Any], Any, str | None]:
    """Wait for the run's end; the reason why it is waited for no longer, or None once it has come."""
    announced = context.wait_for_external_event(RUN_ENDED_EVENT)
    was_announced = False
    since = context.current_utc_datetime
    while True:
        due = context.current_utc_datetime + timedelta(seconds=look_after_s(seconds_since(context, since)))
        yield from pause(context, due, None if was_announced else announced)
        news = announced.is_complete and not was_announced
        if news:  # from here on it cannot take long, and is looked for as often as in the beginning
            was_announced, since = True, context.current_utc_datetime
        look = LookForEnd(run_id=given.run_id, patience_s=ANNOUNCED_PATIENCE_S if news else 0.0)
        found: RunEnd = (yield from called(context, LOOK_FOR_END, look)) or "going"
        waited_s = seconds_since(context, since)
        if found == "ended":
            return None
        if found == "absent" and waited_s >= MAX_ABSENT_S:
            return "the run was never started, or was purged before its end was seen"
        if waited_s >= MAX_WAIT_S:
            return f"the run had not ended after {MAX_WAIT_S / 86_400:g} days"


def delivered(context: DurableOrchestrationContext, given: DeliveryInput) -> Generator[Task[Any], Any, DeliveryReport]:
    """Attempt after attempt, until the callback is taken or given up."""
    began_at = context.current_utc_datetime
    report = DeliveryReport(state="delivering")
    while True:
        tell(context, report)
        number = report.attempts + 1
        answer = yield from called(context, DELIVER_RESULT, DeliveryCall(**dict(given), number=number))
        reply = DeliveryReply(error="the attempt was lost") if answer is None else restored(DeliveryReply, answer)
        now = context.current_utc_datetime
        wait_s = retry_after_s(number, seconds_since(context, began_at), reply.retry_after_s, given.run_id)
        report = after(report, reply, now, wait_s)
        if report.next_attempt_at is None:
            return report
        tell(context, report)
        yield from pause(context, report.next_attempt_at)
        report = report.model_copy(update={"next_attempt_at": None})


def after(report: DeliveryReport, reply: DeliveryReply, now: datetime, wait_s: float | None) -> DeliveryReport:
    """The report with one more attempt, which brought `reply`; another one follows in `wait_s` seconds, if it may."""
    so_far = DeliveryReport(
        state="delivering", attempts=report.attempts + 1, last_status=reply.status, last_error=reply.error
    )
    if reply.delivered:
        return so_far.model_copy(update={"state": "delivered", "delivered_at": now})
    if reply.refused_for_good or wait_s is None:
        return so_far.model_copy(update={"state": "failed"})
    return so_far.model_copy(update={"next_attempt_at": now + timedelta(seconds=wait_s)})


def called(context: DurableOrchestrationContext, activity: str, given: Contract) -> Steps:
    """What an activity returns; None if it raised, or was lost with its worker."""
    call = context.call_activity(activity, given.model_dump(mode="json"))
    yield context.task_any([call])
    return None if call.is_failed else call.get_result()


def pause(context: DurableOrchestrationContext, until: datetime, event: Task[Any] | None = None) -> Steps:
    """Wait until a moment, or until an event before."""
    timer = context.create_timer(until)
    yield context.task_any([timer] if event is None else [event, timer])
    if not timer.is_complete:
        cast(Any, timer).cancel()


def seconds_since(context: DurableOrchestrationContext, moment: datetime) -> float:
    """How long ago it was."""
    return (context.current_utc_datetime - moment).total_seconds()


def tell(context: DurableOrchestrationContext, report: DeliveryReport) -> None:
    """Show those who watch how far the delivery has come."""
    context.set_custom_status(report.model_dump(mode="json"))


def told(context: DurableOrchestrationContext, report: DeliveryReport) -> dict[str, Any]:
    """Show the end of it, and return it."""
    tell(context, report)
    return report.model_dump(mode="json")
