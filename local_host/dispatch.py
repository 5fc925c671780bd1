"""`Dispatcher`: takes work items from the engine, has the worker run them, and gives the results back."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import wrappers_pb2
from google.protobuf.message import DecodeError

from local_host.direct_call import DirectCall
from local_host.engine import LocalEngine
from local_host.messages import (
    Failure,
    Invocation,
    InvocationLost,
    LoadedFunction,
    Value,
    Worker,
)
from local_host.settings import Limits

_LOGGER = logging.getLogger(__name__)

_NOT_FOUND = "FunctionNotFound"
_WORKER_LOST = "WorkerLost"
# What another try would not put right, whatever retries the app asks for.
_FINAL = frozenset({_NOT_FOUND, _WORKER_LOST})

type ClientConfig = str | Callable[[Mapping[str, Any]], str]
type WorkKey = tuple[str, str, int]


class Dispatcher:
    """Runs the durable functions of one app."""

    def __init__(
        self,
        engine: LocalEngine,
        worker: Worker,
        functions: list[LoadedFunction],
        limits: Limits,
        client_config: ClientConfig,
    ) -> None:
        self._engine = engine
        self._worker = worker
        self._client_config = client_config
        self._orchestrators = _Functions(functions, "orchestration", "orchestration")
        self._activities = _Functions(functions, "activity", "activity")
        self._entities = _Functions(functions, "entity", "entityName")
        self._slots = {
            "orchestratorRequest": asyncio.Semaphore(limits.orchestrators),
            "activityRequest": asyncio.Semaphore(limits.activities),
            "entityRequestV2": asyncio.Semaphore(limits.entities),
        }
        self._call = DirectCall()
        self._tasks: set[asyncio.Task[None]] = set()
        self._losses: dict[WorkKey, int] = {}
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begin to take work items."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._pump, args=(loop,), name="dispatch", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Take no more work items and give up the running ones."""
        self._call.cancel()
        self._engine.wake()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        # The engine ends its stream when something goes wrong in it, which must not end the app's work.
        while self._call.is_active() and self._engine.is_serving:
            for item in self._engine.work_items(self._call):
                try:
                    loop.call_soon_threadsafe(self._accept, item)
                except RuntimeError:  # the loop is closed: the host is gone
                    return

    def _accept(self, item: pb.WorkItem) -> None:
        task = asyncio.create_task(self._run(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, item: pb.WorkItem) -> None:
        kind = item.WhichOneof("request") or ""
        run = {
            "orchestratorRequest": self._run_orchestrator,
            "activityRequest": self._run_activity,
            "entityRequestV2": self._run_entity,
        }.get(kind)
        if run is None:
            _LOGGER.error("The engine sent a work item of the unknown kind %r; it is left out", kind)
            return
        key = _key(item)
        try:
            async with self._slots[kind]:
                await run(item)
            self._losses.pop(key, None)
        except asyncio.CancelledError:
            self._engine.hand_back(item)
            raise
        except InvocationLost:
            self._losses[key] = self._losses.get(key, 0) + 1
            self._engine.hand_back(item)
        except Exception:
            _LOGGER.exception("A work item of the kind %r could not be completed", kind)

    async def _run_orchestrator(self, item: pb.WorkItem) -> None:
        request = item.orchestratorRequest
        name = _orchestration_name(request)
        _name_trace(request, self._engine.trace_of(request.instanceId))
        result = await self._invoke(item, self._orchestrators, name, _encoded(request))
        response = _decoded(result, pb.OrchestratorResponse())
        if isinstance(response, Failure):
            action = helpers.new_complete_orchestration_action(
                -1, pb.ORCHESTRATION_STATUS_FAILED, None, _failure_details(response)
            )
            response = pb.OrchestratorResponse(actions=[action])
        _log_failed_orchestration(name, request.instanceId, response)
        response.instanceId = request.instanceId
        response.completionToken = item.completionToken
        self._engine.CompleteOrchestratorTask(response, self._call.context)

    async def _run_activity(self, item: pb.WorkItem) -> None:
        request = item.activityRequest
        argument = Value("json", request.input.value if request.HasField("input") else "null")
        result = await self._invoke(item, self._activities, request.name, argument)
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId,
            taskId=request.taskId,
            completionToken=item.completionToken,
        )
        if isinstance(result, Failure):
            response.failureDetails.CopyFrom(_failure_details(result))
        elif result.data is not None:
            response.result.value = str(result.data)
        self._engine.CompleteActivityTask(response, self._call.context)

    async def _run_entity(self, item: pb.WorkItem) -> None:
        request = item.entityRequestV2
        batch, operations = helpers.convert_to_entity_batch_request(request)
        name = request.instanceId.lstrip("@").partition("@")[0]
        result = await self._invoke(item, self._entities, name, _encoded(batch))
        response = _decoded(result, pb.EntityBatchResult())
        if isinstance(response, Failure):
            failed = pb.OperationResultFailure(failureDetails=_failure_details(response))
            response = pb.EntityBatchResult(entityState=request.entityState)
            response.results.extend(pb.OperationResult(failure=failed) for _ in operations)
        del response.operationInfos[:]
        response.operationInfos.extend(operations)
        response.completionToken = item.completionToken
        self._engine.CompleteEntityTask(response, self._call.context)

    async def _invoke(self, item: pb.WorkItem, functions: _Functions, name: str, argument: Value) -> Value | Failure:
        function = functions.by_name.get(name.lower())
        if function is None:
            if functions is not self._orchestrators:  # those are logged with their instance
                _LOGGER.error("%s", functions.missing(name))
            return Failure(_NOT_FOUND, functions.missing(name), "")
        losses = self._losses.get(_key(item), 0)
        try:
            trace_parent = self._engine.trace_of(_key(item)[0])
            result = await self._worker.invoke(self._invocation(function, argument, losses, trace_parent))
        except InvocationLost as lost:
            if not lost.alone:
                raise
            text = f"The worker died {losses + 1} times while it ran, the last time with nothing else in it. {lost}"
            _LOGGER.error("The %s function %r is given up. %s", functions.kind, name, text)  # noqa: TRY400
            return Failure(_WORKER_LOST, text, "")
        except Exception as error:
            _LOGGER.exception("The worker could not run the %s function %r", functions.kind, name)
            return Failure(type(error).__name__, str(error) or repr(error), "")
        if result.failure is not None:
            return result.failure
        return result.return_value if isinstance(result.return_value, Value) else Value(None, None)

    def _invocation(self, function: LoadedFunction, argument: Value, losses: int, trace_parent: str) -> Invocation:
        inputs = [(str(function.trigger["name"]), argument)]
        inputs += [
            (str(binding["name"]), Value("string", self._client_for(binding)))
            for binding in function.bindings
            if str(binding.get("type", "")).lower() == "durableclient"
        ]
        return Invocation(
            str(uuid.uuid4()), function.function_id, tuple(inputs), losses=losses, trace_parent=trace_parent
        )

    def _client_for(self, binding: Mapping[str, Any]) -> str:
        return self._client_config if isinstance(self._client_config, str) else self._client_config(binding)


