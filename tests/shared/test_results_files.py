from __future__ import annotations

import asyncio
import json
import tracemalloc
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

import shared.results_files as module
from shared.contracts.branch import BranchError, Usage
from shared.contracts.results import FinishedMap, FinishMap, Manifest, PageSummary, Undecided
from shared.contracts.work import ClosePage, OpenPage, RunFolder, Tally, WorkFailure
from shared.document_results import result_in
from shared.errors import StorageUnavailable
from shared.opened_pages import opened_page
from shared.results_files import closed_page, finished_map
from shared.stored_names import document_blob, page_blob, summary_blob
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_runs import (
    FOLDER,
    failed,
    folder,
    put,
    put_answer,
    put_page,
    result,
    results,
    storage,
    unit,
)

SPENT = Usage(model_calls=1, input_tokens=10, output_tokens=2, total_tokens=12)
CUT = Undecided(
    status="timed_out", error=BranchError(code="deadline_exceeded", message="the time was up", retriable=True)
)


@pytest.fixture
def blobs() -> MemoryBlobs:
    """A run of two pages, of which all works but `b` and `e` have answers."""
    made = storage()
    put_page(made, 1, [unit("a", "b", name="1.1"), unit("c", name="1.2")])
    put_page(made, 2, [unit("d", name="2.1"), unit("e", name="2.2")])
    for name in "acd":
        put_answer(made, name, f"about {name}")
    return made


async def test_a_page_that_is_gone_costs_its_works_and_not_the_files(blobs: MemoryBlobs) -> None:
    await close(blobs, 1, failed("b"))
    del blobs.containers["results"][page_blob(FOLDER, "map", 2)]
    done = await finish(blobs, tally=Tally(succeeded=2, failed=3))
    assert (lines(blobs, "results.jsonl"), lines(blobs, "failures.jsonl")) == (["a", "c"], ["b"])
    assert (done.tally.succeeded, done.tally.failed, done.missing) == (2, 3, ["b"])
    assert (manifest(blobs).counts.works, manifest(blobs).counts.failed) == (5, 3)


async def test_answers_of_a_shard_that_gave_no_account_have_cost_what_they_say(blobs: MemoryBlobs) -> None:
    await opened(blobs, 1, 2)
    told = Usage(model_calls=5, input_tokens=3, output_tokens=3, total_tokens=6)
    done = await finish(blobs, tally=Tally(succeeded=3, failed=2, usage=told))
    assert done.tally.usage == Usage(model_calls=5, input_tokens=30, output_tokens=6, total_tokens=36)
    assert manifest(blobs).usage == done.tally.usage


async def test_what_a_redrive_took_over_has_cost_it_nothing(blobs: MemoryBlobs) -> None:
    await opened(blobs, 1, 2)
    done = await finish(blobs, tally=Tally(succeeded=3, failed=2, reused=3), redrive_of=folder("earlier"))
    assert done.tally.usage == Usage()


async def close(blobs: MemoryBlobs, number: int, *failures: WorkFailure, where: RunFolder = FOLDER) -> Tally:
    return await closed_page(blobs, ClosePage(folder=where, stage="map", number=number, failures=list(failures)))


async def finish(blobs: MemoryBlobs, pages: int = 2, **fields: Any) -> FinishedMap:
    return await finished_map(blobs, FinishMap(**({"folder": FOLDER, "pages": pages} | fields)))


async def opened(blobs: MemoryBlobs, *numbers: int) -> None:
    for number in numbers:
        await opened_page(blobs, OpenPage(folder=FOLDER, stage="map", number=number))


def lines(blobs: MemoryBlobs, name: str, where: RunFolder = FOLDER) -> list[str]:
    """The names in a file of results, in its order."""
    return [result_in(line).name for line in blobs.contents("results")[f"{where.name}{name}"].splitlines()]


