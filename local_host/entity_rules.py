"""`EntityRules`: what the in-memory engine leaves out about entities: locks that hold, states that are gone."""

from __future__ import annotations

from datetime import UTC
from typing import Any, override

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import (
    EntityState,
    InMemoryOrchestrationBackend,
    PendingLockRequest,
)


class EntityRules(InMemoryOrchestrationBackend):
    """The part of the engine that keeps foreign operations off a locked entity.

    The base grants locks and then lets everybody's operations through. Here an operation that does not come from
    the lock's owner waits, and goes on in its order when the lock is released.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._lock_owners: dict[str, str] = {}
        self._held_back: dict[str, list[pb.HistoryEvent]] = {}

    @override
    def reset(self) -> None:
        with self._lock:
            super().reset()
            self._lock_owners.clear()
            self._held_back.clear()

    @override
    def _grant_lock(self, pending: PendingLockRequest) -> None:
        self._lock_owners[pending.critical_section_id] = pending.parent_instance_id
        super()._grant_lock(pending)

    @override
    def _queue_entity_operation(self, entity_id: str, event: pb.HistoryEvent) -> None:
        entity = self._entities.get(entity_id)
        if entity is not None and self._is_foreign(entity, event):
            self._held_back.setdefault(entity_id, []).append(event)
        else:
            super()._queue_entity_operation(entity_id, event)

    def _is_foreign(self, entity: EntityState, event: pb.HistoryEvent) -> bool:
        if entity.locked_by is None:
            return False
        caller = event.entityOperationCalled.parentInstanceId.value  # empty for a signal
        return caller != self._lock_owners.get(entity.locked_by)

    @override
    def _try_grant_pending_locks(self) -> None:
        """Let waiting operations go on, then the next owner: the base calls this after each unlock."""
        unlocked = [entity_id for entity_id in self._held_back if self._entities[entity_id].locked_by is None]
        for entity_id in unlocked:
            for event in self._held_back.pop(entity_id):
                super()._queue_entity_operation(entity_id, event)
        super()._try_grant_pending_locks()

    def _release_locks_of(self, instance_id: str) -> None:
        """Give back the locks of an orchestration that has ended, and forget those it waits for."""
        sections = {section for section, owner in self._lock_owners.items() if owner == instance_id}
        waits = any(request.parent_instance_id == instance_id for request in self._pending_lock_requests)
        if not sections and not waits:
            return
        for section in sections:
            del self._lock_owners[section]
        self._pending_lock_requests = [
            request for request in self._pending_lock_requests if request.parent_instance_id != instance_id
        ]
        for entity in self._entities.values():
            if entity.locked_by in sections:
                entity.locked_by = None
        self._try_grant_pending_locks()

    @override
    def SignalEntity(self, request: pb.SignalEntityRequest, context: grpc.ServicerContext) -> pb.SignalEntityResponse:
        """Queue a client's signal the way every other operation is queued, so that locks hold for it."""
        scheduled = request.scheduledTime.ToDatetime(UTC) if request.HasField("scheduledTime") else None
        with self._lock:
            self._signal_entity_internal(request.instanceId, request.name, request.input.value, scheduled)
        return pb.SignalEntityResponse()

    @override
    def GetEntity(self, request: pb.GetEntityRequest, context: grpc.ServicerContext) -> pb.GetEntityResponse:
        """Return an entity; one without a state (never set, or deleted) does not exist."""
        with self._lock:
            entity = self._entities.get(request.instanceId)
            if entity is None or entity.serialized_state is None:
                return pb.GetEntityResponse(exists=False)
            return super().GetEntity(request, context)

    @override
    def QueryEntities(
        self, request: pb.QueryEntitiesRequest, context: grpc.ServicerContext
    ) -> pb.QueryEntitiesResponse:
        """List entities; transient ones are those without a state, not those with work waiting as in the base."""
        with self._lock:
            everything = self._entities
            query = pb.QueryEntitiesRequest()
            query.CopyFrom(request)
            query.query.includeTransient = True
            if not request.query.includeTransient:
                self._entities = {k: e for k, e in everything.items() if e.serialized_state is not None}
            try:
                return super().QueryEntities(query, context)
            finally:
                self._entities = everything

    @override
    def CleanEntityStorage(
        self, request: pb.CleanEntityStorageRequest, context: grpc.ServicerContext
    ) -> pb.CleanEntityStorageResponse:
        """Forget idle entities without a state.

        The base also forgets those that are at work or locked, and takes every lock for an orphan; here an
        orchestration's locks end with it, so that there are no orphans.
        """
        if not request.removeEmptyEntities:
            return pb.CleanEntityStorageResponse()
        with self._lock:
            idle = [entity_id for entity_id, entity in self._entities.items() if self._is_idle(entity)]
            for entity_id in idle:
                del self._entities[entity_id]
        return pb.CleanEntityStorageResponse(emptyEntitiesRemoved=len(idle))

    def _is_idle(self, entity: EntityState) -> bool:
        return (
            entity.serialized_state is None
            and entity.locked_by is None
            and not entity.pending_operations
            and entity.instance_id not in self._entity_in_flight
            and entity.instance_id not in self._held_back
        )
