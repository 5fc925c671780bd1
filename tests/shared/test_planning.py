"""From a source, or inline documents, to pages of works in the run's folder."""

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

from shared import pages, parts, planning, works
from shared.contracts.base import MAX_TEXT_CHARS, restored
from shared.contracts.map_reduce import Document, MapReduceRequest, chunks_of
from shared.contracts.planning import Plan, PlanInput
from shared.contracts.split import Split
from shared.contracts.work import PAGE_UNITS, PAGE_WORKS, DocumentWork, Page, RunFolder, Unit, Work
from shared.errors import DocumentUnreadable, StorageUnavailable
from shared.planning import STEP, StepBounds, plan
from shared.sources import texts as sources_texts
from shared.sources.texts import text_at
from shared.tokens import estimated_tokens
from tests.shared.memory_blobs import MemoryBlobs

FOLDER = RunFolder(container="out", name="runs/r1/", run_id="r1")
AGENTS = {"map": {"instructions": "Read."}, "reduce": {"type": "concatenate"}}


def request(source: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    body = {**AGENTS, **fields}
    if source is not None:
        body["source"] = {"container": "docs", **source}
    return MapReduceRequest.model_validate(body).model_dump(mode="json")


async def steps(blobs: MemoryBlobs, given: dict[str, Any], bounds: StepBounds = STEP) -> list[Plan]:
    """Every step of a plan; what passes between them passes as JSON."""
    done = [await plan(blobs, PlanInput(folder=FOLDER, request=given), bounds)]
    while done[-1].cursor is not None:
        cursor = json.loads(json.dumps(done[-1].cursor))
        done.append(await plan(blobs, PlanInput(folder=FOLDER, cursor=cursor), bounds))
    return done


async def planned(blobs: MemoryBlobs, given: dict[str, Any], bounds: StepBounds = STEP) -> Plan:
    return (await steps(blobs, given, bounds))[-1]


def units_of(blobs: MemoryBlobs, pages: int) -> list[Unit]:
    written = blobs.contents("out")
    numbers = range(1, pages + 1)
    return [
        unit
        for number in numbers
        for unit in restored(Page, json.loads(written[f"runs/r1/plan/{number:05d}.json"])).units
    ]


def works_of(blobs: MemoryBlobs, done: Plan) -> list[Work]:
    return [work for unit in units_of(blobs, done.pages) for work in unit.works]


def document(work: Work) -> DocumentWork:
    return restored(DocumentWork, work.place)


async def told(blobs: MemoryBlobs, done: Plan) -> list[tuple[str, int, dict[str, Any], str | None]]:
    """Each work with its text, whose place may differ from plan to plan."""
    found: list[tuple[str, int, dict[str, Any], str | None]] = []
    for work in works_of(blobs, done):
        about = document(work)
        text = None if about.problem else await text_or_error(blobs, about)
        found.append((work.name, work.tokens, about.model_dump(exclude={"text"}), text))
    return found


async def text_or_error(blobs: MemoryBlobs, about: DocumentWork) -> str:
    """What an unsplit blob holds shows only when it is read."""
    try:
        return await text_at(blobs, FOLDER, about.text)
    except DocumentUnreadable as exc:
        assert about.text.container == "docs"
        return exc.message


# Blobs that are documents


async def test_an_unsplit_blob_is_a_work_in_its_place_and_is_not_read() -> None:
    blobs = MemoryBlobs({"docs": {"in/a.txt": b"x" * 9, "in/b/c.md": b"y", "other.txt": b"z"}})
    done = await planned(blobs, request({"prefix": "in/", "encoding": "latin-1"}))

    assert done == Plan(pages=1, works=2, documents=2, bytes=10, tokens=4)
    first, second = works_of(blobs, done)
    assert (first.name, first.tokens, second.name) == ("in/a.txt", 3, "in/b/c.md")
    about = document(first)
    assert (about.document, about.blob, about.part, about.record) == ("in/a.txt", "in/a.txt", None, None)
    assert about.text.model_dump(exclude={"etag"}) == {
        "container": "docs", "blob": "in/a.txt", "offset": 0, "length": None, "encoding": "latin-1",
    }  # fmt: skip
    assert about.text.etag is not None
    assert {operation for operation, _ in blobs.calls} == {"listed", "write"}


async def test_the_request_is_kept_without_its_documents() -> None:
    blobs = MemoryBlobs()
    done = await planned(blobs, request(documents=[{"id": "a", "content": "text"}], sink={"container": "out"}))
    kept = restored(MapReduceRequest, json.loads(blobs.contents("out")["runs/r1/request.json"]))

    assert done.works == 1
    assert kept.documents == []
    assert kept.sink is not None
    assert (kept.sink.container, kept.sink.prefix) == ("out", "")


async def test_a_sink_that_was_not_given_is_that_of_the_folder() -> None:
    blobs = MemoryBlobs({"docs": {}})
    await planned(blobs, request({}))
    kept = restored(MapReduceRequest, json.loads(blobs.contents("out")["runs/r1/request.json"]))

    assert kept.sink is not None
    assert (kept.sink.container, kept.sink.prefix) == ("out", "runs/")


async def test_the_pattern_is_for_what_comes_after_the_prefix() -> None:
    blobs = MemoryBlobs({"docs": {"in/a.txt": b"x", "in/b/a.txt": b"x", "in/a.md": b"x", "a.txt": b"x"}})

    found = works_of(blobs, await planned(blobs, request({"prefix": "in/", "glob": "*.txt"})))
    assert [work.name for work in found] == ["in/a.txt"]
    found = works_of(blobs, await planned(blobs, request({"prefix": "in/", "glob": "**/a.txt"})))
    assert [work.name for work in found] == ["in/a.txt", "in/b/a.txt"]


async def test_what_the_run_has_written_itself_and_folders_are_no_documents() -> None:
    blobs = MemoryBlobs({"out": {"a.txt": b"x", "folder/": b"", "runs/r0/x": b"x"}})
    given = request({"container": "out"})
    await planned(blobs, given)
    done = await planned(blobs, given)

    assert [work.name for work in works_of(blobs, done)] == ["a.txt", "runs/r0/x"]


async def test_an_empty_container_has_no_pages() -> None:
    assert await planned(MemoryBlobs({"docs": {}}), request({})) == Plan()


@pytest.mark.parametrize(
    ("data", "told"), [(b"", "it is empty"), (b"x" * (4 * MAX_TEXT_CHARS + 1), "at most 800,000 are read: split it")]
)
async def test_a_blob_of_no_use_is_a_work_with_a_problem_alone_in_its_unit(data: bytes, told: str) -> None:
    blobs = MemoryBlobs({"docs": {"a": b"x", "b": data, "c": b"x", "d": b"x"}})
    done = await planned(blobs, request({}, batch_size=10))

    assert (done.works, done.documents, done.unreadable) == (4, 4, 1)
    units = units_of(blobs, done.pages)
    assert [[work.name for work in unit.works] for unit in units] == [["a"], ["b"], ["c", "d"]]
    assert told in (document(units[1].works[0]).problem or "")


# Units and pages


async def test_works_are_batched_in_order() -> None:
    blobs = MemoryBlobs({"docs": {f"{number:02d}": b"text" for number in range(7)}})
    units = units_of(blobs, (await planned(blobs, request({}, batch_size=3))).pages)

    assert [unit.name for unit in units] == ["1.1", "1.2", "1.3"]
    assert [[work.name for work in unit.works] for unit in units] == [
        ["00", "01", "02"], ["03", "04", "05"], ["06"],
    ]  # fmt: skip


async def test_the_texts_of_a_batch_have_a_bound_together() -> None:
    sizes = [MAX_TEXT_CHARS // 2, MAX_TEXT_CHARS // 2, 4, 2 * MAX_TEXT_CHARS, 4]
    blobs = MemoryBlobs({"docs": {str(number): b"x" * size for number, size in enumerate(sizes)}})
    units = units_of(blobs, (await planned(blobs, request({}, batch_size=10))).pages)

    assert [[work.name for work in unit.works] for unit in units] == [["0", "1"], ["2"], ["3"], ["4"]]


async def test_a_page_has_so_many_units_and_works_at_most() -> None:
    blobs = MemoryBlobs({"docs": {f"{number:05d}": b"x" for number in range(2 * PAGE_WORKS + 1)}})
    done = await planned(blobs, request({}))
    assert done.pages == 2 * PAGE_WORKS // PAGE_UNITS + 1
    assert [unit.name for unit in units_of(blobs, done.pages)][PAGE_UNITS - 1 : PAGE_UNITS + 1] == ["1.250", "2.1"]

    done = await planned(blobs, request({}, batch_size=100))
    assert done.pages == 3
    assert len(works_of(blobs, done)) == 2 * PAGE_WORKS + 1


async def test_the_limit_counts_documents_and_the_plan_ends_there() -> None:
    blobs = MemoryBlobs({"docs": {"a": b'"x"\n"y"\n', "b": b'"one\\ntwo"\n"z"', "c": b'"x"'}})
    split = {"by": "lines", "size": 1}
    done = await planned(blobs, request({"format": "jsonl", "limit": 3}, split=split))

    assert (done.documents, done.works) == (3, 4)
    assert [work.name for work in works_of(blobs, done)] == ["a#1", "a#2", "b#1+1", "b#1+2"]


@pytest.mark.parametrize("split", [{}, {"split": {"by": "lines", "size": 1}}])
async def test_too_many_works_are_the_plan_s_problem(monkeypatch: pytest.MonkeyPatch, split: dict[str, Any]) -> None:
    monkeypatch.setattr(works, "MAX_STORED_DOCUMENTS", 3)
    blobs = MemoryBlobs({"docs": {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}})
    done = await planned(blobs, request({}, **split), StepBounds(works=1))

    assert done.problem is not None
    assert "more than 3 documents" in done.problem
    assert "source.limit" in done.problem
    assert ("split.size" in done.problem) == bool(split)
    assert (await planned(blobs, request({"limit": 3}, **split))).problem is None


async def test_a_container_that_may_not_be_read_is_the_plan_s_problem() -> None:
    assert "there is no container 'docs'" in ((await planned(MemoryBlobs(), request({}))).problem or "")


async def test_storage_that_does_not_answer_is_an_error_after_which_the_step_may_be_run_again() -> None:
    class Unreachable(MemoryBlobs):
        async def listed(self, *_: Any, **__: Any) -> Any:
            raise StorageUnavailable("no answer")

    with pytest.raises(StorageUnavailable):
        await planned(Unreachable({"docs": {}}), request({}))


# Parts and records


async def test_a_split_document_has_the_parts_of_any_map() -> None:
    text = "\n\n".join(f"Absatz {number} – größer. " * 3 for number in range(40))
    split = {"by": "tokens", "size": 50, "overlap": 5}
    blobs = MemoryBlobs({"docs": {"a.txt": gzip.compress(text.encode("utf-16")), "b.txt": b"short"}})
    done = await planned(blobs, request({}, split=split))
    chunks = chunks_of(Document(id="a.txt", content=text), Split.model_validate(split))
    found = await told(blobs, done)

    assert [name for name, *_ in found] == [*(chunk.branch for chunk in chunks), "b.txt"]
    assert [text for *_, text in found] == [*(text[chunk.start : chunk.end] for chunk in chunks), "short"]
    assert [tokens for _, tokens, *_ in found] == [estimated_tokens(text or "") for *_, text in found]
    about = [document(work) for work in works_of(blobs, done)]
    assert [(one.part, one.of, one.first_line, one.last_line) for one in about] == [
        *((chunk.part, chunk.of, chunk.first_line, chunk.last_line) for chunk in chunks), (None, None, None, None),
    ]  # fmt: skip
    assert {one.document for one in about} == {"a.txt", "b.txt"}


async def test_inline_documents_are_planned_and_split_like_others() -> None:
    blobs = MemoryBlobs()
    documents = [{"id": "a", "content": "one\ntwo\n"}, {"id": "b", "content": "größer"}]
    given = request(documents=documents, sink={"container": "out"}, split={"by": "lines", "size": 1})
    done = await planned(blobs, given, StepBounds(works=1))

    assert [(name, text) for name, _, _, text in await told(blobs, done)] == [
        ("a+1", "one\n"), ("a+2", "two\n"), ("b", "größer"),
    ]  # fmt: skip
    assert done.model_dump(exclude={"tokens"}) == Plan(pages=1, works=3, documents=2, bytes=16).model_dump(
        exclude={"tokens"}
    )
    assert all(document(work).blob is None for work in works_of(blobs, done))


async def test_no_two_works_have_the_same_name() -> None:
    names = ["a", "a+1", "a+1+1", "a+01", "a+x", "a+2"]
    blobs = MemoryBlobs({"docs": {name: b"1\n2" if name == "a" else b"1" for name in names}})
    done = await planned(blobs, request({}, split={"by": "lines", "size": 1}))
    found = works_of(blobs, done)

    assert len({work.name for work in found}) == len(found) == 7
    assert sorted({document(work).document for work in found}) == sorted(names)
    plain = works_of(blobs, await planned(blobs, request({})))
    assert sorted(work.name for work in plain) == sorted(names)


async def test_a_record_is_named_by_its_blob_and_number() -> None:
    blobs = MemoryBlobs({"docs": {"a.csv": b"x,y\n1,2\n3,4\n", "b.csv": b"y\n1\n", "c.csv": b"x\n5\n"}})
    done = await planned(blobs, request({"format": "csv", "columns": ["x"]}))
    found = works_of(blobs, done)

    assert [work.name for work in found] == ["a.csv#1", "a.csv#2", "b.csv#1", "c.csv#1"]
    assert [(document(work).blob, document(work).record) for work in found][:2] == [("a.csv", 1), ("a.csv", 2)]
    assert "there is no column 'x'; the header has 'y'" in (document(found[2]).problem or "")
    assert (done.documents, done.unreadable) == (4, 1)


@pytest.mark.parametrize("source", [{"format": "jsonl"}, {"format": "text"}])
async def test_a_text_that_is_too_long_or_blank_is_a_problem(source: dict[str, Any]) -> None:
    texts = {"a": "x" * (MAX_TEXT_CHARS + 1), "b": " ", "c": "fine"}
    encode = json.dumps if source["format"] == "jsonl" else str
    blobs = MemoryBlobs({"docs": {name: encode(text).encode() for name, text in texts.items()}})
    split = {} if source["format"] == "jsonl" else {"split": {"by": "lines", "size": 5}}
    found = [document(work).problem or "" for work in works_of(blobs, await planned(blobs, request(source, **split)))]

    assert "has 200,001 characters" in found[0]
    assert found[1:] == ["it is empty", ""]


async def test_blobs_that_cannot_be_read_are_failures_among_the_others() -> None:
    docs = {"a": b"fine\nfine", "b": gzip.compress(b"x" * 99)[:-3], "c": b"\0", "d": b"", "e": b"fine"}
    blobs = MemoryBlobs({"docs": docs})
    done = await planned(blobs, request({}, split={"by": "lines", "size": 1}))

    assert [(work.name, document(work).problem is None) for work in works_of(blobs, done)] == [
        ("a+1", True), ("a+2", True), ("b", False), ("c", False), ("d", False), ("e", True),
    ]  # fmt: skip
    assert done.unreadable == 3


class Vanishing(MemoryBlobs):
    """Blobs of which some change, or are gone, after the listing that has them."""

    async def listed(self, container: str, prefix: str, **how: Any) -> Any:
        page = await super().listed(container, prefix, **how)
        if "gone" in self.containers["docs"]:
            del self.containers["docs"]["gone"]
            await self.write("docs", "written", b'"new"')
        return page


@pytest.mark.parametrize("fields", [{"source": {"format": "jsonl"}}, {"split": {"by": "lines", "size": 1}}])
async def test_blobs_that_change_under_the_plan_are_failures(fields: dict[str, Any]) -> None:
    blobs = Vanishing({"docs": {"fine": b'"x"', "gone": b'"x"', "written": b'"x"'}})
    source = fields.pop("source", {})
    done = await planned(blobs, request(source, **fields))

    problems = [document(work).problem or "" for work in works_of(blobs, done)]
    assert [bool(problem) for problem in problems] == [False, True, True]


async def test_a_blob_of_records_that_changes_between_steps_fails_from_there_on() -> None:
    blobs = MemoryBlobs({"docs": {"a": b'"1"\n"2"\n', "b": b'"3"'}})
    first = await plan(blobs, PlanInput(folder=FOLDER, request=request({"format": "jsonl"})), StepBounds(works=1))
    await blobs.write("docs", "a", b'"other"\n"texts"\n')
    done = await plan(blobs, PlanInput(folder=FOLDER, cursor=first.cursor))

    assert [(work.name, document(work).problem is None) for work in works_of(blobs, done)] == [
        ("a#1", True), ("a#2", False), ("b#1", True),
    ]  # fmt: skip


async def test_texts_are_divided_into_blobs_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 10)
    lines = ["größer", "als", "x" * 30, "y"]
    blobs = MemoryBlobs({"docs": {"a": "\n".join(json.dumps(line) for line in lines).encode()}})
    done = await planned(blobs, request({"format": "jsonl"}))

    assert [text for *_, text in await told(blobs, done)] == lines
    assert list(blobs.contents("out", "runs/r1/parts/")) == [f"runs/r1/parts/0000{n}.txt" for n in (1, 2, 3, 4)]


# Steps

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
