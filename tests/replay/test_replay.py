"""The determinism guard, and that it bites.

A failure here says that an orchestrator now decides otherwise than it did when the histories were recorded, and
whether runs that are under way would survive that. `record.py` says how to record anew when it is intended.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

import orchestrators.agent_attempt
import orchestrators.delivery
import orchestrators.fan_out
import orchestrators.planning
import orchestrators.run
import orchestrators.shard
import orchestrators.step
import orchestrators.stored_map_reduce
import orchestrators.stored_reduction
import shared.branching
import shared.scheduling.schedule
from activities.names import DELIVERY
from orchestrators.agent_attempt import agent_attempt
from orchestrators.fan_out import Flight
from orchestrators.map_reduce import map_reduce
from orchestrators.run import Run
from orchestrators.sectioning import sectioning
from orchestrators.shard import Shard
from orchestrators.stage import Relay
from shared.contracts.branch import Usage
from shared.contracts.map_reduce import MapReduceRequest
from shared.scheduling.hedging import Hedging
from shared.sections import Sections
from tests.orchestrators.durable import APP_VERSION, ORCHESTRATORS
from tests.replay.history import FOLDER, History, recorded
from tests.replay.keeping import is_kept, numbers, stand_ins
from tests.replay.replay import BREAKS_RUNS, SAFE_FOR_RUNS, DivergedError, replay, strays

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


def history(name: str) -> History:
    return History.load(FOLDER / f"{name}.json")


def event_kinds(of: History) -> list[str]:
    return [event.WhichOneof("eventType") or "" for event in of.events]


# --- The guard ---


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


# --- The guard bites ---


def test_places_that_are_not_passed_on_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shard, "_pass_places", lambda _: None)
    with pytest.raises(DivergedError, match="places") as failure:
        replay(history("shards_pass_places_1"), ORCHESTRATORS["shard"])
    assert BREAKS_RUNS in str(failure.value)


def test_a_redrive_that_plans_anew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan_anew(run: Any, folder: Any, *_: Any) -> Any:
        request = MapReduceRequest.model_validate(run.context.get_input()["request"])
        return orchestrators.planning._planned_anew(run, request, folder)

    monkeypatch.setattr(orchestrators.planning, "_taken_over", plan_anew)
    assert_breaks("stored_redriven", match="(?s)turn 1: .*plan_documents")


def test_a_map_that_writes_no_files_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(_run: Any, mapped: Any, _given: Any) -> Generator[Any, Any, Any]:
        yield from ()
        return mapped

    monkeypatch.setattr(orchestrators.stored_map_reduce, "finish", forgetful)
    for name in ("stored_of_two_shards", "stored_redriven", "stored_by_a_tree", "stored_beyond_its_tolerance"):
        assert_breaks(name, match="finish_map")


def test_a_step_that_is_not_tried_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.step, "STEP_ATTEMPTS", 1)
    assert_breaks("stored_of_two_shards", match=r"turn \d+: ")


def test_a_shard_that_starts_at_another_time_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_at_once(relay: Relay) -> int:
        return relay._stage.pages

    monkeypatch.setattr(Relay, "_lead", property(all_at_once, lambda *_: None), raising=False)
    assert_breaks("stored_of_three_shards", match="~map-00003")


def test_shards_that_nobody_stops_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Relay, "_tell", lambda *_: None)
    for name in ("stored_cancelled", "stored_beyond_its_tolerance"):
        assert_breaks(name, match="stop_calls")


def test_another_number_of_levels_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.stored_reduction, "MAX_LEVELS", 1)
    assert_breaks("stored_by_a_tree", match=r"(?s)plan_level.*join_outputs")


@pytest.mark.parametrize("activity", ["OPEN_PAGE", "CLOSE_PAGE"])
def test_a_renamed_activity_of_a_shard_is_noticed(activity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.shard, activity, "page")
    for name in ("stored_redriven_map_shard_2", "stored_by_a_tree_reduce_1_shard_1"):
        assert_breaks(name, match='"name": "page"')


def test_another_wait_for_a_receiver_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.delivery, "retry_after_s", lambda *_: 1.0)
    assert_breaks("callback_taken_at_the_second_attempt_delivery", match=r"turn \d+: ")


def test_a_run_that_does_not_announce_its_end_is_noticed() -> None:
    def silent(context: Any) -> Generator[Any, Any, Any]:
        given = context.get_input() | {"callback": None}
        context.get_input = lambda: given
        return (yield from sectioning(context))

    with pytest.raises(DivergedError, match="announce_end"):
        replay(history("callback_taken_at_the_second_attempt"), flat(silent))


def assert_breaks(name: str, match: str) -> None:
    """The history's orchestrator as it is now decides otherwise, in a way that breaks runs under way."""
    of = history(name)
    with pytest.raises(DivergedError, match=match) as failure:
        replay(of, ORCHESTRATORS[of.orchestrator])
    assert BREAKS_RUNS in str(failure.value)


