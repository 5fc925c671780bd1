"""Answers that need no call: written to files, line by line, and the same as in history."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.aggregation.concatenation import concatenated
from shared.aggregation.merge import merged
from shared.aggregation.table import tabulated
from shared.contracts.reduction import ConcatenateReduction, MergeReduction, TableReduction
from shared.contracts.stored_reduction import JoinOutputs, StoredReduction
from shared.errors import DocumentChanged, DocumentGone
from shared.stored_names import origin_blob, page_blob
from shared.stored_reduction.files import RESULTS
from shared.stored_reduction.joining import join_outputs
from tests.shared.aggregation.outcomes import succeeded
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_reduction.stored_map import FOLDER, PAGE, Mapped, documents, pages_of, written
from tests.shared.stored_runs import folder

LOG = [Mapped(f"log+{part}", {"rows": [{"n": part, "text": "=1"}]}, "log", part, 3) for part in (1, 2, 3)]


async def joined(works: list[Mapped], way: Any, *, split: bool = False) -> tuple[StoredReduction, str]:
    blobs = written(works)
    given = JoinOutputs(folder=FOLDER, way=way, pages=pages_of(works), split=split)
    reduction = await join_outputs(blobs, given)
    return reduction, blobs.contents(FOLDER.container)[reduction.output].decode()


def outcomes_of(works: list[Mapped]) -> list[Any]:
    return [succeeded(work.name, work.output) for work in works if work.output is not None]


async def test_outputs_are_concatenated_and_what_is_missing_is_counted() -> None:
    works = documents(["zero", None, {"two": 2}, None])
    reduction, text = await joined(works, ConcatenateReduction())

    assert text == reduction.content == concatenated(outcomes_of(works))
    assert (reduction.documents, reduction.missing.count, reduction.missing.names) == (2, 2, ["d1", "d3"])
    assert (reduction.reduction, reduction.requested) == ("concatenate", "concatenate")


async def test_a_long_answer_is_in_its_file_alone() -> None:
    reduction, text = await joined(documents(["o" * 60_000] * 2), ConcatenateReduction())

    assert reduction.content is None
    assert len(text) > 120_000


async def test_of_a_map_without_any_output_there_is_an_empty_answer() -> None:
    reduction, text = await joined(documents([None, None]), ConcatenateReduction())

    assert (text, reduction.content, reduction.documents, reduction.missing.count) == ("", "", 0, 2)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("columns", [None, ["text", "none"]])
async def test_a_table_is_that_of_outputs_in_history(form: Any, columns: list[str] | None) -> None:
    works = [Mapped("note", {"rows": []}), *LOG, Mapped("other", {"no": "rows"})]
    way = TableReduction(format=form, records="rows", columns=columns)
    reduction, text = await joined(works, way, split=True)
    expected, without = tabulated(outcomes_of(works), way, split=True)

    assert text == reduction.content == expected
    assert reduction.output.endswith(f"output.{form}")
    assert reduction.unreduced.names == without == ["other"]
    assert reduction.documents == 2


async def test_the_document_of_a_record_is_its_id_whatever_characters_that_has() -> None:
    works = [Mapped("in/a+2.txt", {"n": 1}, "in/a+2.txt")]
    _, text = await joined(works, TableReduction(format="csv"), split=True)

    assert text == "document,part,n\r\nin/a+2.txt,,1\r\n"


async def test_outputs_are_merged_and_their_conflicts_counted() -> None:
    works = documents([{"rows": [{"id": 1, "n": number, "kind": f"k{number}"}]} for number in range(20)])
    way = MergeReduction(key="id", sum=["n"])
    reduction, text = await joined(works, way)
    content, conflicts = merged(outcomes_of(works), key="id", sums=["n"], keep_repeated=True)

    assert json.loads(text) == reduction.content == content
    assert (reduction.conflict_count, [found.path for found in reduction.conflicts]) == (1, [conflicts[0].path])
    assert reduction.output.endswith("output.json")


async def test_a_split_document_without_all_of_its_parts_is_incomplete() -> None:
    works = [LOG[0], Mapped("log+2", None, "log", 2, 3), LOG[2], Mapped("note", "said")]
    reduction, _ = await joined(works, ConcatenateReduction())

    assert (reduction.documents, reduction.incomplete.names) == (1, ["log"])
    assert reduction.missing.names == ["log+2 (document log, part 2 of 3, lines 20-29)"]


async def test_results_that_the_plan_does_not_have_are_refused_by_name() -> None:
    blobs = written(documents(["zero", "one"]))
    data = blobs.containers[FOLDER.container]
    data[f"{FOLDER.name}results.jsonl"].data = b'{"id": "x", "name": "x", "output": ""}\n'

    with pytest.raises(DocumentChanged, match="'x'"):
        await join_outputs(blobs, JoinOutputs(folder=FOLDER, way=ConcatenateReduction(), pages=1))


async def test_pages_of_the_plan_are_those_of_the_first_run_where_a_redrive_has_none() -> None:
    works = documents(["zero", "one"])
    blobs, first = written(works), FOLDER.model_copy(update={"name": "runs/run-0/"})
    data = blobs.containers[FOLDER.container]
    data[f"{first.name}plan/00001.json"] = data.pop(f"{FOLDER.name}plan/00001.json")
    given = JoinOutputs(folder=FOLDER, way=ConcatenateReduction(), pages=1)

    with pytest.raises(DocumentGone, match=r"plan/00001\.json"):
        await join_outputs(blobs, given)
    reduction = await join_outputs(blobs, given.model_copy(update={"redrive_of": first}))
    assert reduction.documents == 2


async def test_works_on_pages_that_no_redrive_has_opened_are_missing() -> None:
    """A redrive of a redrive, both of which ended before the last page: only the first run's folder has it."""
    blobs = written(documents([*["text"] * PAGE, "of the last page"]))
    first, second, third = FOLDER, folder("r2"), folder("r3")
    contents = blobs.contents(FOLDER.container)
    results = b"".join(contents[first.name + RESULTS].splitlines(keepends=True)[:PAGE])
    blobs.containers |= MemoryBlobs({FOLDER.container: {
        **contents,
        origin_blob(second): first.model_dump_json().encode(),
        origin_blob(third): second.model_dump_json().encode(),
        page_blob(third, "map", 1): contents[page_blob(first, "map", 1)],
        third.name + RESULTS: results,
    }}).containers  # fmt: skip

    given = JoinOutputs(folder=third, way=ConcatenateReduction(), pages=2, redrive_of=second)
    reduction = await join_outputs(blobs, given)

    assert (reduction.documents, reduction.missing.names) == (PAGE, [f"d{PAGE}"])
