"""Map-reduce: one agent a document, then one over their answers."""

from __future__ import annotations

from typing import Any

from activities.names import CANCEL_EVENT
from orchestrators.map_reduce import map_reduce
from tests.orchestrators.fake_context import Drive
from tests.orchestrators.given import (
    EVERYONE,
    branch_names,
    documents_request,
    failed,
    let_stop,
    start_run,
    statuses,
    stops,
    succeed,
    succeeded,
    timed_out,
    verdict,
)

REDUCTION = "~reduction"


def start(count: int, **fields: Any) -> Drive:
    return start_run(map_reduce, documents_request(count, **fields))


def reducing(count: int, **fields: Any) -> Drive:
    """A run whose documents have all been mapped and whose reduction is under way."""
    drive = start(count, **fields)
    succeed(drive, *(f"d{number}" for number in range(count)))
    assert branch_names(drive.running) == [REDUCTION]
    return drive


def test_the_map_agent_reads_each_document() -> None:
    drive = start(2, defaults={"model": "gpt-test"})
    branches = [child.input["branch"] for child in drive.running]
    assert [branch["prompt"] for branch in branches] == [
        '<document id="d0">\nDocument 0.\n</document>',
        '<document id="d1">\nDocument 1.\n</document>',
    ]
    assert {(branch["agent"]["instructions"], branch["agent"]["model"]) for branch in branches} == {
        ("Map.", "gpt-test")
    }


def test_the_reduce_agent_reads_the_answers_in_document_order() -> None:
    drive = start(2, defaults={"model": "gpt-test"})
    succeed(drive, "d1", "d0")
    branch = drive.child(REDUCTION).input["branch"]
    assert (branch["agent"]["instructions"], branch["agent"]["model"]) == ("Reduce.", "gpt-test")
    assert (
        branch["prompt"] == '<answer name="d0">\noutput of d0\n</answer>\n\n<answer name="d1">\noutput of d1\n</answer>'
    )


def test_the_reduction_is_the_answer() -> None:
    drive = reducing(2)
    drive.complete(drive.child(REDUCTION), succeeded(REDUCTION, {"cause": "disk"}))
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["output"] == {
        "kind": "reduction",
        "reduction": "agent",
        "requested": "tree",
        "content": {"cause": "disk"},
        "documents": ["d0", "d1"],
        "chunks": [],
        "incomplete": [],
        "unreduced": [],
        "calls_per_level": [1],
        "clipped": [],
        "conflicts": [],
    }
    assert drive.ended["usage"]["model_calls"] == 3
    assert drive.pending_timers == []


def test_the_reduction_rests_on_what_succeeded_and_is_told_what_is_missing() -> None:
    drive = start(3)
    drive.complete(drive.child("d1"), failed("d1"))
    succeed(drive, "d2", "d0")
    assert drive.child(REDUCTION).input["branch"]["prompt"] == (
        '<answer name="d0">\noutput of d0\n</answer>\n\n<answer name="d2">\noutput of d2\n</answer>\n\n'
        "<missing>\nd1\n</missing>"
    )
    drive.complete(drive.child(REDUCTION), succeeded(REDUCTION))
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert drive.ended["output"]["documents"] == ["d0", "d2"]
    assert drive.ended["missing"] == ["d1"]


def test_a_failed_reduction_leaves_the_map_outputs() -> None:
    for ends in (failed(REDUCTION), timed_out(REDUCTION)):
        drive = reducing(2)
        drive.complete(drive.child(REDUCTION), ends)
        assert verdict(drive.ended) == ("partial", "aggregation_failed")
        output = drive.ended["output"]
        assert (output["reduction"], output["requested"]) == ("concatenate", "tree")
        assert output["content"] == "## d0\n\noutput of d0\n\n## d1\n\noutput of d1"
        assert (output["documents"], output["unreduced"]) == (["d0", "d1"], [])
        assert drive.ended["aggregation"]["name"] == REDUCTION


def test_the_deadline_in_the_middle_of_the_reduction_leaves_the_map_outputs() -> None:
    drive = reducing(2, policy={"deadline_s": 10})
    drive.pass_time(10)
    assert stops(drive) == [EVERYONE]
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["output"]["reduction"] == "concatenate"


def test_the_deadline_in_the_middle_of_the_map_reduces_nothing() -> None:
    drive = start(3, policy={"deadline_s": 10})
    succeed(drive, "d1")
    drive.pass_time(10)
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["output"]["documents"] == ["d1"]
    assert drive.ended["output"]["reduction"] == "concatenate"
    assert drive.ended["aggregation"] is None


def test_a_cancel_in_the_middle_of_the_map_reduces_nothing() -> None:
    drive = start(3, policy={"max_concurrency": 2})
    succeed(drive, "d0")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert statuses(drive.ended) == {"d0": "succeeded", "d1": "cancelled", "d2": "cancelled"}
    assert drive.ended["output"] is None


def test_a_cancel_in_the_middle_of_the_reduction_keeps_the_map_outputs() -> None:
    drive = reducing(2)
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["aggregation"]["status"] == "cancelled"
    assert drive.ended["output"]["reduction"] == "concatenate"


def test_a_map_that_missed_its_policy_is_not_reduced() -> None:
    drive = start(2, policy={"tolerated_failure_count": 0})
    succeed(drive, "d0")
    drive.complete(drive.child("d1"), failed("d1"))
    assert branch_names(drive.context.children) == ["d0", "d1"]
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")


def test_the_reduction_waits_for_the_last_document_of_the_window() -> None:
    drive = start(5, policy={"max_concurrency": 2})
    succeed(drive, "d0", "d2", "d3", "d4")
    assert branch_names(drive.running) == ["d1"]
    succeed(drive, "d1")
    assert branch_names(drive.running) == [REDUCTION]
    assert drive.context.statuses == [{"phase": "branches", "total": 5}, {"phase": "aggregation", "total": 5}]