def summary(blobs: MemoryBlobs, number: int) -> PageSummary:
    return PageSummary.model_validate_json(blobs.contents("results")[summary_blob(FOLDER, "map", number)])


def manifest(blobs: MemoryBlobs) -> Manifest:
    return Manifest.model_validate_json(blobs.contents("results")[f"{FOLDER.name}manifest.json"])


# A page is closed


async def test_a_closed_page_has_its_failures_and_its_counts(blobs: MemoryBlobs) -> None:
    assert await close(blobs, 1, failed("b")) == Tally(succeeded=2, failed=1)

    assert (result(blobs, "b").status, result(blobs, "b").error) == ("failed", failed("b").error)
    assert result(blobs, "b").attempt == 2
    assert result(blobs, "b").source.container == "documents"
    found = summary(blobs, 1)
    assert (found.succeeded, found.failed, found.missing, found.usage) == (2, 1, ["b"], SPENT + SPENT)
    assert (len(found.results), len(found.failures)) == (1, 1)


async def test_closing_a_page_again_is_the_same_again(blobs: MemoryBlobs) -> None:
    first = await close(blobs, 1, failed("b"))
    before = blobs.contents("results")
    await asyncio.gather(close(blobs, 1, failed("b")), close(blobs, 1, failed("b")))

    assert blobs.contents("results") == before
    assert await close(blobs, 1, failed("b")) == first
    await close(blobs, 2, failed("e"))
    await finish(blobs)
    assert lines(blobs, "results.jsonl") == ["a", "c", "d"]


async def test_an_answer_that_came_while_its_work_was_given_up_stands(blobs: MemoryBlobs) -> None:
    late = put_answer(blobs, "b", "late")

    assert await close(blobs, 1, failed("b", status="timed_out")) == Tally(succeeded=3)
    assert blobs.contents("results")[document_blob(FOLDER, "b")] == late
    assert summary(blobs, 1).failures == []


async def test_a_work_of_which_nobody_knows_is_a_failure_that_says_so(blobs: MemoryBlobs) -> None:
    assert await close(blobs, 2) == Tally(succeeded=1, failed=1)

    await close(blobs, 1, failed("b"))
    await finish(blobs)
    [_, lost] = blobs.contents("results")[f"{FOLDER.name}failures.jsonl"].splitlines()
    assert result_in(lost).error == module.LOST
    assert "e.json" not in results(blobs)


async def test_a_failure_of_a_work_that_is_not_on_the_page_is_not_written(blobs: MemoryBlobs) -> None:
    await close(blobs, 1, failed("b"), failed("x"), failed("d"))

    assert results(blobs) == ["a.json", "b.json", "c.json", "d.json"]
    assert result(blobs, "d").succeeded


async def test_a_page_of_a_reduction_is_closed_with_its_counts_alone(blobs: MemoryBlobs) -> None:
    page = blobs.contents("results")[page_blob(FOLDER, "map", 1)]
    put(blobs, f"{FOLDER.name}reduce/1/plan/00001.json", page)
    before = results(blobs)

    given = ClosePage(folder=FOLDER, stage="reduce-1", number=1, failures=[failed("b")])

    assert await closed_page(blobs, given) == Tally(succeeded=2, failed=1)
    assert results(blobs) == before
    assert f"{FOLDER.name}reduce/1/pages/00001.json" in blobs.contents("results")


