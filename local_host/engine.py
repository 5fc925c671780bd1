"""`LocalEngine`: the SDK's in-memory engine, with what a real app would trip over put right.

The engine is `durabletask.testing.in_memory_backend`; this module overrides single steps of it and says at each
override what was wrong. Every override runs under the engine's one re-entrant lock.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn, override

import grpc
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend, OrchestrationInstance

from local_host.timers import TimerQueue

_LOGGER = logging.getLogger(__name__)
# Every client that waits for an orchestration holds one thread; the pool starts them as they are needed.
_RPC_THREADS = 256


class EngineRefusedError(Exception):
    """The engine refused a direct call; `code` is the gRPC status it would have answered."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class DirectCall:
    """The call context for calling the engine's methods from the same process, with no gRPC in between."""

    def __init__(self) -> None:
        self._active = True

    def is_active(self) -> bool:
        """Whether the caller still wants an answer."""
        return self._active

    def cancel(self) -> None:
        """End a streaming call at its next turn."""
        self._active = False

    def time_remaining(self) -> float | None:
        """Return None: a direct call has no deadline."""
        return None

    def add_callback(self, callback: Any) -> bool:  # noqa: ARG002 - the gRPC signature
        """Take no callback: a direct call never loses its caller."""
        return True

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """Raise what gRPC would answer."""
        raise EngineRefusedError(code, details)


@dataclass(frozen=True, slots=True)
class _Parent:
    """Who waits for a child orchestration: the parent, its task, and in which execution it asked."""

    instance_id: str
    task_id: int
    execution: int


