"""The determinism guard bites: what decides otherwise is noticed, and told to be safe or not for runs under way."""

from __future__ import annotations

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
from orchestrators.agent_attempt import agent_attempt
from orchestrators.fan_out import Flight
from orchestrators.map_reduce import map_reduce
from orchestrators.run import Run
from orchestrators.sectioning import sectioning
from orchestrators.shard import Shard
from orchestrators.stage import Relay
from shared.contracts.branch import Usage
from shared.contracts.map_reduce import MapReduceRequest
from shared.scheduling import hedging
from shared.scheduling.hedging import Hedging
from shared.sections import Sections
from tests.orchestrators.durable import ORCHESTRATORS
from tests.replay.history import history, recorded
from tests.replay.keeping import stand_ins
from tests.replay.replay import BREAKS_RUNS, SAFE_FOR_RUNS, DivergedError, replay, strays

HISTORIES = recorded()


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


@pytest.mark.parametrize(
    ("name", "constant", "other"),
    [(LEARNED, "MARGIN", 1.4), (LEARNED, "QUICK_SHARE", 1.0), (f"{LEARNED}@1.0", "MARGIN_BEFORE_2", 1.4)],
)
def test_another_wait_that_is_learned_is_noticed_by_runs_of_the_version_that_has_it(
    name: str, constant: str, other: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hedging, constant, other)
    assert_breaks(name, match=r"turn \d+: ")


def test_to_learn_nothing_from_the_time_in_the_worker_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    succeeded = Hedging.succeeded
    monkeypatch.setattr(Hedging, "succeeded", lambda hedging, seen_s, _worked_s: succeeded(hedging, seen_s))
    assert_breaks(LEARNED, match=r"turn \d+: ")


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
