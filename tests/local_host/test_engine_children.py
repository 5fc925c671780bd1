"""The engine's corrections about children, shown through the SDK's own worker and client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus

from tests.local_host.engine_given import running, state_of, wait_for_event


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


@pytest.fixture(scope="module")
def hub(hub_of: Callable[..., Any]) -> Any:
    return hub_of(
        orchestrators=[wait_for_event, parent_of_many, parent_of_one, grandparent, fails, names_its_parent],
    )


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
