"""Ways to reduce, through the orchestrator: levels, failures, interruptions, and what needs no call."""

from __future__ import annotations

from typing import Any

from activities.names import CANCEL_EVENT
from orchestrators.map_reduce import map_reduce
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import (
    branch_names,
    documents_request,
    failed,
    let_stop,
    start_run,
    succeed,
    succeeded,
    usage,
    verdict,
)

AGENT = {"instructions": "Reduce."}
TREE = {"type": "tree", "agent": AGENT, "max_fan_in": 2}
REFINE = {"type": "refine", "agent": AGENT, "max_input_tokens": 2_000}
SHAPED = {"instructions": "Map.", "output_schema": {"type": "object", "properties": {"found": {"type": "array"}}}}


def mapped(count: int, reduce: Any, outputs: list[Any] | None = None, **fields: Any) -> Drive:
    """A run whose documents have all been mapped."""
    drive = start_run(map_reduce, documents_request(count, **{"reduce": reduce, **fields}))
    for number in range(count):
        drive.complete(drive.child(f"d{number}"), succeeded(f"d{number}", outputs[number] if outputs else None))
    return drive


def output_of(drive: Drive) -> JSON:
    return drive.ended["output"]


def test_each_level_of_a_tree_is_one_fan_out() -> None:
    drive = mapped(6, TREE)
    assert branch_names(drive.running) == ["~reduce-1-1", "~reduce-1-2", "~reduce-1-3"]
    assert drive.context.groups[-1] == [child.task for child in drive.running]
    succeed(drive, "~reduce-1-3", "~reduce-1-1", "~reduce-1-2")
    assert branch_names(drive.running) == ["~reduce-2-1"]
    succeed(drive, "~reduce-2-1")
    assert branch_names(drive.running) == ["~reduction"]
    succeed(drive, "~reduction")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert (output_of(drive)["reduction"], output_of(drive)["requested"]) == ("tree", "tree")
    assert (output_of(drive)["content"], output_of(drive)["calls_per_level"]) == ("output of ~reduction", [3, 1, 1])
    assert drive.ended["aggregation"]["name"] == "~reduction"
    assert [call["name"] for call in drive.ended["reductions"]] == [
        "~reduce-1-1", "~reduce-1-2", "~reduce-1-3", "~reduce-2-1",
    ]  # fmt: skip
    assert drive.ended["usage"]["model_calls"] == 11


def test_a_level_keeps_to_the_window_of_the_run() -> None:
    drive = start_run(map_reduce, documents_request(6, reduce=TREE, policy={"max_concurrency": 2}))
    succeed(drive, *(f"d{number}" for number in range(6)))
    assert branch_names(drive.running) == ["~reduce-1-1", "~reduce-1-2"]
    succeed(drive, "~reduce-1-1")
    assert branch_names(drive.running) == ["~reduce-1-2", "~reduce-1-3"]


def test_a_failed_call_of_a_level_leaves_its_documents_unreduced() -> None:
    drive = mapped(6, TREE)
    drive.complete(drive.child("~reduce-1-2"), failed("~reduce-1-2"))
    succeed(drive, "~reduce-1-1", "~reduce-1-3")
    assert "<missing>\nd2\nd3\n</missing>" in drive.child("~reduction").input["branch"]["prompt"]
    succeed(drive, "~reduction")
    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert output_of(drive)["reduction"] == "tree"
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == (["d0", "d1", "d4", "d5"], ["d2", "d3"])
    assert drive.ended["missing"] == []


def test_a_deadline_between_levels_leaves_the_answers_so_far_and_the_outputs_that_none_has_read() -> None:
    drive = mapped(4, TREE, policy={"deadline_s": 10})
    succeed(drive, "~reduce-1-1")
    drive.pass_time(10)
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert (output_of(drive)["reduction"], output_of(drive)["requested"]) == ("concatenate", "tree")
    assert output_of(drive)["content"] == (
        "## d0 to d1 (2 documents)\n\noutput of ~reduce-1-1\n\n## d2\n\noutput of d2\n\n## d3\n\noutput of d3"
    )
    assert output_of(drive)["documents"] == ["d0", "d1", "d2", "d3"]
    assert drive.ended["aggregation"] is None


