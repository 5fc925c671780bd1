"""Scenarios of shards, which pass places on and are stopped, bounded and replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activities.names import SHARD
from shared.contracts.work import Unit
from tests.orchestrators.durable import LIMIT_S
from tests.orchestrators.relay import ANSWERED, Stages, refusal, singles, unit
from tests.replay.history import History
from tests.replay.scenario import saved, stage_scenario


def start_pages(stages: Stages, *held: str, pages: Sequence[Sequence[Unit]], **policy: Any) -> None:
    """Start a run of one stage whose calls for these units wait."""
    stages.pages.hold(*held)
    stages.start_stage(pages, **policy)


@stage_scenario
def shards_pass_places(stages: Stages) -> None:
    """The first has a retry, the second a batch that is divided and a work that fails."""
    stages.pages.answer("1.1", refusal("rate_limited", retriable=True, retry_after_s=0.1), ANSWERED)
    stages.pages.answer("2.1", ANSWERED | {"unanswered": ["b"]})
    stages.pages.answer("2.2", refusal("content_filtered"))
    pages = [[unit("1.1"), unit("1.2"), unit("1.3")], [unit("2.1", "a", "b"), unit("2.2")], [unit("3.1")]]
    start_pages(stages, "1.3", pages=pages, max_concurrency=2)
    stages.pages.wait_until(lambda: any(reading.unit == "2.2" for reading in stages.pages.readings))
    stages.pages.let_all_go()
    for number in (1, 2, 3):
        save_shard(stages, number)


@stage_scenario
def shards_stopped(stages: Stages) -> None:
    start_pages(stages, "1.1", "1.2", "2.1", "2.2", pages=singles(3, 2), max_concurrency=3)
    stages.pages.wait_until(lambda: stages.pages.running == 3)
    stages.cancel()
    stages.result()
    for number in (1, 3):
        save_shard(stages, number)


@stage_scenario
def shards_beyond_their_tolerance(stages: Stages) -> None:
    stages.pages.answer("2.1", refusal("content_filtered"))
    start_pages(stages, "1.1", pages=singles(2, 2), max_concurrency=2, tolerated_failure_count=0)
    stages.result()
    save_shard(stages, 2)


@stage_scenario
def shards_out_of_budget(stages: Stages) -> None:
    start_pages(stages, pages=singles(3, 2), max_concurrency=1, max_total_tokens=45)
    save_shard(stages, 2)


@stage_scenario
def shards_replaced(stages: Stages) -> None:
    start_pages(stages, "1.1", pages=singles(2, 2), max_concurrency=2)
    stages.pages.wait_until(lambda: any(reading.unit == "2.2" for reading in stages.pages.readings))
    stages.client.terminate_orchestration(stages.shard_id(1), recursive=False)
    save_shard(stages, 1, replacement=1)


def save_shard(stages: Stages, number: int, replacement: int = 0) -> None:
    """Save the history of a shard of the scenario, once it has ended."""
    stages.result()
    instance_id = stages.shard_id(number, replacement)
    stages.client.wait_for_orchestration_completion(instance_id, timeout=LIMIT_S)
    suffix = f"{number}_replaced" if replacement else str(number)
    saved(History(f"{stages.run_id}_{suffix}", SHARD, instance_id, stages.history(instance_id)))
