from __future__ import annotations

import logging
from typing import Any

import pytest

from activities.names import branch_instance_id
from activities.stop_branches import STOPPED_OUTPUT, stop_branches


class FakeClient:
    def __init__(self, unknown: tuple[str, ...] = ()) -> None:
        self.unknown = unknown
        self.terminated: list[tuple[str, Any]] = []

    async def terminate_orchestration(self, instance_id: str, *, output: Any = None) -> None:
        if instance_id in self.unknown:
            raise LookupError(instance_id)
        self.terminated.append((instance_id, output))


async def test_every_branch_is_told_to_stop() -> None:
    client: Any = FakeClient()

    assert await stop_branches(["r:a", "r:b"], client) == 2
    assert client.terminated == [("r:a", STOPPED_OUTPUT), ("r:b", STOPPED_OUTPUT)]


async def test_one_that_cannot_be_told_keeps_no_other_from_it(caplog: pytest.LogCaptureFixture) -> None:
    client: Any = FakeClient(unknown=("r:a",))

    with caplog.at_level(logging.WARNING):
        assert await stop_branches(["r:a", "r:b"], client) == 1

    assert [instance for instance, _ in client.terminated] == ["r:b"]
    assert "Could not stop 1 of 2 branches" in caplog.text


async def test_no_branches_are_no_work() -> None:
    assert await stop_branches([], FakeClient()) == 0  # type: ignore[arg-type]


def test_a_branch_s_instance_id_starts_with_its_run_s() -> None:
    assert branch_instance_id("run", "a.b") == "run:a.b"