def test_a_cancel_in_the_middle_of_a_level_ends_the_run() -> None:
    drive = mapped(4, TREE)
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert [call["status"] for call in drive.ended["reductions"]] == ["cancelled", "cancelled"]


def test_a_spent_budget_stops_the_tree_between_its_levels() -> None:
    drive = mapped(4, TREE, policy={"max_total_tokens": 5_000})
    first, second = drive.running
    drive.complete(first, succeeded("first", "half", usage=usage(2_500)))
    drive.complete(second, succeeded("second", "other half", usage=usage(2_500)))
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert output_of(drive)["content"] == (
        "## d0 to d1 (2 documents)\n\nhalf\n\n## d2 to d3 (2 documents)\n\nother half"
    )


def test_a_refinement_goes_on_from_the_answer_so_far() -> None:
    drive = mapped(4, REFINE, [f"{number}" * 3_000 for number in range(4)])
    assert branch_names(drive.running) == ["~refine-1"]
    succeed(drive, "~refine-1")
    assert "output of ~refine-1" in drive.child("~reduction").input["branch"]["prompt"]
    succeed(drive, "~reduction")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert (output_of(drive)["reduction"], output_of(drive)["calls_per_level"]) == ("refine", [1, 1])
    assert [call["name"] for call in drive.ended["reductions"]] == ["~refine-1"]


def test_a_refinement_that_fails_at_its_end_keeps_the_answer_before() -> None:
    drive = mapped(4, REFINE, [f"{number}" * 3_000 for number in range(4)])
    succeed(drive, "~refine-1")
    drive.complete(drive.child("~reduction"), failed("~reduction"))
    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert (output_of(drive)["reduction"], output_of(drive)["content"]) == ("refine", "output of ~refine-1")
    assert output_of(drive)["unreduced"] == ["d2", "d3"]


def test_outputs_are_concatenated_without_a_call() -> None:
    drive = mapped(2, "concatenate")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert output_of(drive)["content"] == "## d0\n\noutput of d0\n\n## d1\n\noutput of d1"
    assert (drive.ended["aggregation"], output_of(drive)["calls_per_level"]) == (None, [])


def test_records_are_merged_and_their_conflicts_listed() -> None:
    outputs = [{"found": [{"id": 1, "n": 2, "kind": "a"}]}, {"found": [{"id": 1, "n": 3, "kind": "b"}]}]
    drive = mapped(2, {"type": "merge", "key": "id", "sum": ["n"]}, outputs, map=SHAPED)
    assert output_of(drive)["content"] == {"found": [{"id": 1, "n": 5, "kind": "a"}]}
    [conflict] = output_of(drive)["conflicts"]
    assert (conflict["path"], conflict["kept"]) == ("$.found[id=1].kind", "d0")


def test_records_become_a_table_and_a_document_without_any_list_is_told() -> None:
    table = {"type": "table", "format": "csv", "records": "found"}
    drive = mapped(2, table, [{"found": [{"id": 1}]}, {}], map=SHAPED)
    assert output_of(drive)["content"] == "document,id\r\nd0,1\r\n"
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == (["d0"], ["d1"])


def test_what_needs_no_call_is_also_done_when_there_is_no_time_for_one() -> None:
    drive = start_run(map_reduce, documents_request(2, reduce="concatenate", policy={"deadline_s": 10}))
    succeed(drive, "d0")
    drive.pass_time(10)
    let_stop(drive)
    assert (output_of(drive)["reduction"], output_of(drive)["requested"]) == ("concatenate", "concatenate")
