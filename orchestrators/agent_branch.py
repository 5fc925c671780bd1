"""The child orchestration of one branch: attempts, waits between them, and a timer over all of them.

It returns a `BranchOutcome` whatever happens, so the parent's `task_all` never raises for a failing agent.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import CALL_AGENT
from shared.backoff import retry_delay_s
from shared.contracts.base import restored
from shared.contracts.branch import (
    AgentCall,
    AgentReply,
    BranchError,
    BranchInput,
    BranchOutcome,
    BranchStatus,
    Usage,
)
from shared.errors import CallTimedOut

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task


def agent_branch(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run one branch to its outcome."""
    given = restored(BranchInput, context.get_input())
    started_at = context.current_utc_datetime
    deadline = min(started_at + timedelta(seconds=given.timeout_s), given.run_deadline)
    progress = BranchProgress(context, given, started_at, deadline, Usage())
    timer = context.create_timer(deadline)
    for attempt in range(1, given.attempts + 1):
        if context.current_utc_datetime >= deadline:  # this turn came late: a call now could only be abandoned
            cast(Any, timer).cancel()
            return progress.too_late_for(attempt)
        context.set_custom_status({"attempt": attempt})
        call = context.call_activity(CALL_AGENT, attempt_input(given, attempt, deadline))
        yield context.task_any([call, timer])
        if not call.is_complete:
            return progress.timed_out(attempt)
        reply = reply_of(call)
        progress = progress.after(reply)
        if reply.error is None:
            cast(Any, timer).cancel()
            return progress.succeeded(attempt, reply)
        wait_s = wait_before_retry_s(context, given, attempt, deadline, reply)
        if wait_s is None:
            cast(Any, timer).cancel()
            return progress.failed(attempt, reply.error)
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=wait_s))
    raise AssertionError("a branch ends in its loop: the last attempt is never followed by a wait")


def attempt_input(given: BranchInput, attempt: int, deadline: datetime) -> dict[str, Any]:
    """The input of `call_agent`: the deadline is absolute, so time spent in a queue counts too."""
    call = AgentCall(
        run_id=given.run_id,
        branch=given.branch.name,
        attempt=attempt,
        agent=given.branch.agent,
        prompt=given.branch.prompt,
        deadline=deadline,
    )
    return call.model_dump(mode="json")


def reply_of(call: Task[Any]) -> AgentReply:
    """The activity's reply; one that raised or was lost with its worker counts as a retriable failure."""
    if call.is_failed:
        message = f"the call was lost: {call.get_exception()}"
        error = BranchError(code="call_lost", message=message, retriable=True)
        return AgentReply(error=error, usage=Usage(model_calls=1))
    return restored(AgentReply, call.get_result())


def wait_before_retry_s(
    context: DurableOrchestrationContext, given: BranchInput, attempt: int, deadline: datetime, reply: AgentReply
) -> float | None:
    """Seconds to wait before the next attempt; None when there is none: not retriable, no attempt or no time left."""
    if reply.error is None or not reply.error.retriable or attempt >= given.attempts:
        return None
    delay_s = retry_delay_s(attempt, reply.retry_after_s, key=context.instance_id)
    in_time = context.current_utc_datetime + timedelta(seconds=delay_s) < deadline
    return delay_s if in_time else None


@dataclass(frozen=True, slots=True)
class BranchProgress:
    """A branch under way: what it has cost, and the last error it met."""

    context: DurableOrchestrationContext
    given: BranchInput
    started_at: datetime
    deadline: datetime
    usage: Usage
    last_error: BranchError | None = None

    def after(self, reply: AgentReply) -> BranchProgress:
        """With one more reply counted."""
        return replace(self, usage=self.usage + reply.usage, last_error=reply.error or self.last_error)

    def succeeded(self, attempts: int, reply: AgentReply) -> dict[str, Any]:
        """The outcome with the reply's output."""
        return self._outcome("succeeded", attempts, output=reply.output, model=reply.model, truncated=reply.truncated)

    def failed(self, attempts: int, error: BranchError) -> dict[str, Any]:
        """The outcome of a branch that will not be tried again; a call that ran out of time timed out."""
        status: BranchStatus = "timed_out" if error.code == CallTimedOut.code else "failed"
        return self._outcome(status, attempts, error=error)

    def timed_out(self, attempts: int) -> dict[str, Any]:
        """The outcome of a branch whose call was still out when its time was up."""
        allowed_s = (self.deadline - self.started_at).total_seconds()
        error = self._out_of_time(f"no answer within {allowed_s:g} s (attempt {attempts})")
        lost = replace(self, usage=self.usage + Usage(model_calls=1))
        return lost._outcome("timed_out", attempts, error=error)

    def too_late_for(self, attempt: int) -> dict[str, Any]:
        """The outcome of a branch whose time was up before it could make attempt number `attempt`."""
        error = self._out_of_time(f"the time was up before attempt {attempt} began")
        return self._outcome("timed_out", attempt - 1, error=error)

    def _out_of_time(self, what: str) -> BranchError:
        before = f"; the error before that: {self.last_error.message}" if self.last_error else ""
        return BranchError(code="branch_timed_out", message=what + before, retriable=True)

    def _outcome(self, status: BranchStatus, attempts: int, **fields: Any) -> dict[str, Any]:
        outcome = BranchOutcome(
            name=self.given.branch.name,
            status=status,
            attempts=attempts,
            usage=self.usage,
            started_at=self.started_at,
            ended_at=self.context.current_utc_datetime,
            **fields,
        )
        return outcome.model_dump(mode="json")
