"""What the dispatcher's tests share: a worker that is faked at the seam, a host around it, and functions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from azure.durable_functions.client import DurableFunctionsClient
from azure.durable_functions.worker import DurableFunctionsWorker
from durabletask import task
from durabletask.entities import EntityInstanceId

from local_host.dispatch import Dispatcher
from local_host.durable_client import durable_client_config
from local_host.engine import LocalEngine
from local_host.messages import Failure, Invocation, InvocationResult, LoadedFunction, Value
from local_host.settings import Limits

type Activity = Callable[[Any], Awaitable[Any]]


@dataclass
class FakeWorker:
    """Runs functions given as plain callables; `answers` replaces the answer of a function by its name."""

    orchestrators: Mapping[str, Any] = field(default_factory=dict)
    activities: Mapping[str, Activity] = field(default_factory=dict)
    entities: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Callable[[], InvocationResult]] = field(default_factory=dict)
    invocations: list[Invocation] = field(default_factory=list)

    def functions(self, more: tuple[LoadedFunction, ...] = ()) -> list[LoadedFunction]:
        kinds = (("orchestration", self.orchestrators), ("activity", self.activities), ("entity", self.entities))
        return [
            LoadedFunction(name, name, ({"type": f"{kind}Trigger", "name": "argument"},))
            for kind, names in kinds
            for name in names
        ] + list(more)

    async def load(self, app_dir: str) -> list[LoadedFunction]:
        return self.functions()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.invocations.append(invocation)
        name, argument = invocation.function_id, dict(invocation.inputs)["argument"]
        assert isinstance(argument, Value)
        if name in self.answers:
            return self.answers[name]()
        if name in self.activities:
            return await self._run_activity(self.activities[name], argument)
        worker = DurableFunctionsWorker()
        if name in self.orchestrators:
            return _text(worker.execute_orchestration_request(self.orchestrators[name], argument.data))
        return _text(worker.execute_entity_batch_request(self.entities[name], argument.data))

    async def _run_activity(self, activity: Activity, argument: Value) -> InvocationResult:
        assert argument.kind == "json"
        try:
            result = await activity(json.loads(argument.data))
        except Exception as error:
            return InvocationResult(failure=Failure(type(error).__name__, str(error), "the stack"))
        return InvocationResult(Value("json", json.dumps(result)))

    async def close(self) -> None:
        """Nothing to release."""


def _text(text: str) -> InvocationResult:
    return InvocationResult(Value("string", text))


@dataclass
class Host:
    engine: LocalEngine
    client: DurableFunctionsClient
    dispatcher: Dispatcher

    async def run(self, name: str, **settings: Any) -> Any:
        return await self.end_of(await self.client.schedule_new_orchestration(name, **settings))

    async def end_of(self, instance_id: str) -> Any:
        state = await self.client.wait_for_orchestration_completion(instance_id, timeout=15)
        assert state is not None
        return state


@asynccontextmanager
async def host(
    worker: FakeWorker, limits: Limits | None = None, functions: list[LoadedFunction] | None = None
) -> AsyncIterator[Host]:
    engine = LocalEngine()
    config = durable_client_config(engine.start(), "http://localhost:7071", "AHub")
    client = DurableFunctionsClient(config)
    dispatcher = Dispatcher(engine, worker, functions or worker.functions(), limits or Limits(), config)
    await dispatcher.start()
    try:
        yield Host(engine, client, dispatcher)
    finally:
        await client.close()
        await dispatcher.stop()
        engine.stop()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing of the engine can be awaited
            await asyncio.sleep(0.005)


async def same(value: Any) -> Any:
    return value


async def fail(value: Any) -> Any:
    raise LookupError(value)


def call_same(context: Any):
    return (yield context.call_activity("same", context.get_input()))


def call_without_input(context: Any):
    return (yield context.call_activity("same"))


def call_by_any_name(context: Any):
    try:
        return (yield context.call_activity(context.get_input(), "x"))
    except task.TaskFailedError as error:
        details = error.details
        return [details.error_type, details.message, details.stack_trace]


def chain(context: Any):
    for n in range(context.get_input()):
        yield context.call_activity("same", n)


def fan_out(context: Any):
    return (yield context.task_all([context.call_activity("same", n) for n in range(context.get_input())]))


def call_entity(context: Any):
    entity_id, operation = context.get_input()
    try:
        return (yield context.call_entity(EntityInstanceId.parse(entity_id), operation))
    except task.TaskFailedError as error:
        return error.details.message


def counter(context: Any) -> None:
    value = context.get_state(lambda: 0) + 1
    context.set_state(value)
    context.set_result(value)


WORKER = FakeWorker(
    orchestrators={
        f.__name__: f for f in (call_same, call_without_input, call_by_any_name, chain, fan_out, call_entity)
    },
    activities={"same": same, "fail": fail},
    entities={"counter": counter},
)
