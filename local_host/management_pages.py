"""Lists instances and entities page by page, which the SDK's client does only all at once."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from azure.durable_functions.internal.serialization import DEFAULT_FUNCTIONS_DATA_CONVERTER
from durabletask.client import EntityQuery, OrchestrationQuery, OrchestrationState, Page, parse_orchestration_state
from durabletask.entities import EntityMetadata
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from durabletask.internal.client_helpers import build_query_entities_req, build_query_instances_req
from google.protobuf import wrappers_pb2

CONTINUATION_HEADER = "x-ms-continuation-token"


@dataclass(init=False, slots=True)
class EnginePages:
    """Asks the engine for one page at a time."""

    _channel: grpc.Channel
    _stub: stubs.TaskHubSidecarServiceStub

    def __init__(self, engine_address: str) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(engine_address, options=options)
        self._stub = stubs.TaskHubSidecarServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def instances(self, query: OrchestrationQuery, token: str | None) -> Page[OrchestrationState]:
        """Return the page of instances that `token` names, or the first one."""
        answer = self._stub.QueryInstances(build_query_instances_req(query, _wrapped(token)))
        states = [parse_orchestration_state(state) for state in answer.orchestrationState]
        return Page(states, answer.continuationToken.value or None)

    def entities(self, query: EntityQuery, token: str | None) -> Page[EntityMetadata]:
        """Return the page of entities that `token` names, or the first one."""
        answer = self._stub.QueryEntities(build_query_entities_req(query, _wrapped(token)))
        found = [
            EntityMetadata.from_entity_metadata(entity, query.include_state, DEFAULT_FUNCTIONS_DATA_CONVERTER)
            for entity in answer.entities
        ]
        return Page(found, answer.continuationToken.value or None)


def _wrapped(token: str | None) -> wrappers_pb2.StringValue | None:
    return wrappers_pb2.StringValue(value=token) if token else None