class LocalEngine(InMemoryOrchestrationBackend):
    """The engine of the local host: one per process, all state in memory."""

    def __init__(self) -> None:
        super().__init__(max_history_size=sys.maxsize, port=0)
        self._timers = TimerQueue()
        self._executions: dict[str, int] = {}
        self._parents: dict[str, _Parent] = {}
        self._wanted: set[str] = set()
        self._armed_timers: set[tuple[str, int, int]] = set()

    # --- Start and stop -------------------------------------------------------------------------------------

    @override
    def start(self) -> str:
        """Serve gRPC on a free port of the loopback interface and return `127.0.0.1:port`."""
        self._shutdown_event.clear()
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        server = grpc.server(ThreadPoolExecutor(_RPC_THREADS, thread_name_prefix="engine-rpc"), options=options)
        stubs.add_TaskHubSidecarServiceServicer_to_server(self, server)
        self._port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._server = server
        return f"127.0.0.1:{self._port}"

    @override
    def stop(self, grace: float | None = None) -> None:
        """Stop serving; calls that wait for an orchestration return at once."""
        self._timers.close()
        with self._lock:
            for waiters in self._state_waiters.values():
                for waiter in waiters:
                    waiter.event.set()
        super().stop(grace)

    # --- Work items -----------------------------------------------------------------------------------------

    def work_items(self, call: DirectCall) -> Iterator[pb.WorkItem]:
        """Yield work items as they become ready, until `call` is cancelled or the engine stops."""
        return self.GetWorkItems(pb.GetWorkItemsRequest(), call)  # pyright: ignore[reportArgumentType]

    def wake(self) -> None:
        """Make whoever waits for work items look around: a cancelled call ends at once."""
        self._work_available.set()

    @override
    def _enqueue_orchestration(self, instance_id: str) -> None:
        """Queue an instance that is able to run now.

        The base queues one that is in flight as well, finds it again, gives up its turn and sleeps. And it runs
        ended instances again when a late result arrives.
        """
        instance = self._instances.get(instance_id)
        if instance is None or self._is_terminal_status(instance.status):
            return
        if instance_id in self._orchestration_in_flight:
            self._wanted.add(instance_id)
            return
        super()._enqueue_orchestration(instance_id)

    @override
    def CompleteOrchestratorTask(
        self, request: pb.OrchestratorResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Take an orchestrator's decisions, then queue the instance again if it was asked for meanwhile."""
        with self._lock:
            response = super().CompleteOrchestratorTask(request, context)
            if request.instanceId in self._wanted and request.instanceId not in self._orchestration_in_flight:
                self._wanted.discard(request.instanceId)
                self._enqueue_orchestration(request.instanceId)
        return response

    @override
    def CompleteActivityTask(
        self, request: pb.ActivityResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Take an activity's result, unless an earlier execution of the instance asked for it."""
        with self._lock:
            token = int(request.completionToken or sys.maxsize)
            if token < self._executions.get(request.instanceId, 0):
                return pb.CompleteTaskResponse()
            return super().CompleteActivityTask(request, context)

    # --- Executions: task ids start anew with each, so results must not cross --------------------------------

    @override
    def StartInstance(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext
    ) -> pb.CreateInstanceResponse:
        """Create an instance."""
        with self._lock:
            response = super().StartInstance(request, context)
            self._executions[response.instanceId] = self._instances[response.instanceId].completion_token
        return response

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
            # Completion tokens only grow: what was scheduled so far carries a lower one.
            self._executions[instance.instance_id] = self._next_completion_token
            _name_parent(instance, self._parents.get(instance.instance_id))

    # --- Timers ---------------------------------------------------------------------------------------------

    @override
    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        """Arm a timer in the one timer thread; the base sleeps in a thread per timer."""
        fire_at = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        if instance.status == pb.ORCHESTRATION_STATUS_PENDING:
            instance.status = pb.ORCHESTRATION_STATUS_RUNNING
        self._arm_timer(instance.instance_id, action.id, fire_at)

    def _arm_timer(self, instance_id: str, timer_id: int, fire_at: datetime) -> None:
        timer = (instance_id, self._executions.get(instance_id, 0), timer_id)
        if timer not in self._armed_timers:
            self._armed_timers.add(timer)
            self._timers.call_at(fire_at, lambda: self._fire_timer(timer, fire_at))

    def _fire_timer(self, timer: tuple[str, int, int], fire_at: datetime) -> None:
        instance_id, execution, timer_id = timer
        with self._lock:
            self._armed_timers.discard(timer)
            instance = self._instances.get(instance_id)
            if instance is None or self._executions.get(instance_id) != execution:
                return
            if not self._is_terminal_status(instance.status):
                self._deliver(instance, helpers.new_timer_fired_event(timer_id, fire_at))

    @override
    def _schedule_delayed_entity_operation(self, entity_id: str, event: pb.HistoryEvent, fire_at: datetime) -> None:
        def fire() -> None:
            with self._lock:
                self._queue_entity_operation(entity_id, event)

        self._timers.call_at(fire_at, fire)

    def _deliver(self, instance: OrchestrationInstance, event: pb.HistoryEvent) -> None:
        instance.pending_events.append(event)
        instance.last_updated_at = datetime.now(UTC)
        self._enqueue_orchestration(instance.instance_id)

    # --- Parents and children -------------------------------------------------------------------------------

    @override
    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        """Remember who waits for a child; the base waits in a thread per child and gives up after 30 s."""
        parent = _Parent(parent_instance_id, task_id, self._executions.get(parent_instance_id, 0))
        self._parents[sub_instance_id] = parent
        child = self._instances.get(sub_instance_id)
        if child is not None:
            _name_parent(child, parent)

    @override
    def _notify_waiters(self, instance_id: str) -> None:
        super()._notify_waiters(instance_id)
        instance = self._instances.get(instance_id)
        if instance is not None and self._is_terminal_status(instance.status):
            self._tell_parent(instance)

    def _tell_parent(self, child: OrchestrationInstance) -> None:
        link = self._parents.pop(child.instance_id, None)
        parent = self._instances.get(link.instance_id) if link else None
        if link is None or parent is None or self._executions.get(link.instance_id) != link.execution:
            return
        if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            event = helpers.new_sub_orchestration_completed_event(link.task_id, child.output)
        else:
            event = pb.HistoryEvent(
                eventId=-1,
                subOrchestrationInstanceFailed=pb.SubOrchestrationInstanceFailedEvent(
                    taskScheduledId=link.task_id, failureDetails=_why_child_failed(child)
                ),
            )
        self._deliver(parent, event)


def _name_parent(child: OrchestrationInstance, parent: _Parent | None) -> None:
    """Write the parent into the child's start event, which the base leaves out."""
    if parent is None:
        return
    for event in child.pending_events:
        if event.HasField("executionStarted"):
            event.executionStarted.parentInstance.CopyFrom(
                pb.ParentInstanceInfo(
                    taskScheduledId=parent.task_id,
                    orchestrationInstance=pb.OrchestrationInstance(instanceId=parent.instance_id),
                )
            )


def _why_child_failed(child: OrchestrationInstance) -> pb.TaskFailureDetails:
    if child.failure_details is not None:
        return child.failure_details
    message = f"The sub-orchestration {child.name!r} with the id {child.instance_id!r} was terminated"
    if child.output:
        message += f": {child.output}"
    return pb.TaskFailureDetails(errorType="OrchestrationTerminated", errorMessage=message)
