"""What the calls for a branch, each an orchestration of its own, say about the branch.

The run alone decides about its branches, and says so in its result. Until then, or when it could not, the same rules
are read off the calls: the first success or permanent failure decides, then calls under way, then whether the last
failure gets a retry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from activities.names import attempt_of
from shared.backoff import retry_delay_s
from shared.contracts.base import restored
from shared.contracts.branch import AttemptInput, AttemptOutcome, BranchError, BranchOutcome, BranchStatus, Usage
from shared.contracts.policy import RunPolicy
from shared.contracts.run import BranchView, LiveStatus
from shared.errors import CallTimedOut
from shared.task_hub import ENDED

if TYPE_CHECKING:
    from durabletask.client import OrchestrationState

LOST = BranchError(code="branch_failed", message="a call ended without an account", retriable=True)
"""Of a call whose orchestration failed or was terminated: the run awaits the branch's other calls and makes no more."""


@dataclass(frozen=True)
class BranchCalls:
    """The calls for the branch `name`, in the order of their start: at least one."""

    run_id: str
    name: str
    calls: Sequence[OrchestrationState]
    policy: RunPolicy

    @cached_property
    def hedges(self) -> int:
        """Calls beside the first and its retries."""
        return sum(attempt_of(call.instance_id)[1] for call in self.calls)

    @property
    def attempts(self) -> int:
        """The first call and its retries."""
        return len(self.calls) - self.hedges

    @cached_property
    def reports(self) -> list[AttemptOutcome]:
        """The accounts of the calls that have ended, in the order of their ends."""
        ended = [report_of(call) for call in self.calls if call.runtime_status.name in ENDED]
        return sorted(ended, key=lambda report: report.ended_at)

    @cached_property
    def decisive(self) -> AttemptOutcome | None:
        """The account that decides what became of the branch; None when that is open."""
        decided = next((report for report in self.reports if decides(report)), None)
        if decided or not self.reports or len(self.reports) < len(self.calls):
            return decided
        last = self.reports[-1]
        return None if self._is_retried(last) else last

    @property
    def usage(self) -> Usage:
        """What the calls that have ended have cost."""
        return sum((report.usage for report in self.reports), start=Usage())

    def view(self) -> BranchView:
        """The branch as it is now."""
        shown = self.decisive or (self.reports[-1] if self.reports else None)
        return BranchView(
            name=self.name,
            status=branch_status(self.decisive) if self.decisive else self._stage(),
            attempts=self.attempts,
            hedges=self.hedges,
            usage=self.usage,
            error=shown.error if shown else None,
            started_at=utc(self.calls[0].created_at),
            ended_at=self.decisive.ended_at if self.decisive else None,
        )

    def outcome(self, error: BranchError, ended_at: datetime) -> BranchOutcome:
        """What became of the branch of a run that died of `error` at `ended_at`."""
        own = self.decisive if self.decisive and self.decisive.error != LOST else None
        untold = Usage(model_calls=len(self.calls) - len(self.reports))
        return BranchOutcome(
            name=self.name,
            status=branch_status(own) if own else status_after(error),
            error=own.error if own else error,
            attempts=self.attempts,
            hedges=self.hedges,
            usage=self.usage + untold,
            started_at=utc(self.calls[0].created_at),
            ended_at=own.ended_at if own else ended_at,
            **kept(own),
        )

    def _stage(self) -> LiveStatus:
        """How far a branch is that is not decided."""
        names = {call.runtime_status.name for call in self.calls}
        if names & {"RUNNING", "SUSPENDED"}:
            return "running"
        return "pending" if "PENDING" in names else "retrying"

    def _is_retried(self, last: AttemptOutcome) -> bool:
        """Whether the run calls again after this end of all calls so far: it has an attempt and time left."""
        if last.status != "failed" or last.error == LOST or self.attempts >= self.policy.attempts:
            return False
        deadline = deadline_of(self.calls[-1])
        return deadline is None or max(map(self._back_at, self._latest)) < deadline

    @property
    def _latest(self) -> list[AttemptOutcome]:
        """The accounts since the last attempt began: each of them may ask for a wait."""
        attempts = [call for call in self.calls if not attempt_of(call.instance_id)[1]]
        began_at = utc(attempts[-1].created_at) if attempts else utc(self.calls[0].created_at)
        return [report for report in self.reports if report.ended_at >= began_at]

    def _back_at(self, report: AttemptOutcome) -> datetime:
        """When the branch may be called again after this account."""
        wait_s = retry_delay_s(self.attempts, report.retry_after_s, key=f"{self.run_id}:{self.name}")
        return report.ended_at + timedelta(seconds=wait_s)


def report_of(call: OrchestrationState) -> AttemptOutcome:
    """The account of a call that has ended, or one in its place."""
    if call.runtime_status.name == "COMPLETED":
        try:
            return restored(AttemptOutcome, json.loads(call.serialized_output or "null"))
        except ValidationError:
            pass
    return AttemptOutcome(
        status="failed",
        error=LOST,
        usage=Usage(model_calls=1),
        started_at=utc(call.created_at),
        ended_at=utc(call.last_updated_at),
    )


def decides(report: AttemptOutcome) -> bool:
    """Whether a branch is decided by this account alone, whatever other calls come to."""
    permanent = report.error is None or not report.error.retriable
    return report.status == "succeeded" or (report.status == "failed" and permanent)


def branch_status(decisive: AttemptOutcome) -> BranchStatus:
    """The status of the branch that this account decides: a call that had no answer in time has timed out."""
    timed_out = decisive.error is not None and decisive.error.code == CallTimedOut.code
    return "timed_out" if timed_out else decisive.status


def status_after(error: BranchError) -> BranchStatus:
    """The status of a branch that was not decided when its run died of `error`."""
    return "cancelled" if error.code == "terminated" else "failed"


def deadline_of(call: OrchestrationState) -> datetime | None:
    """When the time of a call's branch is up; None when the call does not tell."""
    try:
        return restored(AttemptInput, json.loads(call.serialized_input or "null")).deadline
    except ValidationError:
        return None


def kept(decisive: AttemptOutcome | None) -> dict[str, Any]:
    """What a branch keeps of the call that decided it."""
    return {} if decisive is None else decisive.model_dump(include={"output", "model", "truncated"})


def utc(moment: datetime) -> datetime:
    """The SDK's times are in UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
