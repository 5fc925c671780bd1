"""Requests, a durable client that remembers what it was told, and orchestrations in every state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func
from durabletask.client import OrchestrationQuery, OrchestrationState, OrchestrationStatus
from durabletask.task import FailureDetails

from activities.names import children_prefix

JSON = dict[str, Any]
HOST = "https://chorus.example"
RUN_ID = "0123456789abcdef0123456789abcdef"
EARLIER_ID = "fedcba9876543210fedcba9876543210"
# The SDK's times are in UTC without saying so.
CREATED = datetime(2026, 1, 1, 12, 0, 0)  # noqa: DTZ001
UPDATED = datetime(2026, 1, 1, 12, 0, 5)  # noqa: DTZ001
STARTED_AT, ENDED_AT = "2026-01-01T12:00:00Z", "2026-01-01T12:00:05Z"
USAGE = {"model_calls": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


@dataclass
class FakeClient:
    """The few methods of the durable client that triggers use."""

    states: list[OrchestrationState] = field(default_factory=list[OrchestrationState])
    started: list[tuple[str, JSON, str]] = field(default_factory=list[tuple[str, JSON, str]])
    raised: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    queries: list[OrchestrationQuery] = field(default_factory=list[OrchestrationQuery])

    async def schedule_new_orchestration(
        self,
        orchestrator: str,
        *,
        input: JSON,  # noqa: A002
        instance_id: str,
        reuse_id_policy: Any = None,
    ) -> str:
        self.started.append((orchestrator, json.loads(json.dumps(input, allow_nan=False)), instance_id))
        return instance_id

    async def get_orchestration_state(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        state = next((state for state in self.states if state.instance_id == instance_id), None)
        if state is None or fetch_payloads:
            return state
        return replace(state, serialized_input=None, serialized_output=None, serialized_custom_status=None)

    async def get_all_orchestration_states(self, orchestration_query: OrchestrationQuery) -> list[OrchestrationState]:
        prefix = orchestration_query.instance_id_prefix
        assert prefix
        assert orchestration_query.fetch_inputs_and_outputs
        self.queries.append(orchestration_query)
        wanted = orchestration_query.runtime_status
        return [
            state
            for state in self.states
            if state.instance_id.startswith(prefix) and (wanted is None or state.runtime_status in wanted)
        ]

    async def raise_orchestration_event(self, instance_id: str, event_name: str) -> None:
        self.raised.append((instance_id, event_name))


def orchestration(
    status: str,
    *,
    instance_id: str = RUN_ID,
    name: str = "sectioning",
    given: Any = None,
    output: Any = None,
    custom_status: Any = None,
    error: str | None = None,
    created: datetime = CREATED,
    updated: datetime = UPDATED,
) -> OrchestrationState:
    return OrchestrationState(
        instance_id=instance_id,
        name=name,
        runtime_status=OrchestrationStatus[status],
        created_at=created,
        last_updated_at=updated,
        serialized_input=None if given is None else json.dumps(given),
        serialized_output=None if output is None else json.dumps(output),
        serialized_custom_status=None if custom_status is None else json.dumps(custom_status),
        failure_details=FailureDetails("the secret cause", error, "the secret stack") if error else None,
    )


def at(after_s: float) -> datetime:
    """So many seconds after the run was created, as the SDK says it."""
    return CREATED + timedelta(seconds=after_s)


def said(after_s: float) -> str:
    """The same moment, as JSON."""
    return f"{at(after_s).isoformat()}Z"


def sections(*names: str, **fields: Any) -> JSON:
    """A `SectioningRequest` with these sections."""
    return {"input": "text", "sections": [{"name": name, "instructions": "judge"} for name in names], **fields}


def run_input(request: JSON, reused: Sequence[JSON] | None = None, *, recipe: str | None = None) -> JSON:
    """A `RunInput`; with `reused`, that of a redrive."""
    redrive = None if reused is None else {"run_id": EARLIER_ID, "reused": list(reused)}
    return {"request": request, "redrive": redrive, **({"recipe": recipe} if recipe else {})}


def outcome(name: str, status: str = "succeeded", **fields: Any) -> JSON:
    """A `BranchOutcome`."""
    error = None if status == "succeeded" else {"code": "c", "message": "m", "retriable": False}
    return {
        "name": name,
        "status": status,
        "output": "PRIVATE OUTPUT" if error is None else None,
        "error": error,
        "attempts": 1,
        "usage": USAGE,
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        **fields,
    }


def result(**fields: Any) -> JSON:
    """A `RunResult` of the run `RUN_ID`."""
    total = {name: count * 3 for name, count in USAGE.items()}
    return {
        "id": RUN_ID,
        "pattern": "sectioning",
        "status": "partial",
        "completion_reason": "all_completed",
        "output": {"kind": "sections", "aggregation": "synthesize", "requested": "synthesize", "content": "text"},
        "missing": ["b"],
        "outcomes": [outcome("a"), outcome("b", "timed_out")],
        "aggregation": outcome("~synthesis"),
        "usage": total,
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        **fields,
    }


def report(status: str = "succeeded", *, code: str = "", retriable: bool = False, **fields: Any) -> JSON:
    """An `AttemptOutcome`; with a `code`, one with that error."""
    error = {"code": code, "message": f"{code}!", "retriable": retriable} if code else None
    return {
        "status": status,
        "output": None if error else "PRIVATE OUTPUT",
        "error": error,
        "usage": USAGE,
        "model": "gpt-test",
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        **fields,
    }


def failure(code: str = "model_unavailable", *, retriable: bool = True, **fields: Any) -> JSON:
    """The `AttemptOutcome` of a call that failed."""
    return report("failed", code=code, retriable=retriable, **fields)


def child(attempt: str, status: str = "COMPLETED", after_s: float = 0, **fields: Any) -> OrchestrationState:
    """A call for a branch that started so many seconds after its run; `attempt` is like `NAME`, `NAME~2`, `NAME~2h`."""
    fields = {
        "instance_id": f"{children_prefix(RUN_ID)}{attempt}",
        "name": "agent_attempt",
        "created": at(after_s),
        **fields,
    }
    return orchestration(status, **fields)


def post(
    route: str, body: Any, *, content_type: str | None = "application/json", url: str | None = None
) -> func.HttpRequest:
    """A POST whose body is JSON, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if content_type is None else {"Content-Type": content_type}
    return func.HttpRequest("POST", url or f"{HOST}/api/{route}", headers=headers, body=raw)


