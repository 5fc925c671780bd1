"""The determinism guard.

A failure here says that an orchestrator now decides otherwise than it did when the histories were recorded, and
whether runs that are under way would survive that. `record.py` says how to record anew when it is intended.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from activities.names import DELIVERY
from tests.orchestrators.durable import APP_VERSION, ORCHESTRATORS
from tests.replay.history import History, history, recorded
from tests.replay.keeping import is_kept, numbers, stand_ins
from tests.replay.replay import replay, strays

HISTORIES = recorded()
VERSIONS = sorted({None, APP_VERSION, *(of.version for of in HISTORIES)}, key=numbers)

ENDINGS = {
    "agent_attempt_is_lost": ("failed", "call_lost"),
    "agent_attempt_is_refused": ("failed", "content_filtered"),
    "agent_attempt_is_stopped": ("cancelled", "cancelled"),
    "agent_attempt_succeeds": ("succeeded", None),
    "agent_attempt_times_out": ("timed_out", "branch_timed_out"),
    "callback_of_a_terminated_run_delivery": ("failed", "410"),
    "callback_taken_at_the_second_attempt": ("succeeded", "all_completed"),
    "callback_taken_at_the_second_attempt_delivery": ("delivered", "200"),
    "map_reduce_by_a_tree": ("partial", "aggregation_failed"),
    "map_reduce_cancelled_in_the_reduction": ("cancelled", "cancelled"),
    "map_reduce_in_batches": ("partial", "all_completed"),
    "map_reduce_of_parts": ("succeeded", "all_completed"),
    "map_reduce_out_of_budget": ("partial", "budget_exhausted"),
    "map_reduce_redriven_to_its_reduction": ("succeeded", "all_completed"),
    "map_reduce_succeeds": ("succeeded", "all_completed"),
    "map_reduce_through_a_window": ("partial", "all_completed"),
    "map_reduce_to_its_deadline": ("partial", "deadline_exceeded"),
    "map_reduce_whose_reduction_fails": ("partial", "aggregation_failed"),
    "map_reduce_with_a_learned_hedge": ("succeeded", "all_completed"),
    "map_reduce_with_learned_hedges_of_hedges": ("succeeded", "all_completed"),
    "map_reduce_with_waits_that_were_learned": ("succeeded", "all_completed"),
    "sectioning_beyond_its_tolerance": ("failed", "failure_tolerance_exceeded"),
    "sectioning_cancelled": ("cancelled", "cancelled"),
    "sectioning_redriven": ("succeeded", "all_completed"),
    "sectioning_succeeds": ("succeeded", "all_completed"),
    "sectioning_that_stops_early": ("partial", "min_successful_reached"),
    "sectioning_throttled": ("succeeded", "all_completed"),
    "sectioning_through_a_window": ("succeeded", "all_completed"),
    "sectioning_to_its_deadline": ("partial", "deadline_exceeded"),
    "sectioning_to_its_deadline_in_the_synthesis": ("partial", "deadline_exceeded"),
    "sectioning_whose_synthesis_fails": ("partial", "aggregation_failed"),
    "sectioning_with_a_hedge": ("succeeded", "all_completed"),
    "sectioning_with_a_slow_branch": ("partial", "all_completed"),
    "sectioning_with_failures": ("partial", "all_completed"),
    "sectioning_with_retries": ("partial", "all_completed"),
    "sectioning_with_votes": ("succeeded", "all_completed"),
    "shards_beyond_their_tolerance_2": ("0, not 2", "failure_tolerance_exceeded"),
    "shards_out_of_budget_2": ("1, not 1", "budget_exhausted"),
    "shards_pass_places_1": ("3, not 0", None),
    "shards_pass_places_2": ("2, not 1", None),
    "shards_pass_places_3": ("1, not 0", None),
    "shards_replaced_1_replaced": ("1, not 1", None),
    "shards_stopped_1": ("0, not 2", "cancelled"),
    "shards_stopped_3": ("0, not 2", "cancelled"),
    "stored_beyond_its_tolerance": ("failed", "failure_tolerance_exceeded"),
    "stored_by_a_tree": ("succeeded", "all_completed"),
    "stored_by_a_tree_reduce_1_shard_1": ("2, not 0", None),
    "stored_cancelled": ("cancelled", "cancelled"),
    "stored_of_three_shards": ("succeeded", "all_completed"),
    "stored_of_two_shards": ("partial", "all_completed"),
    "stored_of_two_shards_map_shard_1": ("2, not 0", None),
    "stored_of_two_shards_map_shard_2": ("1, not 1", None),
    "stored_redriven": ("succeeded", "all_completed"),
    "stored_redriven_map_shard_2": ("2, not 0", None),
    "voting_cancelled": ("cancelled", "cancelled"),
    "voting_decides": ("succeeded", "all_completed"),
    "voting_for_the_best_of_three": ("succeeded", "all_completed"),
    "voting_in_waves": ("succeeded", "all_completed"),
    "voting_out_of_budget": ("partial", "budget_exhausted"),
    "voting_through_a_window": ("succeeded", "all_completed"),
    "voting_to_its_deadline": ("partial", "deadline_exceeded"),
    "voting_whose_tie_a_judge_breaks": ("succeeded", "all_completed"),
    "voting_with_too_few_votes": ("failed", "failure_tolerance_exceeded"),
}
"""Each history's status, and its completion reason (for a call: its error's code; for a shard: its reason).

