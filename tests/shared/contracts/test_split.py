"""Requests whose documents are split."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.branching import branches_of
from shared.contracts.base import restored
from shared.contracts.map_reduce import MAX_BRANCHES, MapReduceRequest, complete_documents, incomplete_documents
from tests.shared.contracts.rejection import accepted, rejection

AGENT = {"instructions": "read"}
LOG = "".join(f"line {number}\n" for number in range(1, 11))
BY_FOUR_LINES = {"by": "lines", "size": 4, "overlap": 1}


def body(split: Any, *contents: str, **fields: Any) -> dict[str, Any]:
    documents = [{"id": f"d{number}", "content": content} for number, content in enumerate(contents)]
    return {"documents": documents, "map": AGENT, "reduce": AGENT, "split": split, **fields}


def split_request(split: Any, *contents: str) -> MapReduceRequest:
    return accepted(MapReduceRequest, body(split, *contents))


def test_a_chunk_knows_its_document_its_number_and_its_place() -> None:
    request = split_request(BY_FOUR_LINES, LOG, "short")

    assert [chunk.model_dump() for chunk in request.chunks][1] == {
        "branch": "d0+2", "document": "d0", "part": 2, "of": 3,
        "start": LOG.index("line 4"), "end": LOG.index("line 8"), "first_line": 4, "last_line": 7,
    }  # fmt: skip
    assert [branch.name for branch in branches_of(request)] == ["d0+1", "d0+2", "d0+3", "d1"]
    assert request.branch_count == 4


def test_the_prompt_of_a_chunk_says_which_part_of_which_document_it_is() -> None:
    first, *_, whole = branches_of(split_request({"by": "lines", "size": 2}, "a\nb\nc\n", "short"))

    assert first.prompt == '<document id="d0" part="1 of 2" lines="1-2">\na\nb\n\n</document>'
    assert whole.prompt == '<document id="d1">\nshort\n</document>'


@pytest.mark.parametrize("split", [{}, {"by": "document"}, {"by": "characters", "size": 200_000}])
def test_a_document_that_fits_stays_one_branch_under_its_own_name(split: Any) -> None:
    request = split_request(split, LOG)

    assert request.chunks == []
    assert [branch.name for branch in branches_of(request)] == ["d0"]


@pytest.mark.parametrize(
    ("split", "where", "message"),
    [
        ({"by": "pages", "size": 4}, "split.by", "tokens"),
        ({"by": "lines"}, "split", "needs a size"),
        ({"by": "lines", "size": 0}, "split.size", "greater than or equal to 1"),
        ({"by": "tokens", "size": 15}, "split", "16 or more"),
        ({"by": "characters", "size": 63}, "split", "64 or more"),
        ({"size": 100}, "split", "size has no use"),
        ({"overlap": 1}, "split", "overlap has no use"),
        ({"by": "lines", "size": 4, "overlap": -1}, "split.overlap", "greater than or equal to 0"),
        ({"by": "lines", "size": 4, "overlap": 3}, "split", "at most half of size, 2"),
        ({"by": "characters", "size": 9_000, "overlap": 4_001}, "split", "at most 4,000 characters"),
        ({"by": "tokens", "size": 9_000, "overlap": 1_001}, "split", "at most 1,000 tokens"),
    ],
)
def test_a_split_that_makes_no_sense_is_rejected(split: Any, where: str, message: str) -> None:
    [(location, told)] = rejection(MapReduceRequest, body(split, LOG))

    assert location == where
    assert message in told


def test_too_many_branches_are_counted_and_told_what_to_do() -> None:
    lines = "x\n" * (MAX_BRANCHES - 1)
    fits = split_request({"by": "lines", "size": 1}, lines, "one")

    assert fits.branch_count == MAX_BRANCHES
    [(_, message)] = rejection(MapReduceRequest, body({"by": "lines", "size": 1}, lines, "one", "two"))
    assert "make 1,001 branches; at most 1,000 are accepted: raise size" in message


def test_overlaps_cannot_multiply_the_material_of_a_run() -> None:
    document = "\n".join("x" * 60_000 for _ in range(3))
    blown_up = body({"by": "lines", "size": 2, "overlap": 1}, *[document] * 17)

    [(_, message)] = rejection(MapReduceRequest, blown_up)
    assert "at most 4,000,000" in message


def test_no_caller_says_where_documents_are_cut() -> None:
    request = split_request(BY_FOUR_LINES, LOG)
    [(location, message)] = rejection(MapReduceRequest, request.model_dump(mode="json"))

    assert location == "chunks"
    assert "leave this out" in message


def test_the_policy_counts_chunks() -> None:
    policy = {"min_successful": 3}
    assert accepted(MapReduceRequest, body(BY_FOUR_LINES, LOG, policy=policy)).policy.min_successful == 3

    [(_, message)] = rejection(MapReduceRequest, body(BY_FOUR_LINES, LOG, policy={"min_successful": 4}))
    assert "only 3 branches" in message


@given(st.text("ab \n\r。é", min_size=1, max_size=400).filter(lambda text: text.strip() != ""))
def test_chunks_are_the_same_after_history_whatever_would_be_found_today(text: str) -> None:
    request = split_request({"by": "characters", "size": 64, "overlap": 16}, text)
    again = restored(MapReduceRequest, json.loads(request.model_dump_json()))

    assert branches_of(again) == branches_of(request)
    unsplit = restored(MapReduceRequest, {**request.model_dump(mode="json"), "chunks": []})
    assert [branch.name for branch in branches_of(unsplit)] == ["d0"], "history is believed, nothing is cut anew"


def test_a_request_of_an_earlier_version_has_no_chunks() -> None:
    old = {name: value for name, value in body({}, LOG).items() if name != "split"}

    assert restored(MapReduceRequest, old).chunks == []


def test_a_document_is_complete_when_all_of_its_parts_are_there() -> None:
    chunks = split_request(BY_FOUR_LINES, LOG, "short", LOG).chunks
    answered = ["d0+1", "d0+3", "d1", "d2+1", "d2+2", "d2+3"]

    assert complete_documents(answered, chunks) == ["d1", "d2"]
    assert [told.model_dump() for told in incomplete_documents(answered, chunks)] == [
        {"document": "d0", "missing": [2], "of": 3}
    ]
    assert [told.missing for told in incomplete_documents([], chunks)] == [[1, 2, 3], [1, 2, 3]]