def on_run(method: str, run_id: str = RUN_ID, url: str | None = None) -> func.HttpRequest:
    return func.HttpRequest(method, url or f"{HOST}/api/runs/{run_id}", route_params={"id": run_id}, body=b"")


def redrive(
    body: Any = b"", *, run_id: str = RUN_ID, url: str | None = None, content_type: str | None = "application/json"
) -> func.HttpRequest:
    """A POST to a run's `redrive` whose body is JSON, or bytes as they are; no bytes, no content type."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": content_type} if raw and content_type is not None else {}
    url = url or f"{HOST}/api/runs/{run_id}/redrive"
    return func.HttpRequest("POST", url, headers=headers, route_params={"id": run_id}, body=raw)


def json_of(answer: func.HttpResponse) -> JSON:
    return json.loads(answer.get_body())


def problem_of(answer: func.HttpResponse, status: int, code: str) -> JSON:
    """The body of an answer that must be this problem."""
    body = json_of(answer)
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert body["title"]
    assert body["detail"].strip()
    assert body["type"] == "about:blank"
    return body


def paths_of(body: JSON) -> list[str]:
    return [error["path"] for error in body["errors"]]


class RpcFailure(Exception):
    """As gRPC's errors: status and details are behind methods."""

    def __init__(self, status: str, details: str = "") -> None:
        self.status = status
        self.words = details

    def details(self) -> str:
        return self.words

    def code(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.status)


def is_absolute(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.scheme and parts.netloc)
