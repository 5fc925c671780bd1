"""From what is known of a branch to its outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from shared.contracts.branch import BranchError, BranchOutcome, BranchStatus, Usage
from shared.contracts.policy import Interruption
from shared.errors import CallTimedOut
from shared.scheduling.record import Record, Report

CUT_SHORT: dict[Interruption, tuple[BranchStatus, str]] = {
    "deadline_exceeded": ("timed_out", "the run's deadline passed"),
    "cancelled": ("cancelled", "the run was cancelled"),
    "min_successful_reached": ("cancelled", "enough branches had succeeded"),
    "failure_tolerance_exceeded": ("cancelled", "too many branches had failed"),
    "budget_exhausted": ("cancelled", "the run's budget of tokens was spent"),
}
"""What becomes of a branch that a run does not let end, and the words for it."""

ABANDONED_CALL = Usage(model_calls=1)
"""What a call counts for whose account never came: it was made, its tokens are not known."""


class End(TypedDict):
    """The end of a run: when it would have been at the latest and when it was, and what cut it short, if anything."""

    run_deadline: datetime
    cut_by: Interruption | None
    now: datetime


def outcome_of(
    record: Record[Any], *, run_deadline: datetime, cut_by: Interruption | None, now: datetime
) -> BranchOutcome:
    """What became of a branch; `cut_by` says why the run ended before those that are not decided."""
    status, error = fate_of(record, run_deadline=run_deadline, cut_by=cut_by)
    last = record.last if record.decided else None
    answer = last if last is not None and status == "succeeded" else None
    kept = {field: answer[field] for field in ("output", "model", "truncated")} if answer is not None else {}
    return _outcome(record, status, error, ended_at=now if last is None else last["ended_at"], **kept)


def fate_of(
    record: Record[Any], *, run_deadline: datetime, cut_by: Interruption | None
) -> tuple[BranchStatus, BranchError | None]:
    """A branch's status, and its error if it has one."""
    if record.decided and record.last is not None:
        return _own(record, record.last, run_deadline)
    if record.decided and record.late_for_attempt is not None:
        return "timed_out", _late(record, record.late_for_attempt, run_deadline)
    if record.decided:
        return "failed", _lost(record)
    return _cut_short(record, cut_by or "cancelled")


def usage_of(record: Record[Any]) -> Usage:
    """What all calls for a branch have cost, those without an account too."""
    told = sum((Usage.model_validate(report["usage"]) for report in record.reports), start=Usage())
    untold = len(record.calls) - len(record.reports)
    return told + Usage(model_calls=untold * ABANDONED_CALL.model_calls)


def _own(record: Record[Any], report: Report, run_deadline: datetime) -> tuple[BranchStatus, BranchError | None]:
    """What the branch came to by itself."""
    status: BranchStatus = report["status"]
    if status == "succeeded":
        return status, None
    error = BranchError.model_validate(report["error"])
    if status == "timed_out":
        error = _out_of_time(record, error.message, _before(record, report), run_deadline)
    elif error.code == CallTimedOut.code:
        status = "timed_out"
    return status, error


def _late(record: Record[Any], attempt: int, run_deadline: datetime) -> BranchError:
    """The next attempt found no place before the branch's time was up."""
    return _out_of_time(record, f"the time was up before attempt {attempt} began", _before(record), run_deadline)


def _out_of_time(record: Record[Any], what: str, before: str, run_deadline: datetime) -> BranchError:
    """Whether a branch's own time was up or its run's: a longer `branch_timeout_s` helps the former only."""
    if record.deadline != run_deadline:
        return BranchError(code="branch_timed_out", message=what + before, retriable=True)
    _, why = CUT_SHORT["deadline_exceeded"]
    return BranchError(code="deadline_exceeded", message=f"{why} before the branch ended{before}", retriable=True)


def _lost(record: Record[Any]) -> BranchError:
    """The last call's orchestration failed, or was terminated."""
    message = f"branch {record.branch.name!r} ended without an outcome: {record.lost}{_before(record)}"
    return BranchError(code="branch_failed", message=message, retriable=True)


def _cut_short(record: Record[Any], cut_by: Interruption) -> tuple[BranchStatus, BranchError]:
    status, why = CUT_SHORT[cut_by]
    state = "before the branch ended" if record.calls else "before the branch started"
    return status, BranchError(code=cut_by, message=f"{why} {state}{_before(record)}", retriable=True)


def _before(record: Record[Any], last: Report | None = None) -> str:
    """What had gone wrong before, if anything."""
    own = [
        report["error"]["message"]
        for report in record.reports
        if report is not last and report["status"] in {"failed", "timed_out"}
    ]
    return f"; the error before that: {own[-1]}" if own else ""


def _outcome(
    record: Record[Any], status: BranchStatus, error: BranchError | None, *, ended_at: Any, **fields: Any
) -> BranchOutcome:
    return BranchOutcome.model_validate(
        {
            "name": record.branch.name,
            "status": status,
            "error": error,
            "attempts": record.attempts,
            "hedges": record.hedges,
            "usage": usage_of(record),
            "started_at": record.started_at or ended_at,
            "ended_at": ended_at,
            **fields,
        }
    )
