"""The project's errors, as one tree.

    ChorusError
    ├── SettingsError              a setting is missing or wrong; names it
    ├── UnforeseenError            an activity or orchestration failed of a defect; says where
    ├── UnknownRecipe              there is no recipe of this name; has those that there are
    ├── RecipeBroken               a recipe's file cannot be used; names it, and says why
    ├── CallbackRefused            the app may not call a URL; says why, and never has the URL in it
    └── AgentError                 an agent's call did not give a usable answer
        ├── RetriableAgentError    the same call may succeed later
        │   ├── RateLimited            rate_limited            429
        │   ├── ModelUnavailable       model_unavailable       5xx, and an answer that cannot be read
        │   ├── ModelConflict          model_conflict          409
        │   ├── ConnectionFailed       connection_failed       no answer, or cut off in the middle
        │   ├── CallTimedOut           call_timed_out          408, or no answer within the time left
        │   ├── StorageUnavailable     storage_unavailable     Blob Storage did not answer, or was busy
        │   └── NotAnswered            not_answered            a batch's answer lacks the document, or has it twice
        └── PermanentAgentError    the same call would fail again
            ├── InvalidCall            invalid_call            400, 422
            ├── NotAuthenticated       not_authenticated       401, or no credential
            ├── NotAllowed             not_allowed             403
            ├── ModelNotFound          model_not_found         404
            ├── QuotaExhausted         quota_exhausted         429 whose cause is the bill, not the rate
            ├── ContentFiltered        content_filtered        stopped by a content filter
            ├── Refused                refused                 the model declined to answer
            ├── InvalidOutput          invalid_output          does not fit the schema, also after the repair
            ├── NotConfigured          not_configured          a SettingsError, as a branch sees it
            ├── StorageForbidden       storage_forbidden       the app may not use the container
            ├── DocumentGone           document_gone           the blob was deleted under the run
            ├── DocumentChanged        document_changed        the blob was written again under the run
            ├── DocumentUnreadable     document_unreadable     not text of its encoding, too large, or empty
            └── CallFailed             call_failed             anything that nobody foresaw

Errors of other libraries are translated once, where they arise, with `raise … from`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.contracts.branch import Usage


class ChorusError(Exception):
    """The root of the tree."""


class SettingsError(ChorusError):
    """One or more settings are missing or wrong; `problems` has one sentence each, which names the setting."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class UnforeseenError(ChorusError):
    """What history has of any other error: its place, and not its words, which may quote prompts and keys."""


class UnknownRecipe(ChorusError):
    """There is no recipe called `name`; `known` are the names that there are."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"there is no recipe {name!r}")
        self.name = name
        self.known = known


class RecipeBroken(ChorusError):
    """The file of the recipe `name` cannot be used for `reason`, which has no path and is short enough for a log."""

    MAX_REASON_CHARS = 1_000

    def __init__(self, name: str, reason: str) -> None:
        if len(reason) > self.MAX_REASON_CHARS:  # it quotes the file
            reason = f"{reason[: self.MAX_REASON_CHARS]}…"
        super().__init__(f"the recipe {name!r} ({name}.toml) cannot be used: {reason}")
        self.name = name
        self.reason = reason


class CallbackRefused(ChorusError):
    """The app does not call this URL, or cannot read any more which it was. No message has the URL."""


class AgentError(ChorusError):
    """A call that gave no usable answer. `code` is stable and part of the API; `usage` is what it cost, if known."""

    code = "agent_error"
    retriable = False

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.usage = usage


class RetriableAgentError(AgentError):
    """The same call may succeed later."""

    retriable = True


class RateLimited(RetriableAgentError):
    """Too many requests or tokens for now."""

    code = "rate_limited"


class ModelUnavailable(RetriableAgentError):
    """The service failed, or its answer could not be read."""

    code = "model_unavailable"


class ModelConflict(RetriableAgentError):
    """The service was busy with a conflicting request."""

    code = "model_conflict"


class ConnectionFailed(RetriableAgentError):
    """No connection, or it was cut before the answer was complete."""

    code = "connection_failed"


class CallTimedOut(RetriableAgentError):
    """No answer in time."""

    code = "call_timed_out"


class StorageUnavailable(RetriableAgentError):
    """Blob Storage did not answer, or was too busy to."""

    code = "storage_unavailable"


class NotAnswered(RetriableAgentError):
    """The answer to a batch lacks the document, or has it more than once."""

    code = "not_answered"


class PermanentAgentError(AgentError):
    """The same call would fail again."""


class InvalidCall(PermanentAgentError):
    """The service rejected the request itself."""

    code = "invalid_call"


class NotAuthenticated(PermanentAgentError):
    """The credential is missing, wrong or expired."""

    code = "not_authenticated"


class NotAllowed(PermanentAgentError):
    """The credential may not use this model."""

    code = "not_allowed"


class ModelNotFound(PermanentAgentError):
    """There is no such model or deployment."""

    code = "model_not_found"


class QuotaExhausted(PermanentAgentError):
    """The account has no quota left; waiting does not help."""

    code = "quota_exhausted"


class ContentFiltered(PermanentAgentError):
    """A content filter stopped the prompt or the answer."""

    code = "content_filtered"


class Refused(PermanentAgentError):
    """The model declined to answer."""

    code = "refused"


class InvalidOutput(PermanentAgentError):
    """The answer does not fit the agent's schema, and neither does its repair."""

    code = "invalid_output"


class NotConfigured(PermanentAgentError):
    """The app's model settings are missing or wrong."""

    code = "not_configured"


class StorageForbidden(PermanentAgentError):
    """The app's identity may not use the container, or there is none of this name."""

    code = "storage_forbidden"


class DocumentGone(PermanentAgentError):
    """The blob was there when the run listed it, and is not any more."""

    code = "document_gone"


class DocumentChanged(PermanentAgentError):
    """The blob is not the one that the run listed."""

    code = "document_changed"


class DocumentUnreadable(PermanentAgentError):
    """The document is not text of its encoding, is too large, or is empty."""

    code = "document_unreadable"


class CallFailed(PermanentAgentError):
    """An error that nobody foresaw; the log has the rest."""

    code = "call_failed"


SAME_FOR_EACH = {
    error.code
    for error in (ModelNotFound, NotAllowed, NotAuthenticated, NotConfigured, QuotaExhausted, StorageForbidden)
}
"""Permanent errors that are not about the documents."""


def divides_batch(code: str, *, retriable: bool) -> bool:
    """Whether a batch's call that failed so may have met what one document is at fault for, and not the others."""
    return not retriable and code not in SAME_FOR_EACH