class _Functions:
    """The functions of one kind by the name under which they are called, in lower case."""

    def __init__(self, functions: list[LoadedFunction], kind: str, name_key: str) -> None:
        self.kind = kind
        trigger = f"{kind}trigger"
        names = {
            str(function.trigger.get(name_key) or function.name): function
            for function in functions
            if str(function.trigger.get("type", "")).lower() == trigger
        }
        self.by_name = {name.lower(): function for name, function in names.items()}
        self._own = sorted(name for name in names if not name.startswith("BuiltIn__"))

    def missing(self, name: str) -> str:
        """Return what to say when there is no such function."""
        known = ", ".join(self._own) or "none"
        return f"The app has no {self.kind} function named {name!r}. It has: {known}."


def _key(item: pb.WorkItem) -> WorkKey:
    """What stays the same when a work item is handed back and out again."""
    if item.HasField("activityRequest"):
        return item.activityRequest.orchestrationInstance.instanceId, item.completionToken, item.activityRequest.taskId
    if item.HasField("orchestratorRequest"):
        return item.orchestratorRequest.instanceId, "orchestrator", 0
    return item.entityRequestV2.instanceId, "entity", 0


def _orchestration_name(request: pb.OrchestratorRequest) -> str:
    for events in (request.newEvents, request.pastEvents):
        for event in events:
            if event.HasField("executionStarted"):
                return event.executionStarted.name
    return ""


def _name_trace(request: pb.OrchestratorRequest, trace_parent: str) -> None:
    """Write the trace into the start event, where the SDK looks for it."""
    for events in (request.newEvents, request.pastEvents):
        for event in events:
            if trace_parent and event.HasField("executionStarted"):
                event.executionStarted.parentTraceContext.traceParent = trace_parent


def _encoded(message: Any) -> Value:
    return Value("string", base64.b64encode(message.SerializeToString()).decode("ascii"))


def _decoded[M: pb.OrchestratorResponse | pb.EntityBatchResult](result: Value | Failure, message: M) -> M | Failure:
    """Read the message that an orchestrator or entity function returns."""
    if isinstance(result, Failure):
        return result
    try:
        message.ParseFromString(base64.b64decode(result.data, validate=True))
    except (TypeError, ValueError, DecodeError):
        text = (
            f"The function returned {str(result.data)[:80]!r}, which is no encoded {type(message).__name__}. "
            "The local host runs azure-functions-durable 2.x; is an older one installed?"
        )
        return Failure("UnreadableResponse", text, "")
    return message


def _log_failed_orchestration(name: str, instance_id: str, response: pb.OrchestratorResponse) -> None:
    """The SDK keeps the reason to itself, so that a developer would see nothing."""
    for action in response.actions:
        end = action.completeOrchestration
        if end.orchestrationStatus == pb.ORCHESTRATION_STATUS_FAILED:
            why = end.failureDetails
            _LOGGER.error(
                "Orchestration %r (%s) failed: %s: %s\n%s",
                name,
                instance_id,
                why.errorType,
                why.errorMessage,
                why.stackTrace.value.rstrip(),
            )


def _failure_details(failure: Failure) -> pb.TaskFailureDetails:
    return pb.TaskFailureDetails(
        errorType=failure.error_type,
        errorMessage=failure.message or failure.error_type or "unknown failure",
        stackTrace=wrappers_pb2.StringValue(value=failure.traceback),
        isNonRetriable=failure.error_type in _FINAL,
    )
