"""What the dispatcher makes of work whose worker died: it is handed out again, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus

from local_host.messages import Invocation, InvocationLost, InvocationResult
from tests.local_host.dispatch_given import WORKER, FakeWorker, host


@dataclass
class MortalWorker(FakeWorker):
    """Loses the invocations of some functions; `dies` tells from name and losses whether, and whether alone."""

    dies: Callable[[str, int], bool | None] = lambda name, losses: None
    lost: list[tuple[str, int]] = field(default_factory=list)

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        alone = self.dies(invocation.function_id, invocation.losses)
        if alone is None:
            return await super().invoke(invocation)
        self.lost.append((invocation.function_id, invocation.losses))
        raise InvocationLost("Worker process 7 ended with exit code 9.", alone=alone)


def mortal(dies: Callable[[str, int], bool | None]) -> MortalWorker:
    return MortalWorker(WORKER.orchestrators, WORKER.activities, WORKER.entities, dies=dies)


def twice(name: str) -> Callable[[str, int], bool | None]:
    return lambda lost, losses: False if (lost, losses) in {(name, 0), (name, 1)} else None


@pytest.mark.parametrize(
    ("lost", "orchestrator", "argument", "output"),
    [
        ("same", "call_same", 5, 5),
        ("call_same", "call_same", 5, 5),
        ("counter", "call_entity", ["@counter@lost", "add"], 1),
    ],
)
async def test_work_that_was_lost_is_handed_out_again_and_counted_once(
    lost: str, orchestrator: str, argument: Any, output: Any
) -> None:
    worker = mortal(twice(lost))
    async with host(worker) as running:
        assert (await running.run(orchestrator, input=argument)).get_output() == output
        assert running.dispatcher._losses == {}
    assert worker.lost[:2] == [(lost, 0), (lost, 1)]


async def test_losses_are_counted_for_each_piece_of_work_and_anew_for_each_turn() -> None:
    worker = mortal(lambda name, losses: False if losses == 0 else None)
    async with host(worker) as running:
        assert (await running.run("fan_out", input=20)).get_output() == list(range(20))
    assert worker.lost.count(("same", 0)) == 20
    assert worker.lost.count(("fan_out", 0)) == len(worker.lost) - 20 >= 2


async def test_an_activity_that_ends_its_worker_when_alone_is_a_failed_task_and_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = mortal(lambda name, losses: losses >= 4 if name == "same" else None)
    async with host(worker) as running:
        kind, message, _ = (await running.run("call_by_any_name", input="same")).get_output()
    assert worker.lost == [("same", 0), ("same", 1), ("same", 2), ("same", 3), ("same", 4)]
    assert kind == "WorkerLost"
    assert message == (
        "The worker died 5 times while it ran, the last time with nothing else in it. "
        "Worker process 7 ended with exit code 9."
    )
    assert "The activity function 'same' is given up." in caplog.text


async def test_an_orchestrator_that_ends_its_worker_when_alone_fails() -> None:
    worker = mortal(lambda name, losses: losses >= 4 if name == "call_same" else None)
    async with host(worker) as running:
        state = await running.run("call_same", input=1)
    assert state.runtime_status == OrchestrationStatus.FAILED
    assert state.failure_details.error_type == "WorkerLost"
    assert "died 5 times" in state.failure_details.message


async def test_an_entity_operation_that_ends_its_worker_when_alone_fails_and_the_entity_goes_on() -> None:
    deadly = [True]
    worker = mortal(lambda name, losses: losses >= 4 if name == "counter" and deadly[0] else None)
    async with host(worker) as running:
        assert "died 5 times" in (await running.run("call_entity", input=["@counter@deadly", "add"])).get_output()
        deadly[0] = False
        assert (await running.run("call_entity", input=["@counter@deadly", "add"])).get_output() == 1


async def test_what_arrives_while_a_turn_is_lost_is_in_the_next_one() -> None:
    taken, gate = asyncio.Event(), asyncio.Event()

    @dataclass
    class Held(MortalWorker):
        async def invoke(self, invocation: Invocation) -> InvocationResult:
            if invocation.function_id == "waits" and not gate.is_set():
                taken.set()
                await gate.wait()
                raise InvocationLost("Worker process 7 was killed by SIGKILL.")
            return await super().invoke(invocation)

    def waits(context: Any):
        return (yield context.wait_for_external_event("go"))

    async with host(Held({"waits": waits})) as running:
        instance_id = await running.client.schedule_new_orchestration("waits")
        await asyncio.wait_for(taken.wait(), 10)
        await running.client.raise_orchestration_event(instance_id, "go", data=7)
        gate.set()
        assert (await running.end_of(instance_id)).get_output() == 7
