"""The part of the engine that gives orchestrations their version, as `defaultVersion` of host.json says."""

from __future__ import annotations

from typing import Any, override

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend


class Versions(InMemoryOrchestrationBackend):
    """Gives `default_version` to each orchestration that is created without one, children too; the base gives none.

    One app is loaded at a time and nothing outlives the host, so nothing here is ever too new for its worker.
    """

    def __init__(self, *, default_version: str | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._default_version = default_version

    @override
    def StartInstance(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext
    ) -> pb.CreateInstanceResponse:
        """Create an instance, of the default version unless the caller names one."""
        if self._default_version is not None and not request.HasField("version"):
            request.version.value = self._default_version
        return super().StartInstance(request, context)

    @override
    def _create_instance_internal(
        self, instance_id: str, name: str, encoded_input: str | None = None, version: str | None = None
    ) -> None:
        super()._create_instance_internal(
            instance_id, name, encoded_input, version=self._default_version if version is None else version
        )
