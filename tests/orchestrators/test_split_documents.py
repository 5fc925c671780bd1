"""Map-reduce of documents that are split."""

from __future__ import annotations

from typing import Any

from orchestrators.map_reduce import map_reduce
from shared.contracts.map_reduce import MapReduceRequest
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import branch_names, failed, outcome, start_run, succeed, verdict

LOG = "".join(f"line {number}\n" for number in range(1, 8))


def start(**fields: Any) -> Drive:
    """A run of two documents, of which the first has three parts."""
    reused = fields.pop("reused", None)
    documents = [{"id": "log", "content": LOG}, {"id": "note", "content": "Short."}]
    agents = {"map": {"instructions": "Map."}, "reduce": {"instructions": "Reduce."}}
    body = {"documents": documents, "split": {"by": "lines", "size": 3}, **agents, **fields}
    request: JSON = MapReduceRequest.model_validate(body).model_dump(mode="json")
    return start_run(map_reduce, request, reused=reused)


def test_each_part_is_a_branch() -> None:
    drive = start()
    assert branch_names(drive.running) == ["log+1", "log+2", "log+3", "note"]
    assert drive.child("log+2").instance_id == "run-1:log+2"
    assert drive.child("log+2").input["branch"]["prompt"] == (
        '<document id="log" part="2 of 3" lines="4-6">\nline 4\nline 5\nline 6\n\n</document>'
    )
    assert drive.context.statuses == [{"phase": "branches", "total": 4}]


def test_the_reduce_agent_reads_parts_in_order_and_can_cite_them() -> None:
    drive = start()
    succeed(drive, "note", "log+3", "log+1", "log+2")
    prompt = drive.child("~reduction").input["branch"]["prompt"]
    assert [line for line in prompt.splitlines() if line.startswith("<answer")] == [
        '<answer name="log+1" document="log" part="1 of 3" lines="1-3">',
        '<answer name="log+2" document="log" part="2 of 3" lines="4-6">',
        '<answer name="log+3" document="log" part="3 of 3" lines="7">',
        '<answer name="note">',
    ]
    succeed(drive, "~reduction")
    output = drive.ended["output"]
    assert (output["documents"], output["incomplete"]) == (["log", "note"], [])
    assert [(chunk["branch"], chunk["first_line"], chunk["last_line"]) for chunk in output["chunks"]] == [
        ("log+1", 1, 3),
        ("log+2", 4, 6),
        ("log+3", 7, 7),
    ]


def test_a_document_without_one_of_its_parts_is_incomplete() -> None:
    drive = start()
    drive.complete(drive.child("log+2"), failed("log+2"))
    succeed(drive, "log+1", "log+3", "note")
    assert (
        drive.child("~reduction")
        .input["branch"]["prompt"]
        .endswith("<missing>\nlog+2 (document log, part 2 of 3, lines 4-6)\n</missing>")
    )
    succeed(drive, "~reduction")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert drive.ended["missing"] == ["log+2"]
    assert drive.ended["output"]["documents"] == ["note"]
    assert drive.ended["output"]["incomplete"] == [{"document": "log", "missing": [2], "of": 3}]


def test_a_redrive_runs_only_the_parts_that_are_missing() -> None:
    drive = start(reused=[outcome("log+1"), outcome("log+3"), outcome("note")])
    assert branch_names(drive.running) == ["log+2"]
    succeed(drive, "log+2", "~reduction")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["reused"] == ["log+1", "log+3", "note"]
    assert drive.ended["output"]["documents"] == ["log", "note"]
