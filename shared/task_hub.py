"""What the durable client's errors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from shared.contracts.branch import BranchError

ENDED = ("COMPLETED", "FAILED", "TERMINATED")
"""The runtime statuses of an orchestration that will do nothing more."""
GONE = ("NOT_FOUND", "FAILED_PRECONDITION")
UNREACHABLE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")


def is_gone(error: BaseException) -> bool:
    """Whether a call to an instance failed because the instance has ended or is not there."""
    return status_of(error) in GONE


def is_unreachable(error: BaseException) -> bool:
    """Whether a call failed because the task hub did not answer, or was too busy to."""
    return status_of(error) in UNREACHABLE


def is_too_large(error: BaseException) -> bool:
    """Whether a call failed because a message of it is larger than the task hub takes: it would fail again."""
    details = getattr(error, "details", None)
    return status_of(error) == "RESOURCE_EXHAUSTED" and callable(details) and "larger than max" in str(details())


def status_of(error: BaseException) -> str | None:
    """The name of the gRPC status that the durable client's error carries; None for any other error."""
    code = getattr(error, "code", None)
    return getattr(cast(Any, code()), "name", None) if callable(code) else None


def death_of(runtime_status: str) -> BranchError:
    """Why an orchestration that ended with this runtime status has no output of its own."""
    from shared.contracts.branch import BranchError

    if runtime_status == "TERMINATED":
        return BranchError(code="terminated", message="the orchestration was terminated", retriable=True)
    message = "the orchestration failed; the log has the cause"
    return BranchError(code="internal_error", message=message, retriable=True)
