from __future__ import annotations

from shared.written_once import WrittenOnce
from tests.shared.memory_blobs import MemoryBlobs


def blobs(most_bytes: int = 1_000) -> tuple[MemoryBlobs, WrittenOnce]:
    memory = MemoryBlobs({"c": {}})
    return memory, WrittenOnce(memory, most_bytes)


def reads(memory: MemoryBlobs) -> int:
    return sum(call[0] == "read" for call in memory.calls)


async def test_what_was_written_as_new_is_read_without_a_request_once() -> None:
    memory, kept = blobs()
    assert await kept.write("c", "a", b"one", only_new=True)
    assert await kept.read("c", "a") == b"one"
    assert reads(memory) == 0
    assert await kept.read("c", "a") == b"one"
    assert reads(memory) == 1


async def test_what_was_there_before_is_not_taken_for_ours() -> None:
    memory, kept = blobs()
    await memory.write("c", "a", b"first")
    assert not await kept.write("c", "a", b"second", only_new=True)
    assert await kept.read("c", "a") == b"first"


async def test_what_is_written_over_is_read_anew() -> None:
    _, kept = blobs()
    await kept.write("c", "a", b"one", only_new=True)
    await kept.write("c", "a", b"two")
    assert await kept.read("c", "a") == b"two"


async def test_a_part_of_a_blob_or_one_of_a_stated_version_is_asked_for() -> None:
    memory, kept = blobs()
    await kept.write("c", "a", b"one", only_new=True)
    assert await kept.read("c", "a", offset=1, length=1) == b"n"
    assert reads(memory) == 1


async def test_no_more_than_so_many_bytes_are_kept() -> None:
    memory, kept = blobs(most_bytes=10)
    for name in "abc":
        await kept.write("c", name, name.encode() * 4, only_new=True)
    assert [await kept.read("c", name) for name in "abc"] == [b"aaaa", b"bbbb", b"cccc"]
    assert reads(memory) == 1
    await kept.write("c", "large", b"x" * 11, only_new=True)
    assert await kept.read("c", "large") == b"x" * 11
    assert reads(memory) == 2
