"""Sectioning: the sections, then one answer in each of three ways."""

from __future__ import annotations

from typing import Any

from activities.names import CANCEL_EVENT
from shared.prompts import DEFAULT_SYNTHESIZER_INSTRUCTIONS
from tests.orchestrators.fake_context import Drive
from tests.orchestrators.given import (
    EVERYONE,
    USAGE,
    branch_names,
    failed,
    let_stop,
    start_sections,
    statuses,
    stops,
    succeed,
    succeeded,
    timed_out,
    verdict,
)

SYNTHESIS = "~synthesis"


def synthesizing(*names: str, **fields: Any) -> Drive:
    """A run whose sections have all succeeded and whose synthesis is under way."""
    drive = start_sections(*names, **fields)
    succeed(drive, *names)
    assert branch_names(drive.running) == [SYNTHESIS]
    return drive


# --- What the agents get ---


def test_each_section_gets_its_instructions_and_the_material() -> None:
    drive = start_sections("risks")
    branch = drive.child("risks").input["branch"]
    assert (branch["agent"]["name"], branch["agent"]["instructions"]) == ("risks", "Write about risks.")
    assert branch["prompt"] == "<input>\nMaterial.\n</input>"


def test_a_section_with_its_own_input_works_on_that() -> None:
    drive = start_sections(sections=[{"name": "a", "instructions": "Go.", "input": "Own."}])
    assert drive.child("a").input["branch"]["prompt"] == "<input>\nOwn.\n</input>"


def test_defaults_apply_to_every_agent_that_states_nothing_else() -> None:
    sections = [
        {"name": "a", "instructions": "Go."},
        {"name": "b", "agent": {"instructions": "Go.", "model": "own-model", "temperature": 0}},
    ]
    drive = start_sections(sections=sections, defaults={"model": "their-model", "temperature": 1})
    agents = [child.input["branch"]["agent"] for child in drive.running]
    succeed(drive, "a", "b")
    agents.append(drive.child(SYNTHESIS).input["branch"]["agent"])
    assert [(agent["model"], agent["temperature"]) for agent in agents] == [
        ("their-model", 1),
        ("own-model", 0),
        ("their-model", 1),
    ]


# --- Synthesis ---


def test_the_synthesizer_reads_the_sections_in_their_order() -> None:
    drive = start_sections("a", "b")
    succeed(drive, "b", "a")
    branch = drive.child(SYNTHESIS).input["branch"]
    assert branch["agent"]["instructions"] == DEFAULT_SYNTHESIZER_INSTRUCTIONS
    assert branch["prompt"] == (
        '<section name="a">\noutput of a\n</section>\n\n<section name="b">\noutput of b\n</section>'
    )
    assert drive.child(SYNTHESIS).instance_id == "run-1:~synthesis"


def test_a_synthesizer_of_the_callers_own_is_used() -> None:
    drive = synthesizing("a", synthesizer={"instructions": "Be brief."})
    assert drive.child(SYNTHESIS).input["branch"]["agent"]["instructions"] == "Be brief."


def test_the_synthesis_is_the_answer() -> None:
    drive = synthesizing("a", "b")
    drive.complete(drive.child(SYNTHESIS), succeeded(SYNTHESIS, "The answer."))
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    output = drive.ended["output"]
    assert (output["aggregation"], output["requested"], output["content"]) == (
        "synthesize",
        "synthesize",
        "The answer.",
    )
    assert drive.ended["aggregation"]["name"] == SYNTHESIS
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}
    assert drive.pending_timers == []


def test_the_synthesizer_is_told_which_sections_are_missing() -> None:
    drive = start_sections("a", "b", "c")
    drive.complete(drive.child("a"), failed("a"))
    drive.complete(drive.child("c"), timed_out("c"))
    succeed(drive, "b")
    prompt = drive.child(SYNTHESIS).input["branch"]["prompt"]
    assert prompt.endswith("<missing>\na\nc\n</missing>")
    assert "a failed" not in prompt
    drive.complete(drive.child(SYNTHESIS), succeeded(SYNTHESIS))
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert drive.ended["missing"] == ["a", "c"]


def test_usage_includes_the_synthesis() -> None:
    drive = synthesizing("a", "b")
    drive.complete(drive.child(SYNTHESIS), succeeded(SYNTHESIS))
    assert drive.ended["usage"] == {key: 3 * value for key, value in USAGE.items()}


def test_a_failed_synthesis_leaves_the_sections_as_they_are() -> None:
    drive = synthesizing("a", "b")
    drive.complete(drive.child(SYNTHESIS), failed(SYNTHESIS))
    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    output = drive.ended["output"]
    assert (output["aggregation"], output["requested"]) == ("concatenate", "synthesize")
    assert output["content"] == "## a\n\noutput of a\n\n## b\n\noutput of b"
    assert drive.ended["aggregation"]["error"]["code"] == "model_unavailable"
    assert drive.ended["missing"] == []
    assert drive.ended["usage"]["model_calls"] == 3


