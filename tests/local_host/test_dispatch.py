"""The dispatcher between a real engine and a worker that is faked at the seam, but runs the SDK's own replay."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from azure.durable_functions.client import DurableFunctionsClient
from durabletask.client import OrchestrationStatus

from local_host.dispatch import Dispatcher
from local_host.durable_client import durable_client_config
from local_host.engine import LocalEngine
from local_host.messages import Failure, Invocation, InvocationResult, LoadedFunction, Value
from local_host.settings import Limits
from tests.local_host.dispatch_given import (
    WORKER,
    FakeWorker,
    call_by_any_name,
    call_same,
    call_without_input,
    chain,
    host,
    same,
    until,
)


@pytest.mark.parametrize("value", [0, "", "ä", [1, None], {"a": False}])
async def test_values_pass_through_an_activity_unchanged(value: Any) -> None:
    async with host(WORKER) as running:
        assert (await running.run("call_same", input=value)).get_output() == value


async def test_an_activity_without_input_gets_none_and_none_comes_back() -> None:
    seen: list[Any] = []

    async def look(value: Any) -> None:
        seen.append(value)

    worker = FakeWorker({"call_without_input": call_without_input}, {"same": look})
    async with host(worker) as running:
        state = await running.run("call_without_input")
    assert state.runtime_status == OrchestrationStatus.COMPLETED
    assert state.get_output() is None
    assert seen == [None]


async def test_a_failed_activity_tells_type_message_and_stack() -> None:
    async with host(WORKER) as running:
        assert (await running.run("call_by_any_name", input="fail")).get_output() == ["LookupError", "x", "the stack"]


async def test_a_failure_without_a_message_is_still_a_failure() -> None:
    worker = FakeWorker(
        {"call_by_any_name": call_by_any_name},
        {"mute": same},
        answers={"mute": lambda: InvocationResult(failure=Failure("TimeoutError", "", ""))},
    )
    async with host(worker) as running:
        state = await running.run("call_by_any_name", input="mute")
    assert state.get_output()[:2] == ["TimeoutError", "TimeoutError"]


async def test_names_are_matched_without_regard_to_case_and_the_binding_names_first() -> None:
    function = LoadedFunction(
        "same", "python_name", ({"type": "activityTrigger", "name": "argument", "activity": "DurableName"},)
    )
    functions = [f for f in WORKER.functions() if f.name != "same"] + [function]
    async with host(WORKER, functions=functions) as running:
        assert (await running.run("CALL_BY_ANY_NAME", input="durablename")).get_output() == "x"
        missing = (await running.run("call_by_any_name", input="python_name")).get_output()
    assert missing[0] == "FunctionNotFound"


async def test_an_unknown_orchestration_fails_and_names_what_exists() -> None:
    async with host(WORKER) as running:
        state = await running.run("nowhere")
    assert state.runtime_status == OrchestrationStatus.FAILED
    assert "'nowhere'" in state.failure_details.message
    assert "call_same, call_without_input" in state.failure_details.message


async def test_an_unknown_activity_fails_its_task_and_names_what_exists() -> None:
    async with host(WORKER) as running:
        error_type, message, _ = (await running.run("call_by_any_name", input="nothing")).get_output()
    assert error_type == "FunctionNotFound"
    assert message == "The app has no activity function named 'nothing'. It has: fail, same."


async def test_an_unknown_entity_fails_its_call_and_names_what_exists() -> None:
    async with host(WORKER) as running:
        message = (await running.run("call_entity", input=["@nobody@1", "add"])).get_output()
    assert "no entity function named 'nobody'" in message
    assert "counter" in message


async def test_a_failing_entity_function_keeps_the_entitys_state() -> None:
    def answer() -> InvocationResult:
        return InvocationResult(failure=Failure("RuntimeError", "the worker is on fire", ""))

    worker = FakeWorker(WORKER.orchestrators, entities=WORKER.entities)
    async with host(worker) as running:
        assert (await running.run("call_entity", input=["@counter@1", "add"])).get_output() == 1
        worker.answers = {"counter": answer}
        message = (await running.run("call_entity", input=["@counter@1", "add"])).get_output()
        assert "the worker is on fire" in message
        worker.answers = {}
        assert (await running.run("call_entity", input=["@counter@1", "add"])).get_output() == 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (InvocationResult(failure=Failure("ImportError", "no module", "stack")), "no module"),
        (InvocationResult(Value("json", '{"isDone": true}')), "2.x"),
        (InvocationResult(Value("string", "bm90IGEgbWVzc2FnZQ==")), "2.x"),
        (InvocationResult(None), "2.x"),
    ],
)
async def test_an_orchestrator_that_cannot_be_run_fails_its_instance(answer: InvocationResult, expected: str) -> None:
    worker = FakeWorker({"broken": chain}, answers={"broken": lambda: answer})
    async with host(worker) as running:
        state = await running.run("broken")
    assert state.runtime_status == OrchestrationStatus.FAILED
    assert expected in state.failure_details.message


async def test_an_error_of_the_worker_itself_stops_nothing_else() -> None:
    def crash() -> InvocationResult:
        raise OSError("worker gone")

    worker = FakeWorker({**WORKER.orchestrators, "broken": chain}, WORKER.activities, answers={"broken": crash})
    async with host(worker) as running:
        state = await running.run("broken")
        assert "worker gone" in state.failure_details.message
        assert (await running.run("call_same", input=1)).get_output() == 1


async def test_work_goes_on_when_the_engines_stream_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [iter(()), iter(())]
    whole = LocalEngine.work_items
    monkeypatch.setattr(LocalEngine, "work_items", lambda *args: broken.pop() if broken else whole(*args))
    async with host(WORKER) as running:
        assert (await running.run("call_same", input=1)).get_output() == 1
    assert not broken


async def test_a_failed_orchestration_is_logged_once_with_its_name_and_id(caplog: pytest.LogCaptureFixture) -> None:
    def defective(context: Any):
        yield context.call_activity("same", 1)
        raise LookupError("no such shelf")

    worker = FakeWorker({"defective": defective}, WORKER.activities)
    async with host(worker) as running:
        with caplog.at_level(logging.WARNING):
            state = await running.run("defective")
    (record,) = [r for r in caplog.records if "defective" in r.getMessage()]
    assert state.instance_id in record.getMessage()
    assert "no such shelf" in record.getMessage()


async def test_limits_hold_for_each_kind_alone() -> None:
    now, most, gate = 0, 0, asyncio.Event()

    async def hold(value: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return value

    worker = FakeWorker({**WORKER.orchestrators, "idle": lambda context: "done"}, {"same": hold})
    async with host(worker, Limits(activities=3, orchestrators=1, entities=1)) as running:
        full = await running.client.schedule_new_orchestration("fan_out", input=10)
        await until(lambda: now == 3)
        assert (await running.run("idle")).get_output() == "done"
        assert now == 3
        gate.set()
        assert (await running.end_of(full)).get_output() == list(range(10))
    assert most == 3


async def test_a_full_house_of_orchestrators_does_not_hold_up_activities() -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    class HeldWorker(FakeWorker):
        async def invoke(self, invocation: Invocation) -> InvocationResult:
            if invocation.function_id == "held":
                started.set()
                await gate.wait()
            return await super().invoke(invocation)

    async def announce(value: Any) -> Any:
        await started.wait()
        return value

    worker = HeldWorker({"call_same": call_same, "held": lambda context: 1}, {"same": announce})
    async with host(worker, Limits(activities=1, orchestrators=1, entities=1)) as running:
        first = await running.client.schedule_new_orchestration("call_same", input=5)
        held = await running.client.schedule_new_orchestration("held")
        await asyncio.wait_for(started.wait(), 10)
        instance = running.engine._instances[first]

        def has_arrived() -> bool:
            events = [*instance.pending_events, *instance.dispatched_events]
            return any(event.HasField("taskCompleted") for event in events)

        await until(has_arrived)
        gate.set()
        assert (await running.end_of(first)).get_output() == 5
        assert (await running.end_of(held)).get_output() == 1


async def test_work_that_is_given_up_can_be_done_by_another_worker() -> None:
    async def never(value: Any) -> Any:
        await asyncio.Event().wait()

    lost = FakeWorker({**WORKER.orchestrators}, {"same": never})
    async with host(lost) as running:
        instance_id = await running.client.schedule_new_orchestration("fan_out", input=3)
        await until(lambda: len(lost.invocations) == 4)
        await running.dispatcher.stop()
        second = Dispatcher(running.engine, WORKER, WORKER.functions(), Limits(), "")
        await second.start()
        try:
            assert (await running.end_of(instance_id)).get_output() == [0, 1, 2]
        finally:
            await second.stop()


async def test_functions_with_a_client_binding_get_its_configuration() -> None:
    binding = {"type": "durableClient", "name": "starter", "taskHub": "Other"}
    function = LoadedFunction("same", "same", (binding, {"type": "activityTrigger", "name": "argument"}))
    worker = FakeWorker(WORKER.orchestrators, WORKER.activities)
    functions = [f for f in worker.functions() if f.name != "same"] + [function]
    engine = LocalEngine()
    client = DurableFunctionsClient(durable_client_config(engine.start(), "http://localhost", "AHub"))
    dispatcher = Dispatcher(engine, worker, functions, Limits(), lambda b: f"for {b['taskHub']}")
    await dispatcher.start()
    try:
        instance_id = await client.schedule_new_orchestration("call_same", input=1)
        await client.wait_for_orchestration_completion(instance_id, timeout=15)
    finally:
        await client.close()
        await dispatcher.stop()
        engine.stop()
    (call,) = [i for i in worker.invocations if i.function_id == "same"]
    assert dict(call.inputs)["starter"] == Value("string", "for Other")


async def test_no_work_is_ready_while_the_dispatcher_sleeps() -> None:
    """The engine looks for work every 100 ms if nothing wakes it; work must not have to wait for that."""
    overslept: list[int] = []
    async with host(WORKER) as running:
        engine, work_available = running.engine, running.engine._work_available
        wait = work_available.wait

        def watched(timeout: float | None = None) -> bool:
            with engine._lock:
                ready = len(engine._orchestration_queue) + len(engine._activity_queue)
                if ready and not work_available.is_set():
                    overslept.append(ready)
            return wait(timeout)

        work_available.wait = watched  # type: ignore[method-assign]
        assert (await running.run("chain", input=30)).runtime_status == OrchestrationStatus.COMPLETED
        assert (await running.run("fan_out", input=100)).get_output() == list(range(100))
    assert overslept == []


async def test_the_client_configuration_points_at_the_management_api() -> None:
    client = DurableFunctionsClient(durable_client_config("127.0.0.1:1", "http://localhost:7071/", "A Hub"))
    urls = client.create_http_management_payload(None, "an/id")
    await client.close()
    assert urls["statusQueryGetUri"] == (
        "http://localhost:7071/runtime/webhooks/durabletask/instances/an%2Fid?taskHub=A%20Hub&connection=Storage"
    )
    assert all(url.startswith("http://localhost:7071/runtime/") for name, url in urls.items() if name != "id")
