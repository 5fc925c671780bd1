"""Shards that are lost, on the in-memory engine: their places, their pages and their answers are not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from durabletask.task import RetryPolicy

import orchestrators.shard
import shared.scheduling.page_schedule
from activities.names import CLOSE_PAGE, PLACES_EVENT, READ_DOCUMENTS
from orchestrators.run import Run
from orchestrators.stage import MAX_REPLACEMENTS, run_stage
from shared.contracts.policy import RunPolicy
from shared.contracts.work import ShardResult, Stage, Tally
from tests.orchestrators.durable import LIMIT_S, wait_until
from tests.orchestrators.fake_context import JSON, FakeContext
from tests.orchestrators.relay import FOLDER, Stages, singles


@pytest.fixture
def stages() -> Iterator[Stages]:
    with Stages() as made:
        yield made


def terminate(stages: Stages, number: int) -> None:
    stages.client.terminate_orchestration(stages.shard_id(number), recursive=False)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_places_of_a_shard_that_is_terminated_are_not_lost(stages: Stages, number: int) -> None:
    stages.pages.seconds = lambda _: 0.05
    stages.pages.hold(f"{number}.2")
    stages.start_stage(singles(4, 4), max_concurrency=3)
    stages.pages.wait_until(lambda: any(reading.unit == f"{number}.2" for reading in stages.pages.readings))
    terminate(stages, number)
    result = stages.result()
    assert result["succeeded"] + result["failed"] == 16
    assert result["succeeded"] >= 12
    assert result["reused"] == 0, "its answers are those of this run"
    lost = {name.removeprefix("d").partition(".")[0] for name in result["missing"]}
    assert lost == {str(number)}
    assert stages.pages.closed[number].failures[0].error.code == "branch_failed"
    assert "terminated" in stages.pages.closed[number].failures[0].error.message


def test_the_places_that_a_lost_shard_had_passed_and_kept_come_back(stages: Stages) -> None:
    stages.pages.hold("1.1", "2.1", *(f"3.{number}" for number in range(1, 9)))
    stages.start_stage(singles(3, 8), max_concurrency=5)
    stages.pages.wait_until(lambda: sum(reading.unit.startswith("3.") for reading in stages.pages.readings) == 3)
    terminate(stages, 2)
    stages.pages.wait_until(lambda: sum(reading.unit.startswith("3.") for reading in stages.pages.readings) == 4)
    stages.pages.let_all_go()
    result = stages.result()
    assert (result["succeeded"], result["missing"]) == (23, ["d2.1"])


def test_a_shard_that_waits_for_its_first_place_may_be_lost_too(stages: Stages) -> None:
    stages.pages.hold("1.1")
    stages.start_stage(singles(3, 2), max_concurrency=1)
    wait_until(lambda: len(stages.shard_history(2)) > 3, "shard 2 does not start")
    terminate(stages, 2)
    wait_until(lambda: bool(stages.history(stages.shard_id(2, 1))), "shard 2 is not replaced")
    stages.pages.let_all_go()
    result = stages.result()
    assert (result["succeeded"], result["failed"], result["missing"]) == (4, 2, ["d2.1", "d2.2"])


def test_a_page_that_cannot_be_read_costs_its_works_and_no_place(stages: Stages) -> None:
    stages.pages.breaks_on = {2}
    result = stages.run_stage(singles(3, 2), max_concurrency=2)
    assert (result["succeeded"], result["failed"], sorted(stages.pages.closed)) == (4, 2, [1, 3])


def test_a_call_that_never_returns_costs_its_work_and_not_its_place(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.scheduling.page_schedule, "EXPIRY_GRACE_S", 0.2)
    stages.pages.hold("1.1")
    result = stages.run_stage(singles(2, 3), max_concurrency=1, branch_timeout_s=0.5)
    assert (result["succeeded"], result["missing"]) == (5, ["d1.1"])
    assert [failure.status for failure in stages.pages.closed[1].failures] == ["timed_out"]


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = RetryPolicy(first_retry_interval=timedelta(milliseconds=10), max_number_of_attempts=2)
    monkeypatch.setattr(orchestrators.shard, "PAGE_RETRIES", at_once)


@pytest.mark.usefixtures("quick_retries")
def test_a_page_that_another_shard_closes_keeps_its_answers_and_their_cost(stages: Stages) -> None:
    stages.pages.closing_breaks = {2: 3}
    result = stages.run_stage(singles(3, 2), max_concurrency=2)
    assert (result["succeeded"], result["failed"], result["missing"]) == (6, 0, [])
    assert result["usage"]["model_calls"] == len(stages.pages.readings) == 6
    assert sorted(stages.pages.closed) == [1, 2, 3]


@pytest.mark.usefixtures("quick_retries")
def test_a_shard_that_is_replaced_after_those_behind_it_have_ended_ends_too(stages: Stages) -> None:
    stages.pages.closing_breaks = {1: 2}
    stages.pages.hold("1.2")
    stages.start_stage(singles(2, 2), max_concurrency=2)
    wait_until(lambda: bool(stages.history(stages.shard_id(2))), "shard 2 does not start")
    stages.client.wait_for_orchestration_completion(stages.shard_id(2), timeout=LIMIT_S)
    stages.pages.let_all_go()
    result = stages.result()
    assert (result["succeeded"], result["failed"]) == (4, 0)


@pytest.mark.usefixtures("quick_retries")
def test_a_page_that_no_shard_can_close_ends_its_stage_with_what_the_shards_have_told(stages: Stages) -> None:
    stages.pages.closing_breaks = {2: 1_000}
    stages.pages.hold("3.2")
    result = stages.run_stage(singles(3, 2), max_concurrency=2)
    assert [asked.number for asked in stages.pages.opened].count(2) == 1 + MAX_REPLACEMENTS
    assert (result["succeeded"], result["failed"], result["interruption"]) == (5, 1, None)
    assert result["usage"]["model_calls"] == 6


def test_a_stage_that_is_cancelled_as_a_page_is_closed_has_its_account(stages: Stages) -> None:
    stages.pages.may_close.clear()
    stages.pages.hold("2.2")
    stages.start_stage(singles(2, 2), max_concurrency=2)
    stages.pages.wait_until(lambda: len(stages.pages.readings) == 4 and stages.pages.running == 1)
    wait_until(lambda: closes(stages, 1), "page 1 is not closed")
    stages.cancel()
    result = stages.result()
    assert (result["succeeded"], result["failed"], result["usage"]["model_calls"]) == (3, 1, 4)


def closes(stages: Stages, number: int) -> bool:
    return any(event.taskScheduled.name == CLOSE_PAGE for event in stages.shard_history(number))


class SendingContext(FakeContext):
    """One that remembers events to others, and to which others send some."""

    def __init__(self) -> None:
        super().__init__(None)
        self.sent: list[tuple[str, str, JSON]] = []
        self._ctx = self

    def send_event(self, instance: str, event: str, *, data: JSON) -> None:
        self.sent.append((instance, event, data))


def test_places_that_a_shard_told_a_lost_one_of_as_it_ended_reach_the_replacement() -> None:
    context = SendingContext()
    run = Run.start(cast(Any, context), "map_reduce", RunPolicy(max_concurrency=3), None)
    relay = run_stage(run, Stage(name="map", call=READ_DOCUMENTS, folder=FOLDER, pages=2, works=4))
    next(relay)
    first, second = context.children
    second.task.fail("lost", RuntimeError("lost"))
    next(relay)
    assert not context.sent, "shard 1 still hears of the replacement"
    ended = ShardResult(number=1, tally=Tally(succeeded=2))
    first.task.complete(ended.model_dump(mode="json"))
    next(relay)
    [(instance, event, told)] = context.sent
    assert (instance, event) == (context.children[2].instance_id, PLACES_EVENT)
    assert (told["places"], told["sender"]) == (3, first.instance_id)
