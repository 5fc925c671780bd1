"""Documents that are split, under each way to reduce."""

from __future__ import annotations

from typing import Any

from orchestrators.map_reduce import map_reduce
from shared.contracts.map_reduce import MapReduceRequest
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import branch_names, failed, let_stop, start_run, succeed, succeeded, verdict

AGENT = {"instructions": "Reduce."}
TREE = {"type": "tree", "agent": AGENT, "max_fan_in": 2}
REFINE = {"type": "refine", "agent": AGENT, "max_input_tokens": 2_000}
SHAPED = {"instructions": "Map.", "output_schema": {"type": "object", "properties": {"found": {"type": "array"}}}}
LOG = "".join(f"line {number}\n" for number in range(1, 10))
BRANCHES = ["log+1", "log+2", "log+3", "note"]


def start(reduce: Any, **fields: Any) -> Drive:
    """A run of a log of three parts and of a note that is whole."""
    documents = [{"id": "log", "content": LOG}, {"id": "note", "content": "Short."}]
    how = {"split": {"by": "lines", "size": 3}, "map": {"instructions": "Map."}, "reduce": reduce, **fields}
    return start_run(
        map_reduce, MapReduceRequest.model_validate({"documents": documents, **how}).model_dump(mode="json")
    )


def mapped(reduce: Any, *outputs: Any, **fields: Any) -> Drive:
    """The same, once all have been mapped."""
    drive = start(reduce, **fields)
    for name, output in zip(BRANCHES, outputs or [None] * len(BRANCHES), strict=True):
        drive.complete(drive.child(name), succeeded(name, output))
    return drive


def prompt_of(drive: Drive, call: str) -> str:
    return drive.child(call).input["branch"]["prompt"]


def openings(prompt: str) -> list[str]:
    """The first lines of a prompt's answers."""
    return [line for line in prompt.splitlines() if line.startswith("<answer")]


def output_of(drive: Drive) -> JSON:
    return drive.ended["output"]


def test_a_tree_of_two_levels_tells_parts_below_and_counts_them_above() -> None:
    drive = mapped(TREE)
    assert drive.context.statuses[-1] == {"phase": "aggregation", "total": 4}
    assert branch_names(drive.running) == ["~reduce-1-1", "~reduce-1-2"]
    assert openings(prompt_of(drive, "~reduce-1-2")) == [
        '<answer name="log+3" document="log" part="3 of 3" lines="7-9">',
        '<answer name="note">',
    ]
    assert "rest on 2 of 4 documents and parts;" in prompt_of(drive, "~reduce-1-2")
    succeed(drive, "~reduce-1-1", "~reduce-1-2")
    assert openings(prompt_of(drive, "~reduction")) == [
        '<answer name="log+1 to log+2" documents="1" parts="2">',
        '<answer name="log+3 to note" documents="2" parts="1">',
    ]
    succeed(drive, "~reduction")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert (output_of(drive)["reduction"], output_of(drive)["calls_per_level"]) == ("tree", [2, 1])
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == (["log", "note"], [])
    assert [chunk["branch"] for chunk in output_of(drive)["chunks"]] == BRANCHES[:3]


def test_a_document_of_which_a_part_is_not_in_the_answer_is_unreduced() -> None:
    drive = start(TREE, split={"by": "lines", "size": 2})
    succeed(drive, *(f"log+{part}" for part in range(1, 6)), "note")
    drive.complete(drive.child("~reduce-1-2"), failed("~reduce-1-2"))
    succeed(drive, "~reduce-1-1", "~reduce-1-3")
    parts = ["log+3 (document log, part 3 of 5, lines 5-6)", "log+4 (document log, part 4 of 5, lines 7-8)"]
    assert prompt_of(drive, "~reduction").endswith("\n".join(["<missing>", *parts, "</missing>"]))
    succeed(drive, "~reduction")
    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == (["note"], ["log"])
    assert output_of(drive)["incomplete"] == []


def test_a_part_without_an_output_makes_its_document_incomplete_and_not_unreduced() -> None:
    drive = start(TREE)
    drive.complete(drive.child("log+2"), failed("log+2"))
    succeed(drive, "log+1", "log+3", "note")
    assert "log+2 (document log, part 2 of 3, lines 4-6)" in prompt_of(drive, "~reduce-1-1")
    succeed(drive, "~reduce-1-1", "~reduction")
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == (["note"], [])
    assert output_of(drive)["incomplete"] == [{"document": "log", "missing": [2], "of": 3}]


def test_a_deadline_in_the_tree_leaves_all_parts_of_the_documents() -> None:
    drive = mapped(TREE, policy={"deadline_s": 10})
    succeed(drive, "~reduce-1-1")
    drive.pass_time(10)
    let_stop(drive)
    assert output_of(drive)["content"].startswith("## log+1 to log+2 (2 documents and parts)\n\n")
    assert (output_of(drive)["documents"], output_of(drive)["incomplete"]) == (["log", "note"], [])


def test_a_refinement_that_fails_at_its_end_leaves_the_document_of_its_last_parts_unreduced() -> None:
    drive = mapped(REFINE, *(f"{number}" * 3_000 for number in range(4)))
    assert "2 documents and parts are still to come." in prompt_of(drive, "~refine-1")
    succeed(drive, "~refine-1")
    assert openings(prompt_of(drive, "~reduction"))[0] == '<answer name="log+1 to log+2" documents="1" parts="2">'
    drive.complete(drive.child("~reduction"), failed("~reduction"))
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == ([], ["log", "note"])


def test_a_table_has_the_document_and_the_part_of_each_record() -> None:
    table = {"type": "table", "format": "csv", "records": "found"}
    outputs = [{"found": [{"id": 1}]}, {}, {"found": [{"id": 2}]}, {"found": [{"id": 3}]}]
    drive = mapped(table, *outputs, map=SHAPED)
    assert output_of(drive)["content"] == "document,part,id\r\nlog,1,1\r\nlog,3,2\r\nnote,,3\r\n"
    assert (output_of(drive)["documents"], output_of(drive)["unreduced"]) == (["note"], ["log"])


def test_a_merge_joins_parts_and_its_conflicts_name_them() -> None:
    outputs = [{"found": [{"id": 1, "kind": kind}]} for kind in ("a", "b", "a", "a")]
    drive = mapped({"type": "merge", "key": "id"}, *outputs, map=SHAPED)
    assert output_of(drive)["content"] == {"found": [{"id": 1, "kind": "a"}]}
    [conflict] = output_of(drive)["conflicts"]
    assert (conflict["kept"], conflict["values"]["log+2"]) == ("log+1", "b")
    assert output_of(drive)["documents"] == ["log", "note"]


def test_parts_are_concatenated_under_their_names() -> None:
    content = output_of(mapped("concatenate"))["content"]
    assert [line for line in content.splitlines() if line.startswith("## ")] == [f"## {name}" for name in BRANCHES]
