"""Old runs are purged with all that belongs to them, on the real engine; what goes on, or is young, stays."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from durabletask.client import AsyncTaskHubGrpcClient

from tests.orchestrators.durable import Durable
from tests.orchestrators.given import sections_request
from triggers import retention
from triggers.retention import MOST_ROUNDS, purge_old_runs, purged

LONG_AGO = datetime.now(UTC) - timedelta(days=40)
A_MONTH_AGO = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture
def durable() -> Iterator[Durable]:
    with Durable() as durable:
        yield durable


@pytest_asyncio.fixture
async def client(durable: Durable) -> AsyncIterator[Any]:
    client = AsyncTaskHubGrpcClient(host_address=durable._address)
    yield client
    await client.close()


def make_old(durable: Durable, run_id: str) -> None:
    """Let a run and its calls have been created long ago."""
    with durable._locked():
        for instance_id, instance in durable.engine._instances.items():
            if instance_id == run_id or instance_id.startswith(f"{run_id}:"):
                instance.created_at = LONG_AGO


def known(durable: Durable) -> set[str]:
    with durable._locked():
        return set(durable.engine._instances)


async def test_an_old_run_is_purged_with_its_calls_and_a_young_one_stays(durable: Durable, client: Any) -> None:
    durable.run("sectioning", sections_request("a", "b"))
    make_old(durable, "run-1")
    durable.anew("run-2")
    durable.run("sectioning", sections_request("a", aggregation="concatenate"))

    assert await purged(client, before=A_MONTH_AGO) == 4  # the run, two branches, the synthesis

    assert known(durable) == {"run-2", "run-2:a"}


async def test_an_old_run_that_goes_on_stays(durable: Durable, client: Any) -> None:
    durable.agents.hold("a")
    durable.start("sectioning", sections_request("a", aggregation="concatenate"))
    make_old(durable, "run-1")

    assert await purged(client, before=A_MONTH_AGO) == 0

    durable.agents.let_go("a")
    assert durable.result()["status"] == "succeeded"


@dataclass
class Rounds:
    """A task hub that ends each of its answers early, until all is done."""

    complete: list[bool | None]
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def purge_orchestrations_by(self, **given: Any) -> Any:
        self.asked.append(given)
        return SimpleNamespace(deleted_instance_count=10, is_complete=self.complete[len(self.asked) - 1])


@pytest.mark.parametrize(
    ("complete", "rounds"), [([True], 1), ([None], 1), ([False, False, True], 3), ([False] * 20, MOST_ROUNDS)]
)
async def test_a_purge_that_is_cut_short_goes_on_for_a_bounded_number_of_rounds(
    complete: list[bool | None], rounds: int
) -> None:
    hub = Rounds(complete)

    assert await purged(cast(Any, hub), before=A_MONTH_AGO) == 10 * rounds

    assert len(hub.asked) == rounds


async def test_the_setting_says_how_old_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_RETENTION_DAYS", "30")
    hub = Rounds([True])

    await purge_old_runs(cast(Any, None), cast(Any, hub))

    [asked] = hub.asked
    age = datetime.now(UTC) - asked["created_time_to"]
    assert timedelta(days=30) <= age < timedelta(days=31)
    assert {status.name for status in asked["runtime_status"]} == {"COMPLETED", "FAILED", "TERMINATED"}


@pytest.mark.parametrize(("value", "warned"), [("", False), ("2", True), ("for ever", True)])
async def test_without_a_usable_setting_nothing_is_purged(
    value: str, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CHORUS_RETENTION_DAYS", value)
    hub = Rounds([])

    with caplog.at_level(logging.WARNING, logger=retention.LOG.name):
        await purge_old_runs(cast(Any, None), cast(Any, hub))

    assert hub.asked == []
    assert ("CHORUS_RETENTION_DAYS" in caplog.text) == warned
