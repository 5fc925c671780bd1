"""`Lineage`: parents and children. The in-memory engine knows them in one direction, for thirty seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, override

import grpc
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance


@dataclass(frozen=True, slots=True)
class Parent:
    """Who waits for a child orchestration: the parent, its task, and in which execution it asked."""

    instance_id: str
    task_id: int
    execution: int


class Lineage(InMemoryOrchestrationBackend):
    """The part of the engine that tells parents what became of their children, however long that takes.

    It also keeps *executions* apart: task ids start anew when an instance continues as new or is created again,
    so a result that an earlier execution asked for must not complete a task of this one. An execution is known by
    its first completion token, because those only grow.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._executions: dict[str, int] = {}
        self._parents: dict[str, Parent] = {}
        self._traces: dict[str, str] = {}
        self._recursively_terminated: dict[str, str | None] = {}

    @override
    def reset(self) -> None:
        with self._lock:
            super().reset()
            self._executions.clear()
            self._parents.clear()
            self._traces.clear()
            self._recursively_terminated.clear()

    def _execution(self, instance_id: str) -> int:
        return self._executions.get(instance_id, 0)

    def _keep_trace(self, instance_id: str, request: pb.CreateInstanceRequest) -> None:
        if request.HasField("parentTraceContext"):
            self._traces[instance_id] = request.parentTraceContext.traceParent

    def trace_of(self, instance_id: str) -> str:
        """The `traceparent` of who started an orchestration or its topmost parent; empty if none was given.

        The base drops it. The Functions host makes spans of its own below it, which this engine does not.
        """
        with self._lock:
            while parent := self._parents.get(instance_id):
                instance_id = parent.instance_id
            return self._traces.get(instance_id, "")

    def _deliver(self, instance: OrchestrationInstance, event: pb.HistoryEvent) -> None:
        instance.pending_events.append(event)
        instance.last_updated_at = datetime.now(UTC)
        self._enqueue_orchestration(instance.instance_id)

    @override
    def _create_instance_internal(
        self, instance_id: str, name: str, encoded_input: str | None = None, version: str | None = None
    ) -> None:
        super()._create_instance_internal(instance_id, name, encoded_input, version=version)
        self._executions[instance_id] = self._instances[instance_id].completion_token

    @override
    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        super()._process_complete_orchestration_action(instance, complete_action)
        if complete_action.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
            self._executions[instance.instance_id] = self._next_completion_token
            self._name_parent(instance)

    @override
    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        """Remember who waits for a child; the base waits in a thread per child and gives up after 30 s."""
        self._parents[sub_instance_id] = Parent(parent_instance_id, task_id, self._execution(parent_instance_id))
        child = self._instances.get(sub_instance_id)
        if child is not None:
            self._name_parent(child)

    def _name_parent(self, child: OrchestrationInstance) -> None:
        """Write the parent into the child's start event, which the base leaves out."""
        parent = self._parents.get(child.instance_id)
        if parent is None:
            return
        for event in child.pending_events:
            if event.HasField("executionStarted"):
                info = event.executionStarted.parentInstance
                info.taskScheduledId = parent.task_id
                info.orchestrationInstance.instanceId = parent.instance_id

    @override
    def _notify_waiters(self, instance_id: str) -> None:
        super()._notify_waiters(instance_id)
        instance = self._instances.get(instance_id)
        if instance is not None and self._is_terminal_status(instance.status):
            self._ended(instance)

    def _ended(self, instance: OrchestrationInstance) -> None:
        """Tell the parent what became of its child."""
        self._end_children_of(instance)
        link = self._parents.pop(instance.instance_id, None)
        parent = self._instances.get(link.instance_id) if link else None
        if link is None or parent is None or self._execution(link.instance_id) != link.execution:
            return
        if instance.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            event = helpers.new_sub_orchestration_completed_event(link.task_id, instance.output)
        else:
            event = pb.HistoryEvent(
                eventId=-1,
                subOrchestrationInstanceFailed=pb.SubOrchestrationInstanceFailedEvent(
                    taskScheduledId=link.task_id, failureDetails=_why_it_failed(instance)
                ),
            )
        self._deliver(parent, event)

    @override
    def _process_rewind_orchestration_action(
        self, instance: OrchestrationInstance, rewind_action: pb.RewindOrchestrationAction
    ) -> None:
        """Rewind, and tell the parent at once about children that have ended and are not rewound."""
        super()._process_rewind_orchestration_action(instance, rewind_action)
        for child_id in self._children_in_history(instance):
            child = self._instances.get(child_id)
            link = self._parents.get(child_id)
            if child is not None and link is not None and self._is_terminal_status(child.status):
                self._ended(child)

    @override
    def _terminate_instance_internal(self, instance_id: str, output: str | None, recursive: bool = False) -> None:
        """Terminate an instance and, if asked to, its running children; the base leaves those running."""
        instance = self._instances.get(instance_id)
        if instance is None or self._is_terminal_status(instance.status):
            return
        super()._terminate_instance_internal(instance_id, output)
        if recursive:
            self._recursively_terminated[instance_id] = output
            self._terminate_children(instance_id, output)

    def _terminate_children(self, instance_id: str, output: str | None) -> None:
        for child_id in [c for c, parent in self._parents.items() if parent.instance_id == instance_id]:
            self._terminate_instance_internal(child_id, output, recursive=True)

    def _end_children_of(self, instance: OrchestrationInstance) -> None:
        """Terminate also the children which a recursively terminated instance started in its last turn."""
        if instance.instance_id in self._recursively_terminated:
            output = self._recursively_terminated.pop(instance.instance_id)
            if instance.status == pb.ORCHESTRATION_STATUS_TERMINATED:
                self._terminate_children(instance.instance_id, output)

    @override
    def PurgeInstances(
        self, request: pb.PurgeInstancesRequest, context: grpc.ServicerContext
    ) -> pb.PurgeInstancesResponse:
        """Purge instances and, if asked to, the ended children of those that went; the base keeps them."""
        with self._lock:
            if not request.recursive:
                return super().PurgeInstances(request, context)
            candidates = [request.instanceId] if request.instanceId else list(self._instances)
            children = {i: self._children_in_history(self._instances[i]) for i in candidates if i in self._instances}
            response = super().PurgeInstances(request, context)
            for instance_id, child_ids in children.items():
                if instance_id not in self._instances:
                    response.deletedInstanceCount += sum(self._purge_tree(child) for child in child_ids)
        return response

    def _purge_tree(self, instance_id: str) -> int:
        instance = self._instances.get(instance_id)
        if instance is None or not self._is_terminal_status(instance.status):
            return 0
        del self._instances[instance_id]
        return 1 + sum(self._purge_tree(child) for child in self._children_in_history(instance))

    @staticmethod
    def _children_in_history(instance: OrchestrationInstance) -> list[str]:
        return [
            event.subOrchestrationInstanceCreated.instanceId
            for event in instance.history
            if event.HasField("subOrchestrationInstanceCreated")
        ]


def _why_it_failed(child: OrchestrationInstance) -> pb.TaskFailureDetails:
    if child.failure_details is not None:
        return child.failure_details
    message = f"The sub-orchestration {child.name!r} with the id {child.instance_id!r} was terminated"
    if child.output:
        message += f": {child.output}"
    return pb.TaskFailureDetails(errorType="OrchestrationTerminated", errorMessage=message)