def test_an_additional_activity_is_noticed() -> None:
    def audited(context: Any) -> Generator[Any, Any, Any]:
        yield context.call_activity("audit", {})
        return (yield from sectioning(context))

    with pytest.raises(DivergedError, match=r"(?s)sectioning_succeeds, turn 1: .*audit") as failure:
        replay(history("sectioning_succeeds"), flat(audited))
    assert BREAKS_RUNS in str(failure.value)


def test_an_additional_activity_at_the_end_is_noticed() -> None:
    def notifying(context: Any) -> Generator[Any, Any, Any]:
        result = yield from sectioning(context)
        yield context.call_activity("notify", {})
        return result

    of = history("sectioning_succeeds")
    with pytest.raises(DivergedError, match=rf"(?s)turn {len(list(of.turns()))}: .*notify"):
        replay(of, flat(notifying))


@pytest.mark.parametrize("name", ["sectioning_cancelled", "sectioning_with_a_hedge", "sectioning_that_stops_early"])
def test_a_missing_activity_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flight, "_tell", lambda *_: None)
    with pytest.raises(DivergedError, match="stop_calls"):
        replay(history(name), flat(sectioning))


def test_a_renamed_activity_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.agent_attempt, "CALL_AGENT", "call_model")
    with pytest.raises(DivergedError, match=r"(?s)turn 1: .*call_model") as failure:
        replay(history("agent_attempt_succeeds"), flat(agent_attempt))
    assert BREAKS_RUNS in str(failure.value)


def test_a_renamed_child_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.fan_out, "AGENT_ATTEMPT", "branch")
    with pytest.raises(DivergedError, match="turn 1: "):
        replay(history("sectioning_succeeds"), flat(sectioning))


def test_another_instance_id_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.fan_out, "attempt_instance_id", lambda run, branch, *_, **__: f"{run}/{branch}")
    with pytest.raises(DivergedError, match="sectioning_succeeds/a") as failure:
        replay(history("sectioning_succeeds"), flat(sectioning))
    assert BREAKS_RUNS in str(failure.value)


def test_another_order_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    in_order = Sections.next_wave
    monkeypatch.setattr(Sections, "next_wave", lambda sections, outcomes: in_order(sections, outcomes)[::-1])
    with pytest.raises(DivergedError) as failure:
        replay(history("sectioning_succeeds"), flat(sectioning))
    assert BREAKS_RUNS in str(failure.value)


def test_another_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.scheduling.schedule, "retry_delay_s", lambda *_, **__: 0.25)
    with pytest.raises(DivergedError, match=r"turn \d+: ") as failure:
        replay(history("sectioning_with_retries"), flat(sectioning))
    assert BREAKS_RUNS in str(failure.value)


def test_another_moment_to_hedge_at_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hedging, "after_s", property(lambda _: 0.7))
    with pytest.raises(DivergedError, match=r"turn \d+: ") as failure:
        replay(history("map_reduce_with_a_learned_hedge"), flat(map_reduce))
    assert BREAKS_RUNS in str(failure.value)


def test_another_moment_to_hedge_a_hedge_at_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hedging, "again_after_s", property(lambda _: 0.7))
    with pytest.raises(DivergedError, match=r"turn \d+: ") as failure:
        replay(history("map_reduce_with_learned_hedges_of_hedges"), flat(map_reduce))
    assert BREAKS_RUNS in str(failure.value)


