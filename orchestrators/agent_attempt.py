"""The child orchestration of one call for a branch: the activity, raced by the branch's deadline and the stop event.

It returns an `AttemptOutcome` whatever happens; whether to call again is for the run to decide.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from activities.names import CALL_AGENT, CALL_GIVEN_UP, STOP_EVENT
from shared.contracts.base import restored
from shared.contracts.branch import (
    AgentCall,
    AgentReply,
    AttemptInput,
    AttemptOutcome,
    BranchError,
    BranchStatus,
    Usage,
)

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

ABANDONED_CALL = Usage(model_calls=1)
"""A call that nobody waits for any more was made; what it cost is not known."""


def agent_attempt(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Make one call and tell what came of it."""
    given = restored(AttemptInput, context.get_input())
    attempt = Attempt(context, given, context.current_utc_datetime)
    if attempt.started_at >= given.deadline:  # this turn came late: a call now could only be abandoned
        return attempt.too_late()
    timer = context.create_timer(given.deadline)
    stop = context.wait_for_external_event(STOP_EVENT)
    call = context.call_activity(CALL_AGENT, call_input(given, context.instance_id))
    yield context.task_any([call, timer, stop])
    cast(Any, timer).cancel()
    if call.is_complete:
        return attempt.replied(reply_of(call))
    return attempt.stopped() if stop.is_complete else attempt.timed_out()


def call_input(given: AttemptInput, instance: str) -> dict[str, Any]:
    """The input of `call_agent`: the deadline is absolute, so time spent in a queue counts too."""
    call = AgentCall(
        run_id=given.run_id,
        branch=given.branch.name,
        attempt=given.number,
        instance=instance,
        agent=given.branch.agent,
        prompt=given.branch.prompt,
        deadline=given.deadline,
        max_tokens=given.max_tokens,
        recipe=given.recipe,
        batch=given.branch.batch,
    )
    return call.model_dump(mode="json")


def reply_of(call: Task[Any]) -> AgentReply:
    """The activity's reply; one that raised or was lost with its worker counts as a retriable failure."""
    if call.is_failed:
        message = f"the call was lost: {call.get_exception()}"
        error = BranchError(code="call_lost", message=message, retriable=True)
        return AgentReply(error=error, usage=ABANDONED_CALL)
    return restored(AgentReply, call.get_result())


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call under way."""

    context: DurableOrchestrationContext
    given: AttemptInput
    started_at: datetime

    def replied(self, reply: AgentReply) -> dict[str, Any]:
        """The reply's account; a call that was given up before the attempt heard of its stop was stopped too."""
        if reply.error is not None and reply.error.code == CALL_GIVEN_UP:
            return self.stopped()
        status: BranchStatus = "succeeded" if reply.error is None else "failed"
        return self._outcome(status, **dict(reply))

    def timed_out(self) -> dict[str, Any]:
        """The call was still out when the branch's time was up."""
        allowed_s = (self.given.deadline - self.started_at).total_seconds()
        return self._ended("timed_out", "branch_timed_out", f"no answer within {allowed_s:g} s", ABANDONED_CALL)

    def too_late(self) -> dict[str, Any]:
        """The branch's time was up before the call could begin."""
        message = f"the time was up before call {self.given.number} began"
        return self._ended("timed_out", "branch_timed_out", message, Usage())

    def stopped(self) -> dict[str, Any]:
        """The run wants no answer any more."""
        return self._ended("cancelled", "cancelled", "the call was stopped", ABANDONED_CALL)

    def _ended(self, status: BranchStatus, code: str, message: str, usage: Usage) -> dict[str, Any]:
        return self._outcome(status, error=BranchError(code=code, message=message, retriable=True), usage=usage)

    def _outcome(self, status: BranchStatus, **fields: Any) -> dict[str, Any]:
        ended_at = self.context.current_utc_datetime
        outcome = AttemptOutcome(status=status, started_at=self.started_at, ended_at=ended_at, **fields)
        return outcome.model_dump(mode="json")
