"""Requests, a durable client that remembers what it was told, and orchestrations in every state."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func
from durabletask.client import OrchestrationQuery, OrchestrationState, OrchestrationStatus
from durabletask.task import FailureDetails

JSON = dict[str, Any]
HOST = "https://chorus.example"
RUN_ID = "0123456789abcdef0123456789abcdef"
# The SDK's times are in UTC without saying so.
CREATED = datetime(2026, 1, 1, 12, 0, 0)  # noqa: DTZ001
UPDATED = datetime(2026, 1, 1, 12, 0, 5)  # noqa: DTZ001


@dataclass
class FakeClient:
    """The few methods of the durable client that triggers use."""

    states: list[OrchestrationState] = field(default_factory=list[OrchestrationState])
    started: list[tuple[str, JSON, str]] = field(default_factory=list[tuple[str, JSON, str]])
    raised: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def schedule_new_orchestration(self, orchestrator: str, *, input: JSON, instance_id: str) -> str:  # noqa: A002
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
        return [state for state in self.states if state.instance_id.startswith(prefix)]

    async def raise_orchestration_event(self, instance_id: str, event_name: str) -> None:
        self.raised.append((instance_id, event_name))


def orchestration(
    status: str,
    *,
    instance_id: str = RUN_ID,
    name: str = "sectioning",
    output: Any = None,
    custom_status: Any = None,
    error: str | None = None,
    created: datetime = CREATED,
) -> OrchestrationState:
    return OrchestrationState(
        instance_id=instance_id,
        name=name,
        runtime_status=OrchestrationStatus[status],
        created_at=created,
        last_updated_at=UPDATED,
        serialized_input=None,
        serialized_output=None if output is None else json.dumps(output),
        serialized_custom_status=None if custom_status is None else json.dumps(custom_status),
        failure_details=FailureDetails("the secret cause", error, "the secret stack") if error else None,
    )


def post(
    route: str, body: Any, *, content_type: str | None = "application/json", url: str | None = None
) -> func.HttpRequest:
    """A POST whose body is JSON, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if content_type is None else {"Content-Type": content_type}
    return func.HttpRequest("POST", url or f"{HOST}/api/{route}", headers=headers, body=raw)


def on_run(method: str, run_id: str = RUN_ID, url: str | None = None) -> func.HttpRequest:
    return func.HttpRequest(method, url or f"{HOST}/api/runs/{run_id}", route_params={"id": run_id}, body=b"")


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


def is_absolute(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.scheme and parts.netloc)
