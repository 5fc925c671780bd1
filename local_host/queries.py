"""The part of the engine that lists instances: in the order of their ids, as Azure Storage does."""

from __future__ import annotations

from datetime import UTC
from heapq import nsmallest
from typing import override

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance
from google.protobuf import wrappers_pb2


class Queries(InMemoryOrchestrationBackend):
    """Pages through instances by their ids; a token is the last id of its page.

    The base lists the oldest first, and a token of it is a number of instances: one that is created or purged
    meanwhile moves all others.
    """

    @override
    def QueryInstances(
        self, request: pb.QueryInstancesRequest, context: grpc.ServicerContext
    ) -> pb.QueryInstancesResponse:
        query = request.query
        after = query.continuationToken.value
        count = query.maxInstanceCount if query.maxInstanceCount > 0 else len(self._instances)
        with self._lock:
            found = [each for each in self._instances.values() if each.instance_id > after and _fits(each, query)]
            page = nsmallest(count, found, key=lambda instance: instance.instance_id)
            states = [
                self._build_instance_response(instance, query.fetchInputsAndOutputs).orchestrationState
                for instance in page
            ]
        more = len(found) > len(page)
        token = wrappers_pb2.StringValue(value=page[-1].instance_id) if more else None
        return pb.QueryInstancesResponse(orchestrationState=states, continuationToken=token)


def _fits(instance: OrchestrationInstance, query: pb.InstanceQuery) -> bool:
    return (
        instance.instance_id.startswith(query.instanceIdPrefix.value)
        and (not query.runtimeStatus or instance.status in query.runtimeStatus)
        and not (query.HasField("createdTimeFrom") and instance.created_at < query.createdTimeFrom.ToDatetime(UTC))
        and not (query.HasField("createdTimeTo") and instance.created_at >= query.createdTimeTo.ToDatetime(UTC))
    )