For a delivery: its state, and the receiver's last answer."""


def event_kinds(of: History) -> list[str]:
    return [event.WhichOneof("eventType") or "" for event in of.events]


@pytest.mark.parametrize("of", HISTORIES, ids=lambda of: of.name)
def test_the_orchestrator_decides_as_it_was_recorded(of: History) -> None:
    turns = replay(of, ORCHESTRATORS[of.orchestrator])
    assert turns == event_kinds(of).count("orchestratorCompleted") >= 2


@pytest.mark.parametrize("of", stand_ins(HISTORIES, VERSIONS), ids=lambda of: f"{of.name}-as-{of.version}")
def test_runs_of_each_version_without_a_history_of_its_own_decide_as_those_of_another(of: History) -> None:
    assert strays(of, ORCHESTRATORS[of.orchestrator]) is None


def test_the_histories_hold_what_their_names_say() -> None:
    endings = {}
    for of in [of for of in HISTORIES if not is_kept(of.path)]:
        result = of.result()
        why = result.get("completion_reason") or (result.get("error") or {}).get("code") or result.get("reason")
        if of.orchestrator == DELIVERY:
            endings[of.name] = (result["state"], str(result["last_status"]))
            continue
        endings[of.name] = (result.get("status") or counts_of(result), why)
    assert endings == ENDINGS


def test_every_orchestrator_has_histories() -> None:
    assert {of.orchestrator for of in HISTORIES} == set(ORCHESTRATORS)


def test_the_histories_show_retries_hedges_a_window_and_stopped_calls() -> None:
    retried = history("sectioning_with_retries")
    assert calls_of(retried) == ["a", "b", "a~2", "a~3", "b~2", "b~3"]
    assert event_kinds(retried).count("timerFired") == 4
    window = event_kinds(history("sectioning_through_a_window"))
    ended = window.index("subOrchestrationInstanceCompleted")
    assert (
        window[:ended].count("subOrchestrationInstanceCreated") == 2 < window.count("subOrchestrationInstanceCreated")
    )
    throttled = calls_of(history("sectioning_throttled"))
    assert sorted(throttled[4:]) == ["a~2", "b~2", "c~2", "d~2", "~synthesis"]
    assert calls_of(history("sectioning_with_a_hedge")) == ["a", "b", "c", "b~2h", "c~2h", "~synthesis"]
    assert stops_of(history("sectioning_with_a_hedge")) == [{"b"}, {"c~2h"}]
    assert calls_of(history("map_reduce_with_a_learned_hedge")) == ["d0", "d1", "d2", "d3", "d3~2h", "~reduction"]
    hedges = calls_of(history("map_reduce_with_learned_hedges_of_hedges"))
    assert hedges == ["d0", "d1", "d2", "d3", "d3~2h", "d3~3h", "~reduction"]
    assert calls_of(history("sectioning_redriven")) == ["b", "~synthesis"]
    assert calls_of(history("map_reduce_of_parts")) == ["d0+1", "d0+2", "d1", "~reduction"]
    in_batches = calls_of(history("map_reduce_in_batches"))
    assert in_batches == ["~batch-1", "~batch-2", "~batch-3", "d6", "d2", "d4", "d5", "~reduction"]
    assert calls_of(history("map_reduce_out_of_budget")) == ["d0", "d1"]
    assert stops_of(history("sectioning_that_stops_early")) == [{"b", "d"}]
    for name in ("sectioning_cancelled", "sectioning_beyond_its_tolerance", "voting_to_its_deadline"):
        assert stops_of(history(name)) == [{""}]


