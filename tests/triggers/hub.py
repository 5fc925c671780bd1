"""A task hub that creates and lists instances as Azure Storage does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import azure.functions as func
from durabletask.client import OrchestrationState, OrchestrationStatus
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import timestamp_pb2, wrappers_pb2

from activities.names import RUN_STARTED_EVENT
from shared.contracts.claim import STARTED
from shared.run_ids import run_id_at
from shared.task_hub import ENDED
from tests.triggers.requests import HOST, JSON, RpcFailure, orchestration, sections

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)


@dataclass
class Hub:
    """Whoever tries to create an instance looks first and writes later, and is not told who was faster."""

    rows: dict[str, OrchestrationState] = field(default_factory=dict[str, OrchestrationState])
    created: list[OrchestrationState] = field(default_factory=list[OrchestrationState])
    """What was written, in this order; a row may have been replaced since."""
    policies: dict[str, Any] = field(default_factory=dict[str, Any])
    asked: list[str] = field(default_factory=list[str])
    """The ids of the instances that were read one by one."""
    meanwhile: dict[int, Callable[[], None]] = field(default_factory=dict[int, Callable[[], None]])
    """What happens when so many have been read one by one."""
    queries: list[pb.InstanceQuery] = field(default_factory=list[pb.InstanceQuery])
    refuses: RpcFailure | None = None
    """What the next query, or any event, fails with."""

    @classmethod
    def of(cls, *states: OrchestrationState) -> Any:
        """A hub with these instances."""
        return cls({state.instance_id: state for state in states})

    async def schedule_new_orchestration(
        self,
        orchestrator: str,
        *,
        input: JSON,  # noqa: A002
        instance_id: str,
        reuse_id_policy: Any = None,
    ) -> str:
        seen = self.rows.get(instance_id)
        if seen is not None and seen.runtime_status.name not in ENDED:
            raise RpcFailure("ALREADY_EXISTS")
        await asyncio.sleep(0)
        if self.rows.get(instance_id) is seen:
            state = orchestration("RUNNING", instance_id=instance_id, name=orchestrator, given=input)
            self.rows[instance_id] = state
            self.created.append(state)
            self.policies[instance_id] = reuse_id_policy
        return instance_id

    async def get_orchestration_state(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        self.asked.append(instance_id)
        self.meanwhile.get(len(self.asked), lambda: None)()
        await asyncio.sleep(0)
        return self.rows.get(instance_id)

    async def raise_orchestration_event(self, instance_id: str, event_name: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        assert event_name == RUN_STARTED_EVENT
        self.rows[instance_id].serialized_custom_status = json.dumps(STARTED)

    def end(self, instance_id: str, output: Any = None) -> None:
        """The instance completes."""
        state = self.rows[instance_id]
        state.runtime_status = OrchestrationStatus.COMPLETED
        state.serialized_output = None if output is None else json.dumps(output)

    def _get_stub(self) -> Any:
        return SimpleNamespace(QueryInstances=self._query)

    async def _query(self, request: pb.QueryInstancesRequest) -> pb.QueryInstancesResponse:
        query = request.query
        self.queries.append(query)
        if self.refuses is not None:
            failure, self.refuses = self.refuses, None
            raise failure
        found = [self.rows[name] for name in sorted(self.rows) if self._fits(self.rows[name], query)]
        page = found[: query.maxInstanceCount]
        token = wrappers_pb2.StringValue(value=page[-1].instance_id) if len(found) > len(page) else None
        return pb.QueryInstancesResponse(orchestrationState=map(_told, page), continuationToken=token)

    def _fits(self, state: OrchestrationState, query: pb.InstanceQuery) -> bool:
        return (
            state.instance_id.startswith(query.instanceIdPrefix.value)
            and state.instance_id > query.continuationToken.value
            and (not query.runtimeStatus or state.runtime_status.value in query.runtimeStatus)
        )

    @property
    def runs(self) -> list[str]:
        """The ids of the runs that were created."""
        return [state.instance_id for state in self.created if not state.instance_id.startswith("~")]


def _told(state: OrchestrationState) -> pb.OrchestrationState:
    created, updated = timestamp_pb2.Timestamp(), timestamp_pb2.Timestamp()
    created.FromDatetime(state.created_at)
    updated.FromDatetime(state.last_updated_at)
    word = state.serialized_custom_status
    return pb.OrchestrationState(
        instanceId=state.instance_id,
        name=state.name,
        orchestrationStatus=state.runtime_status.value,
        createdTimestamp=created,
        lastUpdatedTimestamp=updated,
        customStatus=wrappers_pb2.StringValue(value=word) if word else None,
    )


def run_at(moment: datetime, status: str = "COMPLETED", *, chance: int = 0, **fields: Any) -> OrchestrationState:
    """A run that was accepted then; one that has completed says that it succeeded."""
    ended = {"status": "succeeded", "completion_reason": "all_completed"}
    word = ended if status == "COMPLETED" else {"phase": "branches"}
    naive = moment.replace(tzinfo=None)
    fields = {"custom_status": word, "created": naive, "updated": naive, **fields}
    return orchestration(status, instance_id=run_id_at(moment, chance.to_bytes(10)), **fields)


def keyed(
    key: str | None = "a-key",
    body: Any = None,
    *,
    route: str = "sectioning",
    query: dict[str, str] | None = None,
    run_id: str = "",
) -> func.HttpRequest:
    """A start with an idempotency key, and query parameters."""
    raw = body if isinstance(body, bytes) else json.dumps(sections("a") if body is None else body).encode()
    headers = {"Content-Type": "application/json", **({} if key is None else {"Idempotency-Key": key})}
    return func.HttpRequest(
        "POST",
        f"{HOST}/api/{route}",
        headers=headers,
        params=query or {},
        route_params={"id": run_id},
        body=raw,
    )


def listing(**query: str) -> func.HttpRequest:
    """`GET /api/runs` with these parameters."""
    return func.HttpRequest("GET", f"{HOST}/api/runs", params=query, body=b"")