async def test_a_storage_that_does_not_answer_is_an_error(blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> bytes:
        raise StorageUnavailable("Blob Storage did not answer")

    monkeypatch.setattr(blobs, "stage", fail)
    with pytest.raises(StorageUnavailable):
        await close(blobs, 1, failed("b"))
    assert summary_blob(FOLDER, "map", 1) not in blobs.contents("results")


# The map is finished


async def test_the_files_have_the_lines_of_all_pages_in_the_order_of_the_plan(blobs: MemoryBlobs) -> None:
    await close(blobs, 2, failed("e"))
    await close(blobs, 1, failed("b"))

    finished = await finish(blobs)

    contents = blobs.contents("results")
    documents = [contents[document_blob(FOLDER, name)] for name in "acd"]
    assert contents[f"{FOLDER.name}results.jsonl"] == b"".join(documents)
    assert lines(blobs, "failures.jsonl") == ["b", "e"]
    assert finished.tally == Tally(succeeded=3, failed=2, usage=SPENT + SPENT + SPENT)
    assert (finished.missing, finished.tally.failed) == (["b", "e"], 2)
    assert finished.files.model_dump() == {
        "container": "results",
        "folder": "runs/r1/",
        "documents": "runs/r1/documents/",
        "results": "runs/r1/results.jsonl",
        "failures": "runs/r1/failures.jsonl",
        "manifest": "runs/r1/manifest.json",
        "output": None,
    }


async def test_the_manifest_counts_and_hashes(blobs: MemoryBlobs) -> None:
    await close(blobs, 1, failed("b"))
    await close(blobs, 2, failed("e"))
    usage = Usage(model_calls=9, total_tokens=90)
    begun = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    finished = await finish(
        blobs,
        documents=4,
        tally=Tally(succeeded=4, failed=1, reused=2, usage=usage),
        status="partial",
        started_at=begun,
        ended_at=begun,
        redrive_of=folder("r0"),
    )

    said = manifest(blobs)
    assert (said.run_id, said.redrive_of, said.status, said.pages) == ("r1", "r0", "partial", 2)
    assert said.counts.model_dump() == {"documents": 4, "works": 5, "succeeded": 3, "failed": 2, "reused": 2}
    assert said.usage == finished.tally.usage == usage
    assert said.source == {"container": "documents", "prefix": "", "format": "text"}
    for name, count in (("results.jsonl", 3), ("failures.jsonl", 2)):
        data = blobs.contents("results")[f"{FOLDER.name}{name}"]
        facts = said.files[name]
        assert (facts.lines, facts.bytes, facts.sha256) == (count, len(data), sha256(data).hexdigest())


async def test_finishing_again_is_the_same_again(blobs: MemoryBlobs) -> None:
    await close(blobs, 1, failed("b"))
    await opened(blobs, 2)
    ended = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    first = await finish(blobs, ended_at=ended)
    before = blobs.contents("results")

    assert await finish(blobs, ended_at=ended) == first
    assert blobs.contents("results") == before


async def test_a_file_without_lines_is_there_and_empty(blobs: MemoryBlobs) -> None:
    for name in "be":
        put_answer(blobs, name)
    await close(blobs, 1)
    await close(blobs, 2)

    assert (await finish(blobs)).tally.failed == 0
    assert blobs.contents("results")[f"{FOLDER.name}failures.jsonl"] == b""
    assert manifest(blobs).files["failures.jsonl"].sha256 == sha256(b"").hexdigest()


async def test_a_map_without_pages_has_empty_files(blobs: MemoryBlobs) -> None:
    assert (await finish(blobs, pages=0)).tally == Tally()


# Pages that nobody closed


async def test_what_is_there_of_an_open_page_counts_and_the_rest_says_why_it_ended(blobs: MemoryBlobs) -> None:
    await opened(blobs, 1, 2)
    await close(blobs, 1, failed("b"))

    finished = await finish(blobs, undecided=CUT)

    assert lines(blobs, "results.jsonl") == ["a", "c", "d"]
    [_, cut] = map(result_in, blobs.contents("results")[f"{FOLDER.name}failures.jsonl"].splitlines())
    assert (cut.name, cut.status, cut.error, cut.attempt) == ("e", "timed_out", CUT.error, 0)
    assert finished.missing == ["b", "e"]
    assert "e.json" not in results(blobs)


async def test_works_of_a_page_that_was_never_opened_are_not_looked_for(blobs: MemoryBlobs) -> None:
    await opened(blobs, 1)
    await close(blobs, 1, failed("b"))
    blobs.calls.clear()

    finished = await finish(blobs)

    assert finished.missing == ["b", "d", "e"]
    assert not [name for operation, name in blobs.calls if "/documents/" in name]


async def test_a_redrive_that_was_cancelled_counts_pages_that_it_did_not_open(blobs: MemoryBlobs) -> None:
    second = folder("r2")
    one = await opened_page(blobs, OpenPage(folder=second, stage="map", number=1, redrive_of=FOLDER))
    assert one.reused == ["a", "c"]

    finished = await finish(blobs, folder=second, redrive_of=FOLDER, tally=Tally(reused=2))

    assert lines(blobs, "results.jsonl", second) == ["a", "c"]
    assert lines(blobs, "failures.jsonl", second) == ["b", "d", "e"]
    assert (finished.tally.succeeded, finished.tally.failed, finished.tally.reused) == (2, 3, 2)


async def test_a_redrive_that_never_opened_a_page_is_finished(blobs: MemoryBlobs) -> None:
    finished = await finish(blobs, folder=folder("r2"), redrive_of=FOLDER)

    assert (finished.tally.succeeded, finished.tally.failed) == (0, 5)


async def test_a_page_that_is_closed_while_the_map_is_finished_does_not_change_its_files(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(blobs, 1, 2)
    await close(blobs, 1, failed("b"))
    commit = blobs.commit

    async def closed_before(*given: Any) -> None:
        put_answer(blobs, "e", "late")
        await close(blobs, 2)
        await commit(*given)

    monkeypatch.setattr(blobs, "commit", closed_before)
    finished = await finish(blobs)

    assert (lines(blobs, "results.jsonl"), lines(blobs, "failures.jsonl")) == (["a", "c", "d"], ["b", "e"])
    assert finished.tally.failed == 2


# Size


async def test_a_page_larger_than_a_block_is_several_blocks(
    blobs: MemoryBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 600)
    names = [f"n{number}" for number in range(300)]
    put_page(blobs, 1, [unit(name) for name in names])
    for name in names:
        put_answer(blobs, name)

    await close(blobs, 1)
    await close(blobs, 2, failed("e"))

    assert len(summary(blobs, 1).results) > 100
    await finish(blobs)
    assert lines(blobs, "results.jsonl") == [*names, "d"]


async def test_few_of_many_missing_names_are_told(blobs: MemoryBlobs) -> None:
    for page in (1, 2):
        put_page(blobs, page, [unit(f"{page}-{number:03}-{'x' * 40}") for number in range(700)])

    finished = await finish(blobs)

    assert finished.tally.failed == 1_400
    assert finished.missing[0].startswith("1-000-")
    assert sum(map(len, finished.missing)) <= 50_000
    assert len(json.dumps(finished.model_dump(mode="json"))) < 100_000


async def test_memory_does_not_grow_with_the_number_of_pages() -> None:
    class Discarding(MemoryBlobs):
        """Has one result for every work, and throws blocks away."""

        async def read(self, container: str, name: str, **where: Any) -> bytes:
            return LINE if "/documents/" in name else await super().read(container, name, **where)

        async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
            assert len(data) <= 2 * module.BLOCK_BYTES

        async def commit(self, container: str, name: str, blocks: Any) -> None:
            self.containers["results"].setdefault(name, self._stored(b""))

    made = storage()
    LINE = put_answer(made, "a", "x" * 20_000)
    blobs = Discarding()
    blobs.containers = made.containers
    for number in range(1, 41):
        put_page(blobs, number, [unit(f"{number}-{index}") for index in range(250)])
    await close(blobs, 1)

    tracemalloc.start()
    try:
        for number in range(2, 41):
            await close(blobs, number)
            blobs.calls.clear()
        await finish(blobs, pages=40)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 25_000_000  # all lines together have 200 MB
