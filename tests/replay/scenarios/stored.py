"""Scenarios of whole runs in storage."""

from __future__ import annotations

from activities.names import FINISH_MAP, JOIN_OUTPUTS, MAP_REDUCE, PLAN_DOCUMENTS, SHARD
from tests.orchestrators.durable import LIMIT_S
from tests.orchestrators.relay import ANSWERED, refusal, singles
from tests.orchestrators.stored_runs import StoredRuns
from tests.replay.history import History
from tests.replay.scenario import saved, stored_scenario


@stored_scenario
def stored_of_two_shards(stored: StoredRuns) -> None:
    """Storage is away at each step; one document of the second page fails."""
    stored.away += [PLAN_DOCUMENTS, FINISH_MAP, JOIN_OUTPUTS]
    stored.pages.answer("2.2", refusal("content_filtered"))
    stored.pages.hold("1.2")
    stored.start_run(singles(2, 2), max_concurrency=2)
    stored.pages.wait_until(lambda: any(reading.unit == "2.2" for reading in stored.pages.readings))
    stored.pages.let_all_go()
    save_stored(stored)
    save_stored_shard(stored, "map", 1)
    save_stored_shard(stored, "map", 2)


@stored_scenario
def stored_of_three_shards(stored: StoredRuns) -> None:
    """The third starts once the second has its first place."""
    stored.start_run(singles(3, 2), max_concurrency=1)
    save_stored(stored)


@stored_scenario
def stored_redriven(stored: StoredRuns) -> None:
    """Of two pages, the second still has a document to read."""
    stored.pages.answered |= {"d1.1", "d1.2", "d2.1"}
    stored.start_run(singles(2, 2), redrive_of="run-0")
    save_stored(stored)
    save_stored_shard(stored, "map", 2)


@stored_scenario
def stored_by_a_tree(stored: StoredRuns) -> None:
    """Two levels; the shard of the first has a call that fails once."""
    stored.pages.answer("1r.2", refusal("rate_limited", retriable=True, retry_after_s=0.1), ANSWERED)
    stored.start_run(singles(1, 3), levels=(2, 1))
    save_stored(stored)
    save_stored_shard(stored, "reduce-1", 1)


@stored_scenario
def stored_cancelled(stored: StoredRuns) -> None:
    stored.pages.hold("1.2", "2.1")
    stored.start_run(singles(2, 2), max_concurrency=2)
    stored.pages.wait_until(lambda: {"1.2", "2.1"} <= {reading.unit for reading in stored.pages.readings})
    stored.cancel()
    save_stored(stored)


@stored_scenario
def stored_beyond_its_tolerance(stored: StoredRuns) -> None:
    stored.pages.answer("1.1", refusal("content_filtered"))
    stored.start_run(singles(2, 2), max_concurrency=1, tolerated_failure_count=0)
    save_stored(stored)


def save_stored(stored: StoredRuns) -> None:
    """Save the history of the scenario's run, once it has ended."""
    stored.result()
    saved(History(stored.run_id, MAP_REDUCE, stored.run_id, stored.history(stored.run_id)))


def save_stored_shard(stored: StoredRuns, stage: str, number: int) -> None:
    """Save the history of one of its shards, once it has ended."""
    instance_id = stored.stage_shard_id(stage, number)
    stored.client.wait_for_orchestration_completion(instance_id, timeout=LIMIT_S)
    name = f"{stored.run_id}_{stage.replace('-', '_')}_shard_{number}"
    saved(History(name, SHARD, instance_id, stored.history(instance_id)))
