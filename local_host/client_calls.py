"""The part of the engine that says who may be told something: an instance that is there and has not ended."""

from __future__ import annotations

from typing import override

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend


class ClientCalls(InMemoryOrchestrationBackend):
    """Refuses clients as the Durable Functions extension does: NOT_FOUND, or FAILED_PRECONDITION after the end.

    The base takes whatever is said to an instance that has ended, and a termination of one that never was. Only calls
    of clients come through here: a recursive termination passes by the children that have ended meanwhile.
    """

    @override
    def TerminateInstance(self, request: pb.TerminateRequest, context: grpc.ServicerContext) -> pb.TerminateResponse:
        with self._lock:
            self._refuse_unless_alive(request.instanceId, context)
            return super().TerminateInstance(request, context)

    @override
    def RaiseEvent(self, request: pb.RaiseEventRequest, context: grpc.ServicerContext) -> pb.RaiseEventResponse:
        with self._lock:
            self._refuse_unless_alive(request.instanceId, context)
            return super().RaiseEvent(request, context)

    @override
    def SuspendInstance(self, request: pb.SuspendRequest, context: grpc.ServicerContext) -> pb.SuspendResponse:
        with self._lock:
            self._refuse_unless_alive(request.instanceId, context)
            return super().SuspendInstance(request, context)

    @override
    def ResumeInstance(self, request: pb.ResumeRequest, context: grpc.ServicerContext) -> pb.ResumeResponse:
        with self._lock:
            self._refuse_unless_alive(request.instanceId, context)
            return super().ResumeInstance(request, context)

    def _refuse_unless_alive(self, instance_id: str, context: grpc.ServicerContext) -> None:
        instance = self._instances.get(instance_id)
        if instance is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Orchestration instance {instance_id!r} not found")
        elif self._is_terminal_status(instance.status):
            status = pb.OrchestrationStatus.Name(instance.status).removeprefix("ORCHESTRATION_STATUS_").lower()
            why = f"Orchestration instance {instance_id!r} has ended ({status})"
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