def test_a_synthesis_that_fails_as_an_orchestration_leaves_the_sections_too() -> None:
    drive = synthesizing("a")
    drive.fail(drive.child(SYNTHESIS), "defect")
    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert drive.ended["output"]["aggregation"] == "concatenate"


def test_a_synthesis_whose_own_time_is_up_leaves_the_sections_too() -> None:
    drive = synthesizing("a")
    drive.complete(drive.child(SYNTHESIS), timed_out(SYNTHESIS))
    assert verdict(drive.ended) == ("partial", "aggregation_failed")


def test_the_deadline_in_the_middle_of_the_synthesis_leaves_the_sections() -> None:
    drive = synthesizing("a", "b", policy={"deadline_s": 10})
    drive.pass_time(10)
    assert stops(drive) == [EVERYONE]
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["output"]["aggregation"] == "concatenate"
    assert drive.ended["aggregation"]["status"] == "timed_out"
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}


def test_no_synthesis_begins_after_the_deadline() -> None:
    drive = start_sections("a", policy={"deadline_s": 10})
    drive.pass_time(10.01, firing=False)
    succeed(drive, "a")
    assert branch_names(drive.context.children) == ["a"]
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["output"]["content"] == "## a\n\noutput of a"


def test_a_cancel_in_the_middle_of_the_synthesis_keeps_the_sections() -> None:
    drive = synthesizing("a", "b")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["aggregation"]["status"] == "cancelled"
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}
    assert drive.ended["output"]["content"] == "## a\n\noutput of a\n\n## b\n\noutput of b"


def test_a_synthesis_that_succeeds_while_it_is_told_to_stop_is_used() -> None:
    drive = synthesizing("a")
    drive.raise_event(CANCEL_EVENT)
    drive.complete(drive.child(SYNTHESIS), succeeded(SYNTHESIS, "Just in time."))
    assert drive.ended["output"]["content"] == "Just in time."
    assert verdict(drive.ended) == ("cancelled", "cancelled")


def test_a_deadline_in_the_sections_leaves_no_time_for_a_synthesis() -> None:
    drive = start_sections("a", "b", policy={"deadline_s": 10})
    succeed(drive, "a")
    drive.pass_time(10)
    let_stop(drive)
    assert branch_names(drive.context.children) == ["a", "b"]
    assert drive.ended["output"]["content"] == "## a\n\noutput of a"
    assert drive.ended["aggregation"] is None


def test_a_run_that_missed_its_policy_pays_for_no_synthesis() -> None:
    drive = start_sections("a", "b", policy={"min_successful": 2})
    succeed(drive, "a")
    drive.complete(drive.child("b"), failed("b"))
    assert branch_names(drive.context.children) == ["a", "b"]
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")


# --- The other two ---


def test_sections_can_be_concatenated() -> None:
    drive = start_sections("a", "b", aggregation="concatenate")
    drive.complete(drive.child("b"), succeeded("b", {"score": 1}))
    drive.complete(drive.child("a"), succeeded("a"))
    output = drive.ended["output"]
    assert (output["aggregation"], output["requested"]) == ("concatenate", "concatenate")
    assert output["content"] == '## a\n\noutput of a\n\n## b\n\n{\n  "score": 1\n}'
    assert branch_names(drive.context.children) == ["a", "b"]


def test_sections_can_be_merged_and_conflicts_are_told() -> None:
    drive = start_sections("a", "b", "c", aggregation="merge")
    drive.complete(drive.child("c"), failed("c"))
    drive.complete(drive.child("b"), succeeded("b", {"risk": "high", "found": ["y", "x"]}))
    drive.complete(drive.child("a"), succeeded("a", {"risk": "low", "found": ["x"]}))
    output = drive.ended["output"]
    assert output["content"] == {"risk": "low", "found": ["x", "y"]}
    assert output["conflicts"] == [{"path": "$.risk", "kept": "a", "values": {"a": "low", "b": "high"}}]
    assert verdict(drive.ended) == ("partial", "all_completed")


# --- What is shown meanwhile ---


def test_the_watcher_is_told_the_phase() -> None:
    drive = synthesizing("a", "b")
    assert drive.context.statuses == [{"phase": "branches", "total": 2}, {"phase": "aggregation", "total": 2}]


def test_without_a_synthesis_there_is_one_phase() -> None:
    drive = start_sections("a", aggregation="concatenate")
    succeed(drive, "a")
    assert drive.context.statuses == [
        {"phase": "branches", "total": 1},
        {"status": "succeeded", "completion_reason": "all_completed"},
    ]
