from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import DocumentGone
from shared.read_ahead import ReadAhead
from shared.stored_names import is_part, part_path
from tests.shared.memory_blobs import MemoryBlobs

PART = f"runs/1/{part_path(1)}"


def blobs(
    data: bytes, name: str = PART, window_bytes: int = 10, most_windows: int = 4
) -> tuple[MemoryBlobs, ReadAhead]:
    memory = MemoryBlobs({"c": {name: data}})
    return memory, ReadAhead(memory, window_bytes, most_windows)


def reads(memory: MemoryBlobs) -> int:
    return sum(call[0] == "read" for call in memory.calls)


@given(
    data=st.binary(max_size=60),
    window_bytes=st.integers(2, 40),
    most_windows=st.integers(1, 3),
    ranges=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 20)), max_size=12),
)
def test_every_range_is_that_of_the_blob(
    data: bytes, window_bytes: int, most_windows: int, ranges: list[tuple[int, int]]
) -> None:
    async def compared() -> None:
        memory, ahead = blobs(data, window_bytes=window_bytes, most_windows=most_windows)
        found = await asyncio.gather(*(ahead.read("c", PART, offset=at, length=size) for at, size in ranges))
        assert found == [await memory.read("c", PART, offset=at, length=size) for at, size in ranges]

    asyncio.run(compared())


async def test_texts_side_by_side_cost_one_request_also_at_the_same_time() -> None:
    memory, ahead = blobs(b"0123456789")
    assert await asyncio.gather(*(ahead.read("c", PART, offset=n, length=1) for n in range(10))) == [
        b"%d" % n for n in range(10)
    ]
    assert reads(memory) == 1


async def test_a_window_is_kept_until_all_of_it_was_read() -> None:
    memory, ahead = blobs(b"0123456789abcde")
    texts = [await ahead.read("c", PART, offset=at, length=5) for at in (0, 10)]
    assert texts == [b"01234", b"abcde"]
    assert [key[2] for key in ahead._windows] == [0]
    assert await ahead.read("c", PART, offset=5, length=5) == b"56789"
    assert not ahead._windows
    assert reads(memory) == 2


async def test_a_failed_fetch_is_made_again() -> None:
    memory, ahead = blobs(b"0123456789", name="another")
    for _ in range(2):
        with pytest.raises(DocumentGone):
            await ahead.read("c", PART, offset=0, length=1)
    await memory.write("c", PART, b"0123456789")
    assert await ahead.read("c", PART, offset=3, length=2) == b"34"


async def test_one_who_gives_up_takes_nothing_from_the_others() -> None:
    _, ahead = blobs(b"0123456789")
    first, second = (asyncio.create_task(ahead.read("c", PART, offset=n, length=1)) for n in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == b"2"


async def test_a_failed_fetch_that_nobody_waits_for_any_more_is_not_kept() -> None:
    memory, ahead = blobs(b"", name="another")
    gives_up = asyncio.create_task(ahead.read("c", PART, offset=0, length=1))
    await asyncio.sleep(0)
    [window] = ahead._windows.values()
    fetch = window.fetch
    gives_up.cancel()
    await asyncio.wait({gives_up, fetch})
    await memory.write("c", PART, b"0123456789")
    assert await ahead.read("c", PART, offset=3, length=2) == b"34"


async def test_long_texts_other_blobs_and_stated_versions_are_asked_for_as_they_are() -> None:
    memory, ahead = blobs(b"0123456789")
    await memory.write("c", "documents/a.txt", b"0123456789")
    [info] = (await memory.listed("c", "runs/")).blobs
    assert await ahead.read("c", PART, offset=0, length=6) == b"012345"
    assert await ahead.read("c", "documents/a.txt", offset=1, length=2) == b"12"
    assert await ahead.read("c", PART, offset=1, length=2, etag=info.etag) == b"12"
    assert memory.calls.count(("read", PART)) == 2
    assert not ahead._windows


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("runs/1/parts/00001.txt", True),
        ("parts/123456.txt", True),
        ("runs/1/documents/parts/1.txt.json", False),
        ("a/spareparts/00001.txt", False),
        ("a/parts/00001.txt.json", False),
    ],
)
def test_blobs_of_texts_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_part(name) is expected
