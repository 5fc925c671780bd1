"""What the engine keeps of orchestrations that have ended, shown through the SDK's own worker and client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus

KEPT = 3
FAR = timedelta(hours=1)


def parent(ctx: task.OrchestrationContext, _: Any):
    yield ctx.call_sub_orchestrator(child, instance_id=f"{ctx.instance_id}:child")


def child(ctx: task.OrchestrationContext, _: Any):
    yield ctx.call_activity(work)


def work(ctx: task.ActivityContext, _: Any) -> None:
    return None


def waits(ctx: task.OrchestrationContext, _: Any):
    yield ctx.wait_for_external_event("go")


def has_a_patient_child(ctx: task.OrchestrationContext, _: Any):
    yield ctx.call_sub_orchestrator(waits, instance_id=f"{ctx.instance_id}:child")


def many_children(ctx: task.OrchestrationContext, count: int):
    children = [ctx.call_sub_orchestrator(child, instance_id=f"{ctx.instance_id}:{number}") for number in range(count)]
    yield task.when_all(children)
    yield ctx.wait_for_external_event("go")


def has_a_deadline(ctx: task.OrchestrationContext, _: Any):
    deadline = ctx.create_timer(FAR)
    yield task.when_any([ctx.call_activity(work), deadline])


def leaves_its_timer(ctx: task.OrchestrationContext, turn: int):
    ctx.create_timer(FAR)
    yield ctx.call_activity(work)
    if turn:
        ctx.continue_as_new(turn - 1, save_events=True)
    else:
        yield ctx.wait_for_external_event("go")


@pytest.fixture(scope="module")
def hub(hub_of: Callable[..., Any]) -> Any:
    orchestrators = [parent, child, waits, has_a_patient_child, many_children, has_a_deadline, leaves_its_timer]
    return hub_of(orchestrators=orchestrators, activities=[work], keep_ended=KEPT)


def known(hub: Any, instance_id: str) -> bool:
    return hub.client.get_orchestration_state(instance_id) is not None


def test_the_last_that_ended_are_kept_with_their_children(hub: Any) -> None:
    ids = [hub.run(parent).instance_id for _ in range(KEPT + 2)]
    assert [known(hub, each) for each in ids] == [False, False, True, True, True]
    assert [known(hub, f"{each}:child") for each in ids] == [False, False, True, True, True]


def test_what_still_runs_is_kept_with_its_ended_children_however_much_ends_meanwhile(hub: Any) -> None:
    running = hub.client.schedule_new_orchestration(many_children, input=KEPT + 2)
    members = [f"{running}:{number}" for number in range(KEPT + 2)]
    for member in members:
        hub.end_of(member)
    for _ in range(KEPT + 1):
        hub.run(parent)
    assert all(known(hub, member) for member in members)
    hub.client.raise_orchestration_event(running, "go")
    assert hub.end_of(running).runtime_status == OrchestrationStatus.COMPLETED


def test_a_child_that_outlives_its_parent_is_forgotten_in_its_turn(hub: Any) -> None:
    parent_id = hub.client.schedule_new_orchestration(has_a_patient_child)
    child_id = f"{parent_id}:child"
    hub.client.wait_for_orchestration_start(parent_id)
    hub.client.terminate_orchestration(parent_id, recursive=False)
    hub.end_of(parent_id)
    for _ in range(KEPT):
        hub.run(parent)
    assert (known(hub, parent_id), known(hub, child_id)) == (False, True)
    hub.client.raise_orchestration_event(child_id, "go")
    assert hub.end_of(child_id).runtime_status == OrchestrationStatus.COMPLETED
    for _ in range(KEPT):
        hub.run(parent)
    assert not known(hub, child_id)


def test_an_id_that_is_used_again_counts_from_its_last_end(hub: Any) -> None:
    hub.run(parent, instance_id="again")
    hub.run(parent)
    hub.run(parent, instance_id="again")
    for _ in range(KEPT - 1):
        hub.run(parent)
    assert known(hub, "again")
    hub.run(parent)
    assert not known(hub, "again")


def test_nothing_is_noted_of_what_is_forgotten_or_purged(hub: Any) -> None:
    for _ in range(KEPT + 2):
        hub.run(parent)
    assert set(hub.engine._executions) <= set(hub.engine._instances)
    last = hub.run(parent).instance_id
    hub.client.purge_orchestration(last, recursive=True)
    assert set(hub.engine._executions) <= set(hub.engine._instances)
    assert not known(hub, last)


def test_an_orchestration_that_has_ended_leaves_no_timer(hub: Any) -> None:
    ended = hub.run(has_a_deadline).instance_id
    assert ended not in {instance for instance, _, _ in hub.engine._armed_timers}


def test_an_execution_that_continues_as_new_leaves_no_timer(hub: Any) -> None:
    instance_id = hub.client.schedule_new_orchestration(leaves_its_timer, input=2)
    hub.client.raise_orchestration_event(instance_id, "go")
    hub.end_of(instance_id)
    assert instance_id not in {instance for instance, _, _ in hub.engine._armed_timers}
