from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from azure.durable_functions import DurableFunctionsClient

from activities.wanted import is_wanted
from local_host.durable_client import durable_client_config

CLIENT = durable_client_config("127.0.0.1:1", "http://localhost:1", "hub")


@pytest.mark.parametrize(
    ("run", "attempt", "expected"),
    [
        ("RUNNING", "RUNNING", True),
        ("PENDING", "SUSPENDED", True),
        ("COMPLETED", "RUNNING", False),
        ("TERMINATED", "RUNNING", False),
        ("RUNNING", "COMPLETED", False),
        ("FAILED", "FAILED", False),
        ("RUNNING", None, False),
        (None, "RUNNING", False),
    ],
)
async def test_a_call_is_wanted_while_its_run_and_its_attempt_go_on(
    monkeypatch: pytest.MonkeyPatch, run: str | None, attempt: str | None, expected: bool
) -> None:
    statuses = {"run": run, "run:branch": attempt}

    async def state_of(_: object, instance: str, *, fetch_payloads: bool) -> Any:
        assert not fetch_payloads
        status = statuses[instance]
        return None if status is None else SimpleNamespace(runtime_status=SimpleNamespace(name=status))

    monkeypatch.setattr(DurableFunctionsClient, "get_orchestration_state", state_of)
    assert await is_wanted(CLIENT, "run", "run:branch") is expected


async def test_a_call_is_wanted_while_the_task_hub_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no task hub")

    monkeypatch.setattr(DurableFunctionsClient, "get_orchestration_state", fail)
    assert await is_wanted(CLIENT, "run", "run:branch")
