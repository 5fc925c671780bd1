"""The part of the engine that forgets: what a task hub keeps until somebody purges it, memory cannot keep for ever."""

from __future__ import annotations

from typing import Any, override

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import OrchestrationInstance

from local_host.lineage import Lineage


class Retention(Lineage):
    """Keeps the last `keep_ended` orchestrations that have ended and have no parent, with all that they started.

    None keeps everything, as the base does. A child is forgotten with its parent and never before.
    """

    def __init__(self, *, keep_ended: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._keep_ended = keep_ended
        self._ended_in_order: dict[str, None] = {}

    @override
    def reset(self) -> None:
        with self._lock:
            super().reset()
            self._ended_in_order.clear()

    @override
    def _ended(self, instance: OrchestrationInstance) -> None:
        link = self._parents.get(instance.instance_id)
        has_parent = link is not None and link.instance_id in self._instances
        super()._ended(instance)
        if self._keep_ended is None or has_parent:
            return
        self._ended_in_order.pop(instance.instance_id, None)
        self._ended_in_order[instance.instance_id] = None
        if len(self._ended_in_order) > self._keep_ended:
            oldest = next(iter(self._ended_in_order))
            del self._ended_in_order[oldest]
            self._purge_tree(oldest)

    @override
    def _purge_tree(self, instance_id: str) -> int:
        count = super()._purge_tree(instance_id)
        if count:
            self._executions.pop(instance_id, None)
            self._traces.pop(instance_id, None)
            self._state_waiters.pop(instance_id, None)
        return count

    @override
    def PurgeInstances(
        self, request: pb.PurgeInstancesRequest, context: grpc.ServicerContext
    ) -> pb.PurgeInstancesResponse:
        """Purge, and forget what the engine noted beside the instances; the base has no such notes."""
        with self._lock:
            response = super().PurgeInstances(request, context)
            for gone in [known for known in self._executions if known not in self._instances]:
                del self._executions[gone]
                self._traces.pop(gone, None)
        return response
