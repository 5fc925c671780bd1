"""What a callback says: the event `run.completed`, and its signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.settings import CallbackSettings
from shared.task_hub import death_of

if TYPE_CHECKING:
    from durabletask.client import OrchestrationState

RUN_COMPLETED = "run.completed"
MAX_BODY_BYTES = 262_144
"""A body with a larger result has a summary in its place: receivers cut off bodies that they think too large."""
SUMMARY = ("redrive_of", "started_at", "ended_at", "usage", "counts", "files", "error")
"""The fields of a `RunResult` that say how it went and stay small."""


def message_of(run: OrchestrationState, result_url: str) -> str:
    """The body for a run that has ended; the same at each attempt, as receivers know it by its id.

    A run that died without a result of its own is told with a summary: its result is put together by who asks for it.
    """
    told = _told_by(run)
    if told is None:
        return _body(run, result_url, _summary_of_dead(run))
    whole = _body(run, result_url, told, result=told)
    return whole if len(whole.encode()) <= MAX_BODY_BYTES else _body(run, result_url, told)


def headers_for(run_id: str, body: str, settings: CallbackSettings, now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: the id, which the attempts share, the time of this one, and the signatures.

    Each secret signs. So a receiver that still has the old one takes the callback as well as one with the new.
    """
    from standardwebhooks import Webhook

    message_id = f"msg_{run_id}"
    signatures = [Webhook(secret).sign(message_id, now, body) for secret in settings.secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _told_by(run: OrchestrationState) -> dict[str, Any] | None:
    if run.runtime_status.name != "COMPLETED":
        return None
    told: dict[str, Any] | None = json.loads(run.serialized_output or "null")
    return told


def _summary_of_dead(run: OrchestrationState) -> dict[str, Any]:
    error = death_of(run.runtime_status.name)
    cancelled = error.code == "terminated"
    given: dict[str, Any] = json.loads(run.serialized_input or "{}")
    return {
        "recipe": given.get("recipe"),
        "status": "cancelled" if cancelled else "failed",
        "completion_reason": "cancelled" if cancelled else "internal_error",
        "started_at": _text(run.created_at),
        "ended_at": _text(run.last_updated_at),
        "error": error.model_dump(mode="json"),
    }


def _body(
    run: OrchestrationState, result_url: str, told: Mapping[str, Any], result: Mapping[str, Any] | None = None
) -> str:
    data: dict[str, Any] = {"id": run.instance_id, "pattern": run.name}
    if (recipe := told.get("recipe")) is not None:
        data["recipe"] = recipe
    data |= {key: told.get(key) for key in ("status", "completion_reason")}
    data["result_url"] = result_url
    if result is not None:
        data["result"] = result
    else:
        data["summary"] = {key: told[key] for key in SUMMARY if told.get(key) is not None}
    event = {"type": RUN_COMPLETED, "timestamp": told.get("ended_at"), "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _text(moment: datetime) -> str:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")
