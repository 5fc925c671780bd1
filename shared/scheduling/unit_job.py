"""A unit of a page as a schedule sees it, and a reply about it as a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.branch import BranchError, BranchStatus
from shared.contracts.work import Unit, UnitReply, Work
from shared.errors import CallTimedOut, NotAnswered
from shared.scheduling.record import Report


@dataclass(frozen=True, slots=True)
class UnitJob:
    """A work, or a batch of them, that one call is about.

    `base_tokens` are those that each call of the stage has beside its works, `max_answer_tokens` the bound of one
    answer; `calls_before` were made for the batch that the work was in.
    """

    unit: Unit
    base_tokens: int = 0
    max_answer_tokens: int | None = None
    calls_before: int = 0

    @property
    def name(self) -> str:
        """The unit's."""
        return self.unit.name

    @property
    def weight(self) -> int:
        """Its works."""
        return len(self.unit.works)

    @property
    def max_output_tokens(self) -> int | None:
        """As much as all of its answers may have."""
        return self.max_answer_tokens and self.max_answer_tokens * self.weight

    def estimated_input_tokens(self) -> int:
        """About how many input tokens a call for it has."""
        return self.base_tokens + sum(work.tokens for work in self.unit.works)

    def singles(self, works: list[Work], calls: int) -> list[UnitJob]:
        """A job for each of these works of its own, after `calls` for all of them."""
        numbers = {work.name: number for number, work in enumerate(self.unit.works, start=1)}
        return [
            UnitJob(
                unit=Unit(name=f"{self.name}.{numbers[work.name]}", works=[work]),
                base_tokens=self.base_tokens,
                max_answer_tokens=self.max_answer_tokens,
                calls_before=self.calls_before + calls,
            )
            for work in works
        ]


def report_of(reply: UnitReply, unit: Unit, *, given_up: str) -> Report:
    """What a reply tells the schedule. `given_up` is the error code of one that was told to stop.

    A single work that is not answered has failed; of a batch, the others have their answers.
    """
    asked = {work.name for work in unit.works}
    unanswered = [name for name in dict.fromkeys(reply.unanswered) if name in asked]
    error, status = reply.error, "succeeded"
    if error is None and unanswered and len(unit.works) == 1:
        error = BranchError(code=NotAnswered.code, message=f"the answer lacks {unanswered[0]!r}", retriable=True)
    if error is not None:
        status: BranchStatus = "cancelled" if error.code == given_up else "failed"
    told = {"error": error and dict(error), "usage": dict(reply.usage)}
    waits = {"retry_after_s": reply.retry_after_s, "worked_s": reply.worked_s}
    return {"status": status, "unanswered": unanswered if error is None else [], **told, **waits}


def overdue(allowed_s: float) -> Report:
    """The report of a call that has not come back long after it was to be over: its worker is gone."""
    message = f"no answer within {allowed_s:g} s; the call's worker may have died"
    return {"status": "failed", "error": _error(CallTimedOut.code, message), **_UNTOLD}


def call_lost(why: str) -> Report:
    """The report of a call whose activity raised, or was lost with its worker."""
    return {"status": "failed", "error": _error("call_lost", f"the call was lost: {why}"), **_UNTOLD}


def _error(code: str, message: str) -> Mapping[str, Any]:
    return {"code": code, "message": message, "retriable": True, "http_status": None}


_UNTOLD: Mapping[str, Any] = {
    "retry_after_s": None,
    "unanswered": [],
    "usage": {"model_calls": 1, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
}
"""What is said of a call that gave no account: it was made, what it cost is not known."""