LEARNED = "map_reduce_with_waits_that_were_learned"


@pytest.mark.parametrize(("name", "margins"), [(LEARNED, "MARGINS"), (f"{LEARNED}@1.0", "MARGINS_BEFORE_2")])
@pytest.mark.parametrize("other", [{"first": 1.4}, {"again": 1.1}], ids=["first calls", "hedges"])
def test_another_margin_is_noticed_by_runs_of_the_version_that_has_it(
    name: str, margins: str, other: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = dataclasses.replace(getattr(orchestrators.fan_out, margins), **other)
    monkeypatch.setattr(orchestrators.fan_out, margins, changed)
    assert_breaks(name, match=r"turn \d+: ")


def test_a_decision_that_forgets_older_versions_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.run, "hedges_sooner", lambda _: True)
    assert_breaks(f"{LEARNED}@1.0", match=r"turn \d+: ")


def test_an_older_version_whose_history_is_gone_is_noticed() -> None:
    left = [of for of in HISTORIES if of.name != f"{LEARNED}@1.0"]
    [stands_in] = [of for of in stand_ins(left, {"1.0"}) if of.name == LEARNED]
    assert strays(stands_in, ORCHESTRATORS[stands_in.orchestrator])


def test_another_moment_of_grace_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.fan_out, "STOP_GRACE_S", 0.9)
    with pytest.raises(DivergedError, match=r"turn \d+: ") as failure:
        replay(history("sectioning_cancelled"), flat(sectioning))
    assert BREAKS_RUNS in str(failure.value)


def test_a_policy_that_stops_no_run_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.scheduling.schedule, "certainty", lambda *_: None)
    for name in ("sectioning_that_stops_early", "sectioning_beyond_its_tolerance"):
        with pytest.raises(DivergedError, match="stop_calls") as failure:
            replay(history(name), flat(sectioning))
        assert BREAKS_RUNS in str(failure.value)


def test_a_run_that_calls_again_what_it_should_reuse_is_noticed() -> None:
    def forgetful(context: Any) -> Generator[Any, Any, Any]:
        given = context.get_input() | {"redrive": None}
        context.get_input = lambda: given
        return (yield from sectioning(context))

    with pytest.raises(DivergedError, match="sectioning_redriven, turn 1") as failure:
        replay(history("sectioning_redriven"), flat(forgetful))
    assert BREAKS_RUNS in str(failure.value)


def test_a_look_at_the_clock_is_noticed() -> None:
    class WallClock:
        def __init__(self, context: Any) -> None:
            self._context = context

        def __getattr__(self, name: str) -> Any:
            return datetime.now(UTC) if name == "current_utc_datetime" else getattr(self._context, name)

    def hasty(context: Any) -> Generator[Any, Any, Any]:
        return (yield from sectioning(cast(Any, WallClock(context))))

    with pytest.raises(DivergedError, match="turn 1: ") as failure:
        replay(history("sectioning_succeeds"), flat(hasty))
    assert BREAKS_RUNS in str(failure.value)


def test_another_window_is_noticed_where_it_matters() -> None:
    def unbounded(context: Any) -> Generator[Any, Any, Any]:
        given = context.get_input()
        given["request"]["policy"]["max_concurrency"] = 100
        context.get_input = lambda: given
        return (yield from sectioning(context))

    with pytest.raises(DivergedError, match="sectioning_through_a_window, turn 1"):
        replay(history("sectioning_through_a_window"), flat(unbounded))


def test_another_prompt_is_noticed_and_told_to_be_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.branching, "section_prompt", lambda material: f"Read this: {material}")
    with pytest.raises(DivergedError) as failure:
        replay(history("sectioning_succeeds"), flat(sectioning))
    assert SAFE_FOR_RUNS in str(failure.value)


def test_another_result_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "_usage", lambda *_: Usage())
    of = history("voting_decides")
    with pytest.raises(DivergedError, match=rf"turn {len(list(of.turns()))}: "):
        replay(of, ORCHESTRATORS["voting"])


def flat(orchestrator: Any) -> Any:
    """A new function, so that no test shares a registration with another."""

    def changed(context: Any) -> Generator[Any, Any, Any]:
        return (yield from orchestrator(context))

    return changed
