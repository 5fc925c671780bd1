from __future__ import annotations

import pytest

from shared.contracts.work import OpenedPage, OpenPage, RunFolder, TextPlace
from shared.document_results import document_of
from shared.errors import DocumentGone
from shared.opened_pages import found_request, opened_page, stored_page
from shared.stored_names import document_blob, opened_blob, page_blob
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_runs import (
    FOLDER,
    folder,
    put,
    put_answer,
    put_failure,
    put_page,
    results,
    storage,
    unit,
    work,
)

NAMES = ["a", "b", "c", "d"]


def opening(number: int, where: RunFolder = FOLDER, redrive_of: RunFolder | None = None) -> OpenPage:
    return OpenPage(folder=where, stage="map", number=number, redrive_of=redrive_of)


def names_of(opened: OpenedPage) -> list[list[str]]:
    return [[one.name for one in given.works] for given in opened.units]


@pytest.fixture
def blobs() -> MemoryBlobs:
    """A run of two pages: a batch and a work alone, and one more work."""
    made = storage()
    put_page(made, 1, [unit("a", "b", name="1.1"), unit("c", name="1.2")])
    put_page(made, 2, [unit("d", name="2.1")])
    return made


async def test_a_page_is_opened_as_it_was_planned(blobs: MemoryBlobs) -> None:
    opened = await opened_page(blobs, opening(1))

    assert opened == OpenedPage(units=(await stored_page(blobs, FOLDER, "map", 1)).units)
    assert names_of(opened) == [["a", "b"], ["c"]]
    assert opened_blob(FOLDER, "map", 1) in blobs.contents("results")
    assert opened_blob(FOLDER, "map", 2) not in blobs.contents("results")


async def test_a_page_of_a_reduction_is_in_its_stage_s_folder_and_is_not_redriven(blobs: MemoryBlobs) -> None:
    page = blobs.contents("results")[page_blob(FOLDER, "map", 2)]
    put(blobs, f"{FOLDER.name}reduce/1/plan/00002.json", page)
    given = OpenPage(folder=FOLDER, stage="reduce-1", number=2, redrive_of=folder("r0"))

    assert names_of(await opened_page(blobs, given)) == [["d"]]


async def test_a_page_that_was_not_planned_is_an_error(blobs: MemoryBlobs) -> None:
    with pytest.raises(DocumentGone, match=r"plan/00003\.json"):
        await opened_page(blobs, opening(3))
    with pytest.raises(DocumentGone, match=r"runs/r1/plan/00003\.json"):
        await opened_page(blobs, opening(3, folder("r2"), FOLDER))


async def test_a_redrive_takes_over_what_succeeded_byte_for_byte(blobs: MemoryBlobs) -> None:
    second = folder("r2")
    line = put_answer(blobs, "b")
    put_failure(blobs, "c")

    opened = await opened_page(blobs, opening(1, second, FOLDER))

    assert opened.reused == ["b"]
    assert names_of(opened) == [["a"], ["c"]]
    assert [one.name for one in opened.units] == ["1.1", "1.2"]
    assert blobs.contents("results", f"{second.name}documents/") == {document_blob(second, "b"): line}
    assert names_of(OpenedPage(units=(await stored_page(blobs, second, "map", 1)).units)) == [["a", "b"], ["c"]]
    assert (await found_request(blobs, second, None)).container == "documents"


async def test_a_unit_of_which_everything_is_reused_is_not_called(blobs: MemoryBlobs) -> None:
    for name in ("a", "b"):
        put_answer(blobs, name)

    opened = await opened_page(blobs, opening(1, folder("r2"), FOLDER))

    assert (names_of(opened), opened.reused) == ([["c"]], ["a", "b"])


async def test_opening_a_page_again_is_the_same_again(blobs: MemoryBlobs) -> None:
    put_answer(blobs, "b")
    first = await opened_page(blobs, opening(1, folder("r2"), FOLDER))
    before = blobs.contents("results")

    assert await opened_page(blobs, opening(1, folder("r2"), FOLDER)) == first
    assert blobs.contents("results") == before


async def test_a_text_that_was_written_for_the_first_run_is_read_where_it_is(blobs: MemoryBlobs) -> None:
    part = work("log+1", text=TextPlace(blob="parts/00001.txt", offset=3, length=7), document="log")
    put_page(blobs, 3, [unit(part, "a")])

    opened = await opened_page(blobs, opening(3, folder("r2"), FOLDER))

    own, other = [document_of(one).text for one in opened.units[0].works]
    assert own == TextPlace(container="results", blob="runs/r1/parts/00001.txt", offset=3, length=7)
    assert other == TextPlace(container="documents", blob="a")


