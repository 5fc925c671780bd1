"""What the engine's tests share: functions that wait for them, and waits for instances."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus

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


def state_of(hub: Any, instance_id: str) -> Any:
    return hub.client.get_orchestration_state(instance_id)


def running(hub: Any, instance_id: str) -> Any:
    def is_running() -> bool:
        state = state_of(hub, instance_id)
        return state is not None and state.runtime_status == OrchestrationStatus.RUNNING

    return until(is_running, f"the start of {instance_id!r}")
