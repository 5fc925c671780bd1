"""From a source, or inline documents, to pages of works in the run's folder."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from shared import parts, works
from shared.contracts.base import MAX_TEXT_CHARS, restored
from shared.contracts.map_reduce import Document, MapReduceRequest, chunks_of
from shared.contracts.planning import Plan, PlanInput
from shared.contracts.split import Split
from shared.contracts.work import PAGE_UNITS, PAGE_WORKS
from shared.errors import StorageUnavailable
from shared.planning import StepBounds, plan
from shared.tokens import estimated_tokens
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.planning_given import FOLDER, document, planned, request, told, units_of, works_of

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