async def test_a_redrive_of_a_redrive_takes_each_page_from_the_latest_run_that_opened_it(blobs: MemoryBlobs) -> None:
    second, third = folder("r2"), folder("r3")
    put_answer(blobs, "a", "of the first")
    put_answer(blobs, "d", "of the first")
    await opened_page(blobs, opening(1, second, FOLDER))
    put_answer(blobs, "c", "of the second", second)

    one = await opened_page(blobs, opening(1, third, second))
    two = await opened_page(blobs, opening(2, third, second))

    assert (one.reused, two.reused) == (["a", "c"], ["d"])
    assert (names_of(one), names_of(two)) == ([["b"]], [])
    assert results(blobs, third) == ["a.json", "c.json", "d.json"]


async def test_a_redrive_that_died_while_it_took_a_page_over_did_not_open_it(blobs: MemoryBlobs) -> None:
    second, third = folder("r2"), folder("r3")
    for name in ("a", "b"):
        put_answer(blobs, name)
    await opened_page(blobs, opening(2, second, FOLDER))
    put_answer(blobs, "a", where=second)  # and b was not copied yet, nor was the page

    assert (await opened_page(blobs, opening(1, third, second))).reused == ["a", "b"]


async def test_a_redrive_of_a_run_that_never_opened_a_page_finds_the_request(blobs: MemoryBlobs) -> None:
    second, third = folder("r2"), folder("r3")
    put(blobs, f"{second.name}redrive_of.json", FOLDER.model_dump_json().encode())

    await opened_page(blobs, opening(1, third, second))

    request = f"{third.name}request.json"
    assert blobs.contents("results")[request] == blobs.contents("results")[f"{FOLDER.name}request.json"]


async def test_a_redrive_s_own_request_stays(blobs: MemoryBlobs) -> None:
    second = folder("r2")
    put(blobs, f"{second.name}request.json", b'{"map": {"instructions": "Other."}}')

    await opened_page(blobs, opening(1, second, FOLDER))

    assert (await found_request(blobs, second, FOLDER)).agent.instructions == "Other."


async def test_redrives_in_a_circle_end(blobs: MemoryBlobs) -> None:
    second = folder("r2")
    put(blobs, f"{FOLDER.name}redrive_of.json", second.model_dump_json().encode())
    put(blobs, f"{second.name}redrive_of.json", FOLDER.model_dump_json().encode())

    with pytest.raises(DocumentGone):
        await opened_page(blobs, opening(9, folder("r3"), second))


# In the place of a shard that was lost


async def test_what_a_lost_shard_has_answered_is_reused_and_nothing_is_written(blobs: MemoryBlobs) -> None:
    await opened_page(blobs, opening(1))
    put_answer(blobs, "a")
    put_failure(blobs, "c")
    before = blobs.contents("results")

    opened = await opened_page(blobs, opening(1, FOLDER, FOLDER))

    assert (opened.reused, names_of(opened)) == (["a"], [["b"], ["c"]])
    assert blobs.contents("results") == before


async def test_a_lost_shard_of_a_redrive_keeps_what_was_taken_over_and_answered(blobs: MemoryBlobs) -> None:
    second = folder("r2")
    put_answer(blobs, "b")
    await opened_page(blobs, opening(1, second, FOLDER))
    put_answer(blobs, "c", where=second)

    assert (await opened_page(blobs, opening(1, second, second))).reused == ["b", "c"]


async def test_a_shard_of_a_redrive_that_was_lost_before_it_had_its_page_gets_it(blobs: MemoryBlobs) -> None:
    second = folder("r2")
    put_answer(blobs, "d")
    await opened_page(blobs, opening(1, second, FOLDER))

    opened = await opened_page(blobs, opening(2, second, second))

    assert (opened.reused, names_of(opened)) == (["d"], [])
    assert results(blobs, second) == ["d.json"]


async def test_a_lost_shard_s_page_that_nobody_planned_is_an_error(blobs: MemoryBlobs) -> None:
    with pytest.raises(DocumentGone):
        await opened_page(blobs, opening(9, FOLDER, FOLDER))


async def test_answers_of_a_lost_shard_of_a_reduction_are_found(blobs: MemoryBlobs) -> None:
    page = blobs.contents("results")[page_blob(FOLDER, "map", 1)]
    put(blobs, f"{FOLDER.name}reduce/1/plan/00001.json", page)
    put(blobs, f"{FOLDER.name}reduce/1/answers/b.json", b"{}")

    opened = await opened_page(blobs, OpenPage(folder=FOLDER, stage="reduce-1", number=1, redrive_of=FOLDER))

    assert (opened.reused, names_of(opened)) == (["b"], [["a"], ["c"]])
