"""The determinism guard, and that it bites.

A failure here says that an orchestrator now decides otherwise than it did when the histories were recorded, and
whether runs that are under way would survive that. `record.py` says how to record anew when it is intended.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

import orchestrators.agent_branch
import orchestrators.fan_out
import orchestrators.run
import orchestrators.sectioning
from orchestrators.agent_branch import agent_branch
from orchestrators.sectioning import sectioning
from shared.contracts.branch import Usage
from tests.orchestrators.durable import ORCHESTRATORS
from tests.replay.history import FOLDER, History, recorded
from tests.replay.replay import BREAKS_RUNS, SAFE_FOR_RUNS, DivergedError, replay

HISTORIES = recorded()

ENDINGS = {
    "agent_branch_exhausts_its_attempts": ("failed", "rate_limited"),
    "agent_branch_fails_for_good": ("failed", "content_filtered"),
    "agent_branch_succeeds": ("succeeded", None),
    "agent_branch_succeeds_at_the_third_attempt": ("succeeded", None),
    "agent_branch_times_out": ("timed_out", "branch_timed_out"),
    "map_reduce_cancelled_in_the_reduction": ("cancelled", "cancelled"),
    "map_reduce_succeeds": ("succeeded", "all_completed"),
    "map_reduce_through_a_window": ("partial", "all_completed"),
    "map_reduce_to_its_deadline": ("partial", "deadline_exceeded"),
    "map_reduce_whose_reduction_fails": ("partial", "aggregation_failed"),
    "sectioning_cancelled": ("cancelled", "cancelled"),
    "sectioning_succeeds": ("succeeded", "all_completed"),
    "sectioning_through_a_window": ("succeeded", "all_completed"),
    "sectioning_to_its_deadline": ("partial", "deadline_exceeded"),
    "sectioning_to_its_deadline_in_the_synthesis": ("partial", "deadline_exceeded"),
    "sectioning_whose_synthesis_fails": ("partial", "aggregation_failed"),
    "sectioning_with_a_slow_branch": ("partial", "all_completed"),
    "sectioning_with_failures": ("partial", "all_completed"),
    "sectioning_with_retries": ("partial", "all_completed"),
    "voting_cancelled": ("cancelled", "cancelled"),
    "voting_decides": ("succeeded", "all_completed"),
    "voting_through_a_window": ("succeeded", "all_completed"),
    "voting_to_its_deadline": ("partial", "deadline_exceeded"),
    "voting_with_too_few_votes": ("failed", "failure_tolerance_exceeded"),
}
"""Each history's status, and its completion reason (for a branch: its error's code)."""


def history(name: str) -> History:
    return History.load(FOLDER / f"{name}.json")


def event_kinds(of: History) -> list[str]:
    return [event.WhichOneof("eventType") or "" for event in of.events]


# --- The guard ---


@pytest.mark.parametrize("of", HISTORIES, ids=lambda of: of.name)
def test_the_orchestrator_decides_as_it_was_recorded(of: History) -> None:
    turns = replay(of, ORCHESTRATORS[of.orchestrator])
    assert turns == event_kinds(of).count("orchestratorCompleted") >= 2


def test_the_histories_hold_what_their_names_say() -> None:
    endings = {}
    for of in HISTORIES:
        result = of.result()
        why = result.get("completion_reason") or (result.get("error") or {}).get("code")
        endings[of.name] = (result["status"], why)
    assert endings == ENDINGS


def test_every_orchestrator_has_histories() -> None:
    assert {of.orchestrator for of in HISTORIES} == set(ORCHESTRATORS)


def test_the_histories_show_retries_a_window_and_stopped_branches() -> None:
    retried = event_kinds(history("agent_branch_succeeds_at_the_third_attempt"))
    assert (retried.count("taskScheduled"), retried.count("timerFired")) == (3, 2)
    window = event_kinds(history("sectioning_through_a_window"))
    ended = window.index("subOrchestrationInstanceCompleted")
    assert (
        window[:ended].count("subOrchestrationInstanceCreated") == 2 < window.count("subOrchestrationInstanceCreated")
    )
    cancelled = event_kinds(history("sectioning_cancelled"))
    assert cancelled.index("eventRaised") < cancelled.index("taskScheduled") < cancelled.index("taskCompleted")


# --- The guard bites ---


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


def test_a_missing_activity_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> Generator[Any, Any]:
        yield from ()

    monkeypatch.setattr(orchestrators.fan_out, "stop", nothing)
    with pytest.raises(DivergedError, match="stop_branches"):
        replay(history("sectioning_cancelled"), flat(sectioning))


def test_a_renamed_activity_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.agent_branch, "CALL_AGENT", "call_model")
    with pytest.raises(DivergedError, match=r"(?s)turn 1: .*call_model") as failure:
        replay(history("agent_branch_succeeds"), flat(agent_branch))
    assert BREAKS_RUNS in str(failure.value)


def test_a_renamed_child_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.fan_out, "AGENT_BRANCH", "branch")
    with pytest.raises(DivergedError, match="turn 1: "):
        replay(history("sectioning_succeeds"), flat(sectioning))


def test_another_instance_id_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.fan_out, "branch_instance_id", lambda run, branch: f"{run}/{branch}")
    with pytest.raises(DivergedError, match="sectioning_succeeds/a") as failure:
        replay(history("sectioning_succeeds"), flat(sectioning))
    assert BREAKS_RUNS in str(failure.value)


def test_another_order_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    in_order = orchestrators.sectioning.section_branches
    monkeypatch.setattr(orchestrators.sectioning, "section_branches", lambda request: in_order(request)[::-1])
    with pytest.raises(DivergedError) as failure:
        replay(history("sectioning_succeeds"), flat(sectioning))
    assert BREAKS_RUNS in str(failure.value)


def test_another_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.agent_branch, "retry_delay_s", lambda *_, **__: 0.25)
    with pytest.raises(DivergedError, match="turn 2: ") as failure:
        replay(history("agent_branch_succeeds_at_the_third_attempt"), flat(agent_branch))
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
        request = context.get_input()
        request["policy"]["max_concurrency"] = 100
        context.get_input = lambda: request
        return (yield from sectioning(context))

    with pytest.raises(DivergedError, match="sectioning_through_a_window, turn 1"):
        replay(history("sectioning_through_a_window"), flat(unbounded))


def test_another_prompt_is_noticed_and_told_to_be_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.sectioning, "section_prompt", lambda material: f"Read this: {material}")
    with pytest.raises(DivergedError) as failure:
        replay(history("sectioning_succeeds"), flat(sectioning))
    assert SAFE_FOR_RUNS in str(failure.value)


def test_another_result_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrators.run, "_total", lambda _: Usage())
    of = history("voting_decides")
    with pytest.raises(DivergedError, match=rf"turn {len(list(of.turns()))}: "):
        replay(of, ORCHESTRATORS["voting"])


def flat(orchestrator: Any) -> Any:
    """A new function, so that no test shares a registration with another."""

    def changed(context: Any) -> Generator[Any, Any, Any]:
        return (yield from orchestrator(context))

    return changed