def test_a_history_shows_a_tree_whose_second_level_waits_for_all_of_the_first() -> None:
    tree = history("map_reduce_by_a_tree")
    assert calls_of(tree)[6:] == ["~reduce-1-1", "~reduce-1-2", "~reduce-1-3", "~reduction"]
    assert tree.result()["output"]["calls_per_level"] == [3, 1]
    assert tree.result()["output"]["unreduced"] == ["d2", "d3"]


def test_the_histories_show_waves_and_judges() -> None:
    in_waves = history("voting_in_waves")
    assert calls_of(in_waves) == [f"voter-{number}" for number in range(1, 7)]
    kinds = event_kinds(in_waves)
    first_end = kinds.index("subOrchestrationInstanceCompleted")
    assert kinds[:first_end].count("subOrchestrationInstanceCreated") == 3
    for name in ("voting_whose_tie_a_judge_breaks", "voting_for_the_best_of_three"):
        assert calls_of(history(name))[3:] == ["~judge-1", "~judge-2"]


def test_the_histories_show_runs_in_storage_with_retries_a_redrive_and_two_levels() -> None:
    steps = activities_of(history("stored_of_two_shards"))
    assert steps == ["plan_documents"] * 3 + ["finish_map"] * 2 + ["join_outputs"] * 2
    assert calls_of(history("stored_of_two_shards")) == ["~map-00001", "~map-00002"]
    redriven = history("stored_redriven")
    assert activities_of(redriven) == ["take_over", "finish_map", "join_outputs"]
    assert redriven.result()["counts"]["reused"] == 3
    assert activities_of(history("stored_redriven_map_shard_2")).count("read_documents") == 1
    tree = history("stored_by_a_tree")
    assert calls_of(tree) == ["~map-00001", "~reduce-1-00001", "~reduce-2-00001"]
    assert tree.result()["output"]["calls_per_level"] == [2, 1]
    assert activities_of(history("stored_by_a_tree_reduce_1_shard_1")).count("reduce_parts") == 3
    assert "stop_calls" in activities_of(history("stored_cancelled"))
    assert activities_of(history("stored_beyond_its_tolerance"))[-1] == "finish_map"


def test_the_histories_show_deliveries_that_wait_look_and_try_again() -> None:
    assert activities_of(history("callback_taken_at_the_second_attempt")) == ["announce_end"]
    told = history("callback_taken_at_the_second_attempt_delivery")
    assert activities_of(told) == ["look_for_end", "deliver_result", "deliver_result"]
    assert "eventRaised" in event_kinds(told)
    found = history("callback_of_a_terminated_run_delivery")
    assert activities_of(found) == ["look_for_end", "deliver_result"]
    assert "eventRaised" not in event_kinds(found)


def activities_of(of: History) -> list[str]:
    """The activities that a run or a shard called, in their order."""
    return [event.taskScheduled.name for event in of.events if event.HasField("taskScheduled")]


def counts_of(shard: dict[str, Any]) -> str:
    """How many works of a shard have their answers, and how many do not."""
    return f"{shard['tally']['succeeded']}, not {shard['tally']['failed']}"


def calls_of(of: History) -> list[str]:
    """The names of the calls that a run made, in their order."""
    created = [event.subOrchestrationInstanceCreated for event in of.events]
    return [call.instanceId.partition(":")[2] for call in created if call.instanceId]


def stops_of(of: History) -> list[set[str]]:
    """The names of the calls that a run told to stop each time; an empty name means all of them."""
    asked = [json.loads(event.taskScheduled.input.value) for event in of.events if event.HasField("taskScheduled")]
    return [
        {instance.partition(":")[2] for instance in [*ask["instances"], ask["prefix"]] if instance} for ask in asked
    ]
