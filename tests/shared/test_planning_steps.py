"""A plan is the same in any steps, and a step has bounds."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import pages, planning
from shared.contracts.planning import PlanInput
from shared.planning import StepBounds, plan
from shared.sources import texts as sources_texts
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.planning_given import FOLDER, document, planned, request, steps, told, units_of, works_of

LINES = st.lists(st.text(alphabet="ab ü\n", max_size=12), max_size=6)
SOURCES = st.sampled_from([{"format": "jsonl"}, {"format": "csv"}, {"format": "json"}, {"format": "text"}])
SPLITS = st.sampled_from([{"by": "document"}, {"by": "lines", "size": 1}])


def written_as(kind: str, lines: list[str], is_packed: bool) -> bytes:
    if kind == "csv":
        table = io.StringIO(newline="")
        csv.writer(table).writerows([["text"], *([line] for line in lines)])
        data = table.getvalue()
    elif kind == "json":
        data = json.dumps(lines)
    else:
        data = "\n".join(json.dumps(line) if kind == "jsonl" else line for line in lines)
    return gzip.compress(data.encode()) if is_packed else data.encode()


@settings(max_examples=100)
@given(
    docs=st.lists(st.tuples(LINES, st.booleans()), max_size=5),
    source=SOURCES,
    split=SPLITS,
    how=st.tuples(st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 20, 10**9]), st.integers(1, 3)),
    limit=st.none() | st.integers(1, 8),
)
def test_a_plan_is_the_same_in_any_steps(
    docs: list[tuple[list[str], bool]],
    source: dict[str, Any],
    split: dict[str, Any],
    how: tuple[int, int, int, int],
    limit: int | None,
) -> None:
    batch_size, step_works, step_bytes, listed = how
    given = request({**source, "limit": limit}, split=split, batch_size=batch_size)
    stored = {f"{n}": written_as(source["format"], lines, packed) for n, (lines, packed) in enumerate(docs)}

    async def both() -> None:
        one, many = MemoryBlobs({"docs": stored}), MemoryBlobs({"docs": stored})
        whole = await steps(one, given)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "LISTED_AT_ONCE", listed)
            bounds = StepBounds(works=step_works, bytes=step_bytes, listed=2)
            stepped = await steps(many, given, bounds)
        assert len(whole) == 1
        assert stepped[-1] == whole[0]
        assert await told(many, stepped[-1]) == await told(one, whole[0])
        names = [[(unit.name, len(unit.works)) for unit in units_of(b, whole[0].pages)] for b in (one, many)]
        assert names[0] == names[1]
        for step, after in pairwise(stepped):
            assert after.works - step.works <= max(step_works, 1) + 12

    asyncio.run(both())


@pytest.mark.parametrize("works_a_step", [1, 3])
async def test_a_page_is_filled_across_steps(monkeypatch: pytest.MonkeyPatch, works_a_step: int) -> None:
    monkeypatch.setattr(pages, "PAGE_UNITS", 2)
    blobs = MemoryBlobs({"docs": {str(number): b"x" for number in range(8)}})
    done = await steps(blobs, request({}, batch_size=2), StepBounds(works=works_a_step))

    assert len(done) > 2
    assert done[-1].pages == 2
    assert [unit.name for unit in units_of(blobs, 2)] == ["1.1", "1.2", "2.1", "2.2"]


async def test_a_step_that_is_run_twice_writes_the_same_again() -> None:
    docs = {"a": b'"one"\n"two"\n"three"', "b": b'"four"\n"five"'}
    given = request({"format": "jsonl"}, batch_size=2)
    once, twice = MemoryBlobs({"docs": docs}), MemoryBlobs({"docs": docs})
    done = await steps(once, given, StepBounds(works=2))

    inputs = [PlanInput(folder=FOLDER, request=given), *(PlanInput(folder=FOLDER, cursor=s.cursor) for s in done[:-1])]
    for step, answer in zip(inputs, done, strict=True):
        for _ in range(2):
            assert await plan(twice, step, StepBounds(works=2)) == answer
    assert twice.contents("out") == once.contents("out")


async def test_a_step_is_bounded_by_the_bytes_that_it_reads_and_by_what_it_lists() -> None:
    blobs = MemoryBlobs({"docs": {str(number): b"x" * 10 for number in range(6)}})
    split = {"by": "lines", "size": 1}

    assert [step.works for step in await steps(blobs, request({}, split=split), StepBounds(bytes=20))] == [2, 4, 6]
    found = await steps(blobs, request({"glob": "none"}), StepBounds(listed=1))
    assert [step.works for step in found] == [0]


async def test_a_listing_without_a_match_ends_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "LISTED_AT_ONCE", 2)
    blobs = MemoryBlobs({"docs": {str(number): b"x" for number in range(7)}})
    found = await steps(blobs, request({"glob": "6"}), StepBounds(listed=4))

    assert [step.works for step in found] == [0, 1]


async def test_blobs_that_are_read_are_read_side_by_side() -> None:
    blobs = MemoryBlobs({"docs": {f"{number:02d}": b"x" for number in range(20)}})
    await planned(blobs, request({}, split={"by": "lines", "size": 1}))
    reads = [index for index, (operation, _) in enumerate(blobs.calls) if operation == "read"]

    assert reads == list(range(reads[0], reads[0] + 20))


async def test_a_blob_that_is_gone_between_steps_does_not_confuse_the_listing() -> None:
    blobs = MemoryBlobs({"docs": dict.fromkeys("abcd", b"x")})
    first = await plan(blobs, PlanInput(folder=FOLDER, request=request({})), StepBounds(works=2))
    del blobs.containers["docs"]["b"]
    done = await plan(blobs, PlanInput(folder=FOLDER, cursor=first.cursor))

    assert [work.name for work in works_of(blobs, done)] == ["a", "b", "c", "d"]


# Size


async def test_a_hundred_thousand_blobs_are_planned_in_little_memory_and_history() -> None:
    blobs = MemoryBlobs({"docs": {f"folder/{number:06d}.txt": b"text" for number in range(100_000)}})
    peak = 0
    given: dict[str, Any] | None = request({})
    cursor = None
    count = 0
    while True:
        if count == 3:
            tracemalloc.start()
        done = await plan(blobs, PlanInput(folder=FOLDER, request=given, cursor=cursor))
        if count == 3:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        given, cursor, count = None, done.cursor, count + 1
        if cursor is None:
            break
        assert len(json.dumps(cursor)) < 500

    assert (done.works, done.pages, count) == (100_000, 400, 20)
    assert 0 < peak < 40_000_000


async def test_a_document_larger_than_what_is_split_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources_texts, "MAX_SPLIT_BYTES", 100)
    blobs = MemoryBlobs({"docs": {"a": b"x" * 101}})
    done = await planned(blobs, request({}, split={"by": "lines", "size": 1}))

    assert "at most 100 are read: divide it" in (document(works_of(blobs, done)[0]).problem or "")
