"""The engine's corrections, shown through the SDK's own worker and client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus
from durabletask.internal import orchestrator_service_pb2 as pb

from tests.local_host.engine_given import (
    CALLS,
    GATES,
    echo,
    flaky,
    gated,
    one_activity,
    running,
    state_of,
    until,
    wait_for_event,
)


def count(ctx: task.ActivityContext, name: str) -> int:
    CALLS[name] += 1
    return CALLS[name]


def counts_calls(ctx: task.OrchestrationContext, name: str):
    return (yield ctx.call_activity(count, input=name))


def nap(ctx: task.OrchestrationContext, seconds: float):
    yield ctx.create_timer(timedelta(seconds=seconds))
    return "awake"


def many_timers(ctx: task.OrchestrationContext, count: int):
    yield task.when_all([ctx.create_timer(timedelta(seconds=0.3)) for _ in range(count)])
    return count


def stale_timer(ctx: task.OrchestrationContext, generation: int):
    if generation == 0:
        ctx.create_timer(timedelta(seconds=0.2))
        ctx.continue_as_new(1)
        return None
    timer = ctx.create_timer(timedelta(hours=1))
    event = ctx.wait_for_external_event("go")
    winner = yield task.when_any([timer, event])
    return "timer" if winner is timer else "event"


def collects(ctx: task.OrchestrationContext, collected: list[str] | None):
    event = yield ctx.wait_for_external_event("item")
    collected = [*(collected or []), event]
    if len(collected) == 3:
        return collected
    ctx.continue_as_new(collected, save_events=True)
    return None


def fails_once(ctx: task.OrchestrationContext, gate: str):
    first = yield ctx.call_activity(gated, input=f"{gate}/done")
    slow = ctx.call_activity(gated, input=f"{gate}/slow")
    timer = ctx.create_timer(timedelta(seconds=0.3))
    second = yield ctx.call_activity(flaky, input=gate)
    yield timer
    return [first, second, (yield slow)]


@pytest.fixture(scope="module")
def hub(hub_of: Callable[..., Any]) -> Any:
    return hub_of(
        orchestrators=[
            one_activity,
            wait_for_event,
            nap,
            many_timers,
            stale_timer,
            collects,
            fails_once,
            counts_calls,
        ],
        activities=[echo, gated, flaky, count],
    )


# --- Serving ---


def test_the_engine_listens_on_loopback_at_a_free_port(hub: Any) -> None:
    host, _, port = hub.address.partition(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    with pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(grpc.insecure_channel(f"[::1]:{port}")).result(timeout=0.2)


def test_payloads_larger_than_the_grpc_default_pass(hub: Any) -> None:
    text = "x" * 5_000_000
    state = hub.run(one_activity, input=text)
    assert state.runtime_status == OrchestrationStatus.COMPLETED
    assert len(state.serialized_output) > 5_000_000


def test_more_callers_can_wait_than_the_base_has_threads(hub: Any) -> None:
    ids = [hub.client.schedule_new_orchestration(wait_for_event) for _ in range(30)]
    ended: list[str] = []
    waiters = [threading.Thread(target=lambda i=i: ended.append(hub.end_of(i).instance_id)) for i in ids]
    for waiter in waiters:
        waiter.start()
    until(lambda: sum(len(w) for w in hub.engine._state_waiters.values()) >= 30, "30 waiting callers")
    for instance_id in ids:
        hub.client.raise_orchestration_event(instance_id, "go")
    for waiter in waiters:
        waiter.join(10)
    assert sorted(ended) == sorted(ids)


def test_stopping_the_engine_frees_the_callers_that_wait(hub_of: Callable[..., Any]) -> None:
    before = set(threading.enumerate())
    hub = hub_of(orchestrators=[wait_for_event])
    instance_id = hub.client.schedule_new_orchestration(wait_for_event)
    answers: list[grpc.StatusCode] = []

    def wait() -> None:
        with pytest.raises(grpc.RpcError) as failed:
            hub.client._stub.WaitForInstanceCompletion(pb.GetInstanceRequest(instanceId=instance_id))
        answers.append(failed.value.code())

    waiter = threading.Thread(target=wait)
    waiter.start()
    until(lambda: hub.engine._state_waiters.get(instance_id), "a waiting caller")
    hub.engine.stop()
    waiter.join(5)
    assert not waiter.is_alive()
    assert answers
    until(
        lambda: not [t for t in set(threading.enumerate()) - before if t.name.startswith("engine-")],
        "the end of the engine's threads",
    )


# --- Timers ---


def test_timers_share_one_thread(hub: Any) -> None:
    before = threading.active_count()
    instance_id = hub.client.schedule_new_orchestration(many_timers, input=200)
    until(lambda: len(hub.engine._armed_timers) >= 200, "200 armed timers")
    assert threading.active_count() - before < 20
    assert hub.end_of(instance_id).get_output() == 200


def test_a_timer_of_an_earlier_execution_does_not_fire_into_the_next(hub: Any) -> None:
    instance_id = hub.client.schedule_new_orchestration(stale_timer, input=0)
    assert hub.run(nap, input=0.4).get_output() == "awake"
    hub.client.raise_orchestration_event(instance_id, "go")
    assert hub.end_of(instance_id).get_output() == "event"


def test_an_instance_scheduled_for_later_starts_then(hub: Any) -> None:
    due = datetime.now(UTC) + timedelta(seconds=0.4)
    instance_id = hub.client.schedule_new_orchestration(wait_for_event, start_at=due)
    hub.client.raise_orchestration_event(instance_id, "go", data="early")
    assert hub.run(one_activity, input=1).get_output() == 1
    assert state_of(hub, instance_id).runtime_status == OrchestrationStatus.PENDING
    assert hub.end_of(instance_id).get_output() == "early"
    assert datetime.now(UTC) >= due


def test_an_instance_scheduled_for_later_can_be_terminated_before(hub: Any) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    instance_id = hub.client.schedule_new_orchestration(counts_calls, input="early end", start_at=due)
    hub.client.terminate_orchestration(instance_id, output="not needed")
    state = hub.end_of(instance_id)
    assert state.runtime_status == OrchestrationStatus.TERMINATED
    assert state.get_output() == "not needed"
    assert hub.run(counts_calls, input="early end").get_output() == 1


# --- Managing instances ---


def test_an_id_can_be_used_again_once_its_instance_has_ended(hub: Any) -> None:
    hub.client.schedule_new_orchestration(wait_for_event, instance_id="again")
    with pytest.raises(grpc.RpcError) as refused:
        hub.client.schedule_new_orchestration(one_activity, input=1, instance_id="again")
    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
    hub.client.raise_orchestration_event("again", "go", data=1)
    assert hub.end_of("again").get_output() == 1
    assert hub.run(one_activity, input=2, instance_id="again").get_output() == 2


TELLING = [
    lambda client, instance_id: client.terminate_orchestration(instance_id),
    lambda client, instance_id: client.raise_orchestration_event(instance_id, "go"),
    lambda client, instance_id: client.suspend_orchestration(instance_id),
    lambda client, instance_id: client.resume_orchestration(instance_id),
]


@pytest.mark.parametrize("tell", TELLING)
def test_nobody_can_tell_anything_to_an_instance_that_was_never_there(hub: Any, tell: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        tell(hub.client, "nobody")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert "'nobody'" in refused.value.details()


@pytest.mark.parametrize("tell", TELLING)
def test_an_instance_that_has_ended_takes_no_more_and_stays_as_it_was(hub: Any, tell: Any) -> None:
    ended = hub.run(one_activity, input=1)
    with pytest.raises(grpc.RpcError) as refused:
        tell(hub.client, ended.instance_id)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert f"{ended.instance_id!r} has ended (completed)" in refused.value.details()
    assert state_of(hub, ended.instance_id).last_updated_at == ended.last_updated_at


def test_events_that_arrive_during_a_suspension_are_heard_after_it(hub: Any) -> None:
    instance_id = hub.client.schedule_new_orchestration(wait_for_event)
    running(hub, instance_id)
    hub.client.suspend_orchestration(instance_id)
    until(lambda: state_of(hub, instance_id).runtime_status == OrchestrationStatus.SUSPENDED, "the suspension")
    hub.client.raise_orchestration_event(instance_id, "go", data="while away")
    assert hub.run(one_activity, input=1).get_output() == 1
    assert state_of(hub, instance_id).runtime_status == OrchestrationStatus.SUSPENDED
    hub.client.resume_orchestration(instance_id)
    assert hub.end_of(instance_id).get_output() == "while away"


def test_a_suspended_instance_can_be_terminated(hub: Any) -> None:
    instance_id = hub.client.schedule_new_orchestration(wait_for_event)
    running(hub, instance_id)
    hub.client.suspend_orchestration(instance_id)
    until(lambda: state_of(hub, instance_id).runtime_status == OrchestrationStatus.SUSPENDED, "the suspension")
    hub.client.terminate_orchestration(instance_id)
    assert hub.end_of(instance_id).runtime_status == OrchestrationStatus.TERMINATED


def test_events_are_carried_over_when_an_instance_continues_as_new(hub: Any) -> None:
    instance_id = hub.client.schedule_new_orchestration(collects)
    for item in ("a", "b", "c"):
        hub.client.raise_orchestration_event(instance_id, "item", data=item)
    assert hub.end_of(instance_id).get_output() == ["a", "b", "c"]


def test_rewinding_repeats_what_failed_and_keeps_the_rest(hub: Any) -> None:
    gate = "rewind"
    GATES[f"{gate}/done"].set()
    instance_id = hub.client.schedule_new_orchestration(fails_once, input=gate)
    assert hub.end_of(instance_id).runtime_status == OrchestrationStatus.FAILED
    GATES[f"{gate}/slow"].set()  # its result arrives although the instance has failed,
    until(lambda: hub.engine._instances[instance_id].pending_events, "the late result")
    until(lambda: instance_id not in [t[0] for t in hub.engine._armed_timers], "the timer")  # and so does the timer
    GATES[gate].set()
    hub.client.rewind_orchestration(instance_id)
    until(lambda: state_of(hub, instance_id).runtime_status != OrchestrationStatus.FAILED, "the rewind")
    assert hub.end_of(instance_id).get_output() == [f"{gate}/done", gate, f"{gate}/slow"]
    assert (CALLS[f"{gate}/done"], CALLS[gate], CALLS[f"{gate}/slow"]) == (1, 2, 1)


def test_a_restarted_instance_runs_with_its_first_input(hub: Any) -> None:
    first = hub.run(one_activity, input="again")
    assert hub.client.restart_orchestration(first.instance_id) == first.instance_id
    assert hub.end_of(first.instance_id).get_output() == "again"
    other = hub.client.restart_orchestration(first.instance_id, restart_with_new_instance_id=True)
    assert other != first.instance_id
    assert hub.end_of(other).get_output() == "again"


def test_the_history_says_when_things_happened(hub: Any) -> None:
    started = datetime.now(UTC) - timedelta(seconds=1)
    state = hub.run(one_activity, input=1)
    events = hub.client.get_orchestration_history(state.instance_id)
    times = [event.timestamp.replace(tzinfo=UTC) for event in events]
    assert len(times) > 5
    assert all(started < moment <= datetime.now(UTC) for moment in times)
