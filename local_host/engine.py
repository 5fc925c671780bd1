"""`LocalEngine`: the SDK's in-memory engine, with what a real app would trip over put right.

The engine is `durabletask.testing.in_memory_backend`. This module and its parts, `client_calls` (who may be told
something), `queries` (lists of instances), `lineage` (parents, children, executions), `retention` (what has ended),
`entity_rules` (entities) and `versions` (of orchestrations), override single steps of it; each override says what
the base does. All of them run under the engine's one re-entrant lock.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import override

import grpc
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from durabletask.testing.in_memory_backend import ActivityWorkItem, OrchestrationInstance

from local_host.client_calls import ClientCalls
from local_host.direct_call import DirectCall, EngineRefusedError
from local_host.entity_rules import EntityRules
from local_host.queries import Queries
from local_host.retention import Retention
from local_host.timers import Timer, TimerQueue
from local_host.versions import Versions

_LOGGER = logging.getLogger(__name__)
# Every client that waits for an orchestration holds one thread; the pool starts them as they are needed.
_RPC_THREADS = 256
# The longest wait; for a caller without a deadline gRPC names a time too large for the platform's clock.
_FOR_EVER_S = 10 * 365 * 86_400.0
_ENDED = (
    pb.ORCHESTRATION_STATUS_COMPLETED,
    pb.ORCHESTRATION_STATUS_FAILED,
    pb.ORCHESTRATION_STATUS_TERMINATED,
)


class LocalEngine(ClientCalls, Queries, Retention, EntityRules, Versions):
    """The engine of the local host: all state in memory, served over gRPC and by direct calls.

    Of what has ended it keeps the last `keep_ended` orchestrations with their children; None keeps all. What is created
    without a version has the `default_version`.
    """

    def __init__(self, *, keep_ended: int | None = None, default_version: str | None = None) -> None:
        super().__init__(max_history_size=sys.maxsize, port=0, keep_ended=keep_ended, default_version=default_version)
        self._pool: ThreadPoolExecutor | None = None
        self._timers = TimerQueue()
        self._armed_timers: dict[tuple[str, int, int], Timer] = {}
        self._not_yet_started: set[str] = set()
        self._wanted: set[str] = set()
        self._late_events: dict[str, list[pb.HistoryEvent]] = {}

    # --- Start and stop ---

    @override
    def start(self) -> str:
        """Serve gRPC on a free port of the loopback interface and return `127.0.0.1:port`."""
        self._shutdown_event.clear()
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._pool = ThreadPoolExecutor(_RPC_THREADS, thread_name_prefix="engine-rpc")
        self._server = grpc.server(self._pool, options=options)
        stubs.add_TaskHubSidecarServiceServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return f"127.0.0.1:{self._port}"

    @override
    def stop(self, grace: float | None = None) -> None:
        """Stop serving. Calls that wait for an orchestration return at once, pending timers never fire."""
        self._timers.close()
        with self._lock:
            for waiter in [w for waiters in self._state_waiters.values() for w in waiters]:
                waiter.event.set()
        super().stop(grace)
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    @override
    def reset(self) -> None:
        with self._lock:
            super().reset()
            self._timers.clear()
            for state in (self._armed_timers, self._not_yet_started, self._wanted, self._late_events):
                state.clear()

    # --- Work items ---

    def work_items(self, call: DirectCall) -> Iterator[pb.WorkItem]:
        """Yield work items as they become ready, until `call` is cancelled or the engine stops."""
        return self.GetWorkItems(pb.GetWorkItemsRequest(), call.context)

    @property
    def is_serving(self) -> bool:
        """False once the engine has been stopped."""
        return not self._shutdown_event.is_set()

    def wake(self) -> None:
        """Make whoever waits for work items look around, so that a cancelled call ends at once."""
        self._work_available.set()

    def hand_back(self, item: pb.WorkItem) -> None:
        """Take back a work item which its worker will not complete, and hand it out again."""
        with self._lock:
            if item.HasField("activityRequest"):
                self._hand_back_activity(item)
            elif item.HasField("orchestratorRequest"):
                instance_id = item.orchestratorRequest.instanceId
                request = pb.AbandonOrchestrationTaskRequest(completionToken=item.completionToken)
                self.AbandonTaskOrchestratorWorkItem(request, DirectCall().context)
                instance = self._instances.get(instance_id)
                if instance is not None and str(instance.completion_token) == item.completionToken:
                    # From here on a late answer of the lost worker is recognised and left out.
                    instance.completion_token = self._next_completion_token
                    self._next_completion_token += 1
            else:
                abandoned = pb.AbandonEntityTaskRequest(completionToken=item.completionToken)
                self.AbandonTaskEntityWorkItem(abandoned, DirectCall().context)

    def _hand_back_activity(self, item: pb.WorkItem) -> None:
        request = item.activityRequest
        activity = ActivityWorkItem(
            instance_id=request.orchestrationInstance.instanceId,
            name=request.name,
            task_id=request.taskId,
            input=request.input.value if request.HasField("input") else None,
            completion_token=int(item.completionToken),
            version=request.version.value if request.HasField("version") else None,
        )
        self._activity_queue.append(activity)
        self.wake()

    @override
    def _enqueue_orchestration(self, instance_id: str) -> None:
        """Queue an instance that can run now.

        The base also queues one that is in flight, finds it, gives up its turn and sleeps although others are
        ready; and it runs instances that have ended, or have not begun, when something arrives for them.
        """
        instance = self._instances.get(instance_id)
        if instance is None or self._is_terminal_status(instance.status):
            return
        _stamp(instance.pending_events)
        if instance_id in self._orchestration_in_flight:
            self._wanted.add(instance_id)
        elif instance_id not in self._not_yet_started:
            super()._enqueue_orchestration(instance_id)

    @override
    def CompleteOrchestratorTask(
        self, request: pb.OrchestratorResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Take an orchestrator's decisions, then queue the instance again if it was asked for meanwhile."""
        instance_id = request.instanceId
        with self._lock:
            response = super().CompleteOrchestratorTask(request, context)
            if (instance := self._instances.get(instance_id)) is not None:
                _stamp(instance.history)
            if instance_id in self._wanted and instance_id not in self._orchestration_in_flight:
                self._wanted.discard(instance_id)
                self._enqueue_orchestration(instance_id)
        return response

    @override
    def CompleteActivityTask(
        self, request: pb.ActivityResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Take an activity's result, unless an earlier execution of the instance had asked for it, or it is gone."""
        with self._lock:
            is_stale = int(request.completionToken or sys.maxsize) < self._execution(request.instanceId)
            if is_stale or request.instanceId not in self._instances:
                return pb.CompleteTaskResponse()
            return super().CompleteActivityTask(request, context)

    @override
    def _wait_for_state(
        self,
        instance_id: str,
        predicate: Callable[[OrchestrationInstance], bool],
        timeout: float | None,
    ) -> OrchestrationInstance | None:
        """Wait as long as the caller does; the base takes no deadline, or one that has come, for 30 s."""
        limit = _FOR_EVER_S if timeout is None else min(max(timeout, 0.001), _FOR_EVER_S)
        return super()._wait_for_state(instance_id, predicate, limit)

    @override
    def _ended(self, instance: OrchestrationInstance) -> None:
        self._disarm_timers_of(instance)
        super()._ended(instance)
        self._release_locks_of(instance.instance_id)

    # --- Starting instances ---

    @override
    def StartInstance(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext
    ) -> pb.CreateInstanceResponse:
        """Create an instance, at its time.

        Without a policy an instance that has ended is replaced, as the Durable Functions host does by default;
        the base refuses. And the base starts an instance that is scheduled for later at once.
        """
        if not request.orchestrationIdReusePolicy.replaceableStatus:
            request.orchestrationIdReusePolicy.replaceableStatus.extend(_ENDED)
        with self._lock:
            scheduled = request.HasField("scheduledStartTimestamp")
            when = request.scheduledStartTimestamp.ToDatetime(UTC) if scheduled else datetime.now(UTC)
            if when <= datetime.now(UTC):
                response = super().StartInstance(request, context)
                self._begin_execution(response.instanceId)
                return response
            return self._start_later(request, context, when)

    def _begin_execution(self, instance_id: str) -> None:
        self._executions[instance_id] = self._instances[instance_id].completion_token

    def _start_later(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext, when: datetime
    ) -> pb.CreateInstanceResponse:
        request.instanceId = request.instanceId or uuid.uuid4().hex
        instance_id = request.instanceId
        known = instance_id in self._not_yet_started
        self._not_yet_started.add(instance_id)
        try:
            response = super().StartInstance(request, context)
        except Exception:
            if not known:
                self._not_yet_started.discard(instance_id)
            raise
        self._begin_execution(instance_id)
        execution = self._execution(instance_id)
        self._timers.call_at(when, lambda: self._start_now(instance_id, execution))
        return response

    def _start_now(self, instance_id: str, execution: int) -> None:
        with self._lock:
            if self._execution(instance_id) == execution:
                self._not_yet_started.discard(instance_id)
                self._enqueue_orchestration(instance_id)

    @override
    def _terminate_instance_internal(self, instance_id: str, output: str | None, recursive: bool = False) -> None:
        """Terminate an instance; one that has not started yet ends without running its first step."""
        if instance_id not in self._not_yet_started:
            super()._terminate_instance_internal(instance_id, output, recursive)
            return
        self._not_yet_started.discard(instance_id)
        instance = self._instances[instance_id]
        instance.status = pb.ORCHESTRATION_STATUS_TERMINATED
        instance.output = output
        instance.completed_at = instance.last_updated_at = datetime.now(UTC)
        ended = helpers.new_execution_completed_event(instance.status, output)
        instance.history.extend([*instance.pending_events, ended])
        instance.pending_events.clear()
        _stamp(instance.history)
        self._notify_waiters(instance_id)

    # --- Timers ---

    @override
    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        """Arm a timer in the one timer thread; the base has a thread sleep for each."""
        fire_at = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        if instance.status == pb.ORCHESTRATION_STATUS_PENDING:
            instance.status = pb.ORCHESTRATION_STATUS_RUNNING
        self._arm_timer(instance.instance_id, action.id, fire_at)

    def _arm_timer(self, instance_id: str, timer_id: int, fire_at: datetime) -> None:
        timer = (instance_id, self._execution(instance_id), timer_id)
        if timer not in self._armed_timers:
            self._armed_timers[timer] = self._timers.call_at(fire_at, lambda: self._fire_timer(timer, fire_at))

    def _disarm_timers_of(self, instance: OrchestrationInstance) -> None:
        """Drop the timers that nobody will hear: the deadline of a run that has ended may be an hour away."""
        execution = self._execution(instance.instance_id)
        for event in instance.history:
            if event.HasField("timerCreated"):
                timer = self._armed_timers.pop((instance.instance_id, execution, event.eventId), None)
                if timer is not None:
                    self._timers.cancel(timer)

    @override
    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        """Complete, or continue as new; the base keeps the timers of the execution that is over."""
        self._disarm_timers_of(instance)
        super()._process_complete_orchestration_action(instance, complete_action)

    def _fire_timer(self, timer: tuple[str, int, int], fire_at: datetime) -> None:
        instance_id, execution, timer_id = timer
        with self._lock:
            self._armed_timers.pop(timer, None)
            instance = self._instances.get(instance_id)
            if instance is None or self._execution(instance_id) != execution:
                return
            if not self._is_terminal_status(instance.status):
                self._deliver(instance, helpers.new_timer_fired_event(timer_id, fire_at))

    @override
    def _schedule_delayed_entity_operation(self, entity_id: str, event: pb.HistoryEvent, fire_at: datetime) -> None:
        def fire() -> None:
            with self._lock:
                self._queue_entity_operation(entity_id, event)

        self._timers.call_at(fire_at, fire)

    # --- Rewind ---

    @override
    def _prepare_rewind(self, instance: OrchestrationInstance, reason: str | None = None) -> None:
        """Set aside what arrived after the instance had failed: the SDK wants the rewind event alone."""
        self._late_events[instance.instance_id] = list(instance.pending_events)
        instance.pending_events.clear()
        super()._prepare_rewind(instance, reason)

    @override
    def _process_rewind_orchestration_action(
        self, instance: OrchestrationInstance, rewind_action: pb.RewindOrchestrationAction
    ) -> None:
        """Rewind; then deliver what came too late before, and arm the timers that went off unheard."""
        super()._process_rewind_orchestration_action(instance, rewind_action)
        for event in self._late_events.pop(instance.instance_id, ()):
            self._deliver(instance, event)
        fired = {e.timerFired.timerId for e in instance.history if e.HasField("timerFired")}
        for event in instance.history:
            if event.HasField("timerCreated") and event.eventId not in fired:
                fire_at = event.timerCreated.fireAt.ToDatetime(tzinfo=UTC)
                self._arm_timer(instance.instance_id, event.eventId, fire_at)

    # --- Entities ---

    @override
    def _process_send_entity_message_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        """Note which execution calls the entity, for `CompleteEntityTask`."""
        message = action.sendEntityMessage
        if message.HasField("entityOperationCalled"):
            execution = str(self._execution(instance.instance_id))
            message.entityOperationCalled.parentExecutionId.value = execution
        super()._process_send_entity_message_action(instance, action)

    @override
    def CompleteEntityTask(
        self, request: pb.EntityBatchResult, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Take the results of a batch.

        An answer to an execution that is over is left out, because it makes the SDK fail the next one. And an
        orchestration that the entity starts for later is started then; the base starts it at once.
        """
        with self._lock:
            for operation in request.operationInfos:
                caller = operation.responseDestination
                asked_in = caller.executionId.value
                if asked_in and asked_in != str(self._execution(caller.instanceId)):
                    operation.ClearField("responseDestination")
            for action in request.actions:
                if action.startNewOrchestration.HasField("scheduledTime"):
                    self._start_from_entity(action.startNewOrchestration)
                    action.Clear()
            return super().CompleteEntityTask(request, context)

    def _start_from_entity(self, start: pb.StartNewOrchestrationAction) -> None:
        request = pb.CreateInstanceRequest(
            instanceId=start.instanceId, name=start.name, scheduledStartTimestamp=start.scheduledTime
        )
        if start.HasField("input"):
            request.input.CopyFrom(start.input)
        if start.HasField("version"):
            request.version.CopyFrom(start.version)
        try:
            self.StartInstance(request, DirectCall().context)
        except EngineRefusedError as error:
            _LOGGER.warning("An entity could not start %r: %s", start.name, error.details)


def _stamp(events: list[pb.HistoryEvent]) -> None:
    """Give the newest events the time; the base leaves most of them in 1970."""
    for event in reversed(events):
        if event.timestamp.seconds:
            return
        event.timestamp.GetCurrentTime()
