"""`Dispatcher`: takes work items from the engine, has the worker run them, and gives the results back."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import wrappers_pb2

from local_host.direct_call import DirectCall
from local_host.engine import LocalEngine
from local_host.messages import (
    Failure,
    Invocation,
    InvocationResult,
    LoadedFunction,
    Value,
    Worker,
)

_LOGGER = logging.getLogger(__name__)

type ClientConfig = str | Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many functions of each kind run at a time."""

    activities: int
    orchestrators: int
    entities: int

    @classmethod
    def of(cls, durable_task: Mapping[str, Any] | None = None) -> Limits:
        """Read the limits from `extensions.durableTask` of host.json; the default of each is 10 per core."""
        default = 10 * (os.cpu_count() or 1)
        settings = durable_task or {}

        def limit(name: str) -> int:
            value = settings.get(name)
            return default if value is None else max(1, int(value))

        return cls(
            activities=limit("maxConcurrentActivityFunctions"),
            orchestrators=limit("maxConcurrentOrchestratorFunctions"),
            entities=limit("maxConcurrentEntityFunctions"),
        )


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
        self._orchestrators = _by_durable_name(functions, "orchestrationTrigger", "orchestration")
        self._activities = _by_durable_name(functions, "activityTrigger", "activity")
        self._entities = _by_durable_name(functions, "entityTrigger", "entityName")
        self._slots = {
            "orchestratorRequest": asyncio.Semaphore(limits.orchestrators),
            "activityRequest": asyncio.Semaphore(limits.activities),
            "entityRequestV2": asyncio.Semaphore(limits.entities),
        }
        self._call = DirectCall()
        self._tasks: set[asyncio.Task[None]] = set()
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
        try:
            async with self._slots[kind]:
                await run(item)
        except Exception:
            _LOGGER.exception("A work item of the kind %r could not be completed", kind)

    async def _run_orchestrator(self, item: pb.WorkItem) -> None:
        request = item.orchestratorRequest
        name = _orchestration_name(request)
        result = await self._invoke(self._orchestrators, "orchestrator", name, _encoded(request))
        response = pb.OrchestratorResponse()
        if isinstance(result, Failure):
            action = helpers.new_complete_orchestration_action(
                -1, pb.ORCHESTRATION_STATUS_FAILED, None, _failure_details(result)
            )
            response.actions.append(action)
        else:
            response.ParseFromString(base64.b64decode(result.data))
        response.instanceId = request.instanceId
        response.completionToken = item.completionToken
        self._engine.CompleteOrchestratorTask(response, self._call.context)

    async def _run_activity(self, item: pb.WorkItem) -> None:
        request = item.activityRequest
        argument = Value("json", request.input.value if request.HasField("input") else "null")
        result = await self._invoke(self._activities, "activity", request.name, argument)
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId,
            taskId=request.taskId,
            completionToken=item.completionToken,
        )
        if isinstance(result, Failure):
            response.failureDetails.CopyFrom(_failure_details(result))
        elif result.data is not None:
            response.result.value = result.data
        self._engine.CompleteActivityTask(response, self._call.context)

    async def _run_entity(self, item: pb.WorkItem) -> None:
        request = item.entityRequestV2
        batch, operations = helpers.convert_to_entity_batch_request(request)
        name = request.instanceId.split("@")[1]
        result = await self._invoke(self._entities, "entity", name, _encoded(batch))
        response = pb.EntityBatchResult()
        if isinstance(result, Failure):
            response.entityState.CopyFrom(request.entityState)
            failed = pb.OperationResultFailure(failureDetails=_failure_details(result))
            response.results.extend(pb.OperationResult(failure=failed) for _ in operations)
        else:
            response.ParseFromString(base64.b64decode(result.data))
        del response.operationInfos[:]
        response.operationInfos.extend(operations)
        response.completionToken = item.completionToken
        self._engine.CompleteEntityTask(response, self._call.context)

    async def _invoke(
        self, functions: Mapping[str, LoadedFunction], kind: str, name: str, argument: Value
    ) -> Value | Failure:
        function = functions.get(name.lower())
        if function is None:
            known = ", ".join(sorted(functions)) or "none"
            message = f"The app has no {kind} function named {name!r}. It has: {known}."
            _LOGGER.error("%s", message)
            return Failure("FunctionNotFound", message, "")
        try:
            result = await self._worker.invoke(self._invocation(function, argument))
        except Exception as error:
            _LOGGER.exception("The worker could not run the %s function %r", kind, name)
            return Failure(type(error).__name__, str(error) or repr(error), "")
        return _value(result)

    def _invocation(self, function: LoadedFunction, argument: Value) -> Invocation:
        inputs = [(str(function.trigger["name"]), argument)]
        inputs += [
            (str(binding["name"]), Value("string", self._client_for(binding)))
            for binding in function.bindings
            if str(binding.get("type", "")).lower() == "durableclient"
        ]
        return Invocation(str(uuid.uuid4()), function.function_id, tuple(inputs))

    def _client_for(self, binding: Mapping[str, Any]) -> str:
        return self._client_config if isinstance(self._client_config, str) else self._client_config(binding)


def _by_durable_name(functions: list[LoadedFunction], trigger: str, name_key: str) -> dict[str, LoadedFunction]:
    """Index the functions of one trigger type by the name under which they are called, in lower case."""
    return {
        str(function.trigger.get(name_key) or function.name).lower(): function
        for function in functions
        if str(function.trigger.get("type", "")).lower() == trigger.lower()
    }


def _orchestration_name(request: pb.OrchestratorRequest) -> str:
    for events in (request.newEvents, request.pastEvents):
        for event in events:
            if event.HasField("executionStarted"):
                return event.executionStarted.name
    return ""


def _encoded(message: Any) -> Value:
    return Value("string", base64.b64encode(message.SerializeToString()).decode("ascii"))


def _value(result: InvocationResult) -> Value | Failure:
    if result.failure is not None:
        return result.failure
    return result.return_value if isinstance(result.return_value, Value) else Value(None, None)


def _failure_details(failure: Failure) -> pb.TaskFailureDetails:
    return pb.TaskFailureDetails(
        errorType=failure.error_type,
        errorMessage=failure.message or failure.error_type,
        stackTrace=wrappers_pb2.StringValue(value=failure.traceback),
    )
