"""The engine's corrections, shown through the SDK's own worker and client."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus
from durabletask.entities import DurableEntity, EntityInstanceId
from durabletask.internal import orchestrator_service_pb2 as pb

GATES: defaultdict[str, threading.Event] = defaultdict(threading.Event)
CALLS: defaultdict[str, int] = defaultdict(int)


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.005)
    pytest.fail(f"{what} did not happen within 10 s")


def echo(ctx: task.ActivityContext, value: Any) -> Any:
    return value


def gated(ctx: task.ActivityContext, gate: str) -> str:
    CALLS[gate] += 1
    assert GATES[gate].wait(10)
    return gate


def flaky(ctx: task.ActivityContext, gate: str) -> str:
    CALLS[gate] += 1
    if not GATES[gate].is_set():
        raise LookupError(f"{gate} is not set")
    return gate


def one_activity(ctx: task.OrchestrationContext, value: Any):
    return (yield ctx.call_activity(echo, input=value))


def wait_for_event(ctx: task.OrchestrationContext, _: Any):
    return (yield ctx.wait_for_external_event("go"))


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


def parent_of_many(ctx: task.OrchestrationContext, count: int):
    children = [ctx.call_sub_orchestrator(wait_for_event, instance_id=f"{ctx.instance_id}:{n}") for n in range(count)]
    return (yield task.when_all(children))


def parent_of_one(ctx: task.OrchestrationContext, child: str):
    try:
        return (yield ctx.call_sub_orchestrator(child, instance_id=f"{ctx.instance_id}:child"))
    except task.TaskFailedError as error:
        return [error.details.error_type, error.details.message, bool(error.details.stack_trace)]


def grandparent(ctx: task.OrchestrationContext, child: str):
    return (yield ctx.call_sub_orchestrator(parent_of_one, input=child, instance_id=f"{ctx.instance_id}:parent"))


def fails(ctx: task.OrchestrationContext, _: Any):
    raise LookupError("no such shelf")


def names_its_parent(ctx: task.OrchestrationContext, generation: int | None):
    if not generation:
        ctx.continue_as_new(1)
        return None
    return ctx.parent_instance_id


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


class Counter(DurableEntity):
    def add(self, amount: int) -> int:
        value = self.get_state(int, 0) + amount
        self.set_state(value)
        return value

    def get(self) -> int:
        return self.get_state(int, 0)

    def launch(self, instance_id: str) -> None:
        self.schedule_new_orchestration("one_activity", "launched", instance_id=instance_id)


def locks_and_waits(ctx: task.OrchestrationContext, key: str):
    entity = EntityInstanceId("Counter", key)
    with (yield ctx.lock_entities([entity])):
        before = yield ctx.call_entity(entity, "add", 1)
        ctx.set_custom_status("locked")
        yield ctx.wait_for_external_event("go")
        after = yield ctx.call_entity(entity, "get")
    return [before, after]


def adds(ctx: task.OrchestrationContext, key: str):
    return (yield ctx.call_entity(EntityInstanceId("Counter", key), "add", 10))


def abandons_a_call(ctx: task.OrchestrationContext, state: list[Any]):
    key, generation = state
    if generation == 0:
        ctx.call_entity(EntityInstanceId("Counter", key), "add", 1)
        ctx.continue_as_new([key, 1])
        return None
    yield ctx.wait_for_external_event("go")
    return "unharmed"


@pytest.fixture(scope="module")
def hub(hub_of: Callable[..., Any]) -> Any:
    return hub_of(
        orchestrators=[
            one_activity,
            wait_for_event,
            nap,
            many_timers,
            stale_timer,
            parent_of_many,
            parent_of_one,
            grandparent,
            fails,
            names_its_parent,
            collects,
            fails_once,
            locks_and_waits,
            adds,
            abandons_a_call,
            counts_calls,
        ],
        activities=[echo, gated, flaky, count],
        entities=[Counter],
    )


def state_of(hub: Any, instance_id: str) -> Any:
    return hub.client.get_orchestration_state(instance_id)


def running(hub: Any, instance_id: str) -> Any:
    def is_running() -> bool:
        state = state_of(hub, instance_id)
        return state is not None and state.runtime_status == OrchestrationStatus.RUNNING

    return until(is_running, f"the start of {instance_id!r}")


def entity_state(hub: Any, entity: EntityInstanceId) -> int | None:
    metadata = hub.client.get_entity(entity)
    return None if metadata is None else metadata.get_state(int)


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


# --- Children ---


def test_waiting_for_children_takes_no_threads(hub: Any) -> None:
    before = threading.active_count()
    parent = hub.client.schedule_new_orchestration(parent_of_many, input=50)
    for n in range(50):
        running(hub, f"{parent}:{n}")
    assert threading.active_count() - before < 25
    for n in range(50):
        hub.client.raise_orchestration_event(f"{parent}:{n}", "go", data=n)
    assert hub.end_of(parent).get_output() == list(range(50))


def test_a_parent_receives_its_childs_own_failure(hub: Any) -> None:
    error_type, message, has_stack = hub.run(parent_of_one, input="fails").get_output()
    assert error_type.endswith("LookupError")
    assert message == "no such shelf"
    assert has_stack


def test_a_parent_learns_that_its_child_was_terminated(hub: Any) -> None:
    parent = hub.client.schedule_new_orchestration(parent_of_one, input="wait_for_event")
    child = f"{parent}:child"
    running(hub, child)
    hub.client.terminate_orchestration(child, output="enough")
    error_type, message, _ = hub.end_of(parent).get_output()
    assert error_type == "OrchestrationTerminated"
    assert child in message
    assert "enough" in message


def test_a_child_knows_its_parent_even_after_continuing_as_new(hub: Any) -> None:
    parent = hub.client.schedule_new_orchestration(parent_of_one, input="names_its_parent")
    assert hub.end_of(parent).get_output() == parent


def test_terminating_reaches_children_and_grandchildren(hub: Any) -> None:
    root = hub.client.schedule_new_orchestration(grandparent, input="wait_for_event")
    family = [root, f"{root}:parent", f"{root}:parent:child"]
    running(hub, family[-1])
    hub.client.terminate_orchestration(root, output="stop")
    for member in family:
        state = hub.end_of(member)
        assert state.runtime_status == OrchestrationStatus.TERMINATED
        assert state.get_output() == "stop"


def test_terminating_without_recursion_leaves_the_children_running(hub: Any) -> None:
    parent = hub.client.schedule_new_orchestration(parent_of_one, input="wait_for_event")
    running(hub, f"{parent}:child")
    hub.client.terminate_orchestration(parent, recursive=False)
    assert hub.end_of(parent).runtime_status == OrchestrationStatus.TERMINATED
    hub.client.raise_orchestration_event(f"{parent}:child", "go", data=7)
    assert hub.end_of(f"{parent}:child").get_output() == 7


@pytest.mark.parametrize("recursive", [True, False])
def test_purging_takes_the_children_along_only_when_asked_to(hub: Any, recursive: bool) -> None:
    root = hub.client.schedule_new_orchestration(grandparent, input="fails")
    hub.end_of(root)
    purged = hub.client.purge_orchestration(root, recursive=recursive)
    assert purged.deleted_instance_count == (3 if recursive else 1)
    assert state_of(hub, root) is None
    assert (state_of(hub, f"{root}:parent:child") is None) == recursive


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


def test_a_recursive_termination_passes_by_the_children_that_have_ended(hub: Any) -> None:
    parent = hub.client.schedule_new_orchestration(parent_of_many, input=2)
    first, second = f"{parent}:0", f"{parent}:1"
    running(hub, second)
    hub.client.raise_orchestration_event(first, "go", data="done")
    assert hub.end_of(first).get_output() == "done"
    hub.client.terminate_orchestration(parent, output="stop")
    assert hub.end_of(second).runtime_status == OrchestrationStatus.TERMINATED
    assert hub.end_of(parent).get_output() == "stop"
    assert hub.end_of(first).get_output() == "done"


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


# --- Entities ---


def test_a_locked_entity_serves_its_owner_and_the_others_after_the_unlock(hub: Any) -> None:
    entity = EntityInstanceId("Counter", "locked")
    owner = hub.client.schedule_new_orchestration(locks_and_waits, input="locked")
    until(lambda: state_of(hub, owner).serialized_custom_status == '"locked"', "the lock")
    hub.client.signal_entity(entity, "add", input=100)
    other = hub.client.schedule_new_orchestration(adds, input="locked")
    next_owner = hub.client.schedule_new_orchestration(locks_and_waits, input="locked")
    running(hub, other)
    running(hub, next_owner)
    assert hub.run(one_activity, input=1).get_output() == 1
    assert entity_state(hub, entity) == 1
    hub.client.raise_orchestration_event(owner, "go")
    assert hub.end_of(owner).get_output() == [1, 1]
    assert hub.end_of(other).get_output() == 111
    hub.client.raise_orchestration_event(next_owner, "go")
    assert hub.end_of(next_owner).get_output() == [112, 112]


def test_the_locks_of_a_terminated_orchestration_are_released(hub: Any) -> None:
    owner = hub.client.schedule_new_orchestration(locks_and_waits, input="orphan")
    until(lambda: state_of(hub, owner).serialized_custom_status == '"locked"', "the lock")
    waiting = hub.client.schedule_new_orchestration(locks_and_waits, input="orphan")
    other = hub.client.schedule_new_orchestration(adds, input="orphan")
    running(hub, waiting)
    running(hub, other)
    hub.client.terminate_orchestration(waiting)
    hub.client.terminate_orchestration(owner)
    assert hub.end_of(other).get_output() == 11
    assert hub.client.get_entity(EntityInstanceId("Counter", "orphan")).get_locked_by() is None


def test_cleaning_up_leaves_locks_and_forgets_entities_without_a_state(hub: Any) -> None:
    owner = hub.client.schedule_new_orchestration(locks_and_waits, input="kept")
    until(lambda: state_of(hub, owner).serialized_custom_status == '"locked"', "the lock")
    hub.client.signal_entity(EntityInstanceId("Counter", "empty"), "get")
    until(lambda: "@counter@empty" in hub.engine._entities, "the entity")
    until(lambda: hub.client.clean_entity_storage().empty_entities_removed, "the clean-up")
    assert "@counter@empty" not in hub.engine._entities
    other = hub.client.schedule_new_orchestration(adds, input="kept")
    running(hub, other)
    assert hub.run(one_activity, input=1).get_output() == 1
    assert entity_state(hub, EntityInstanceId("Counter", "kept")) == 1
    hub.client.raise_orchestration_event(owner, "go")
    assert hub.end_of(other).get_output() == 11


def test_a_delayed_signal_arrives_at_its_time(hub: Any) -> None:
    entity = EntityInstanceId("Counter", "delayed")
    due = datetime.now(UTC) + timedelta(seconds=0.3)
    hub.client.signal_entity(entity, "add", input=1, signal_time=due)
    hub.client.signal_entity(entity, "add", input=10)
    until(lambda: entity_state(hub, entity), "the first signal")
    assert entity_state(hub, entity) == 10
    until(lambda: entity_state(hub, entity) == 11, "the delayed signal")
    assert datetime.now(UTC) >= due


def test_a_deleted_entity_does_not_exist(hub: Any) -> None:
    entity = EntityInstanceId("Counter", "gone")
    hub.client.signal_entity(entity, "add", input=1)
    until(lambda: entity_state(hub, entity) == 1, "the signal")
    hub.client.signal_entity(entity, "delete")
    until(lambda: hub.client.get_entity(entity) is None, "the delete")
    assert entity not in [e.id for e in hub.client.get_all_entities()]


def test_an_entity_can_start_an_orchestration(hub: Any) -> None:
    hub.client.signal_entity(EntityInstanceId("Counter", "launcher"), "launch", input="from-entity")
    until(lambda: state_of(hub, "from-entity"), "the start")
    assert hub.end_of("from-entity").get_output() == "launched"


def test_an_answer_to_an_earlier_execution_does_not_fail_the_next(hub: Any) -> None:
    instance_id = hub.client.schedule_new_orchestration(abandons_a_call, input=["abandoned", 0])
    until(lambda: entity_state(hub, EntityInstanceId("Counter", "abandoned")) == 1, "the call")
    hub.client.raise_orchestration_event(instance_id, "go")
    assert hub.end_of(instance_id).get_output() == "unharmed"
