"""The engine's corrections about entities, shown through the SDK's own worker and client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from durabletask import task
from durabletask.entities import DurableEntity, EntityInstanceId

from tests.local_host.engine_given import echo, one_activity, running, state_of, until, wait_for_event


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
        orchestrators=[one_activity, wait_for_event, locks_and_waits, adds, abandons_a_call],
        activities=[echo],
        entities=[Counter],
    )


def entity_state(hub: Any, entity: EntityInstanceId) -> int | None:
    metadata = hub.client.get_entity(entity)
    return None if metadata is None else metadata.get_state(int)


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
