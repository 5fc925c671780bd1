"""Bytes of a blob, unpacked and transcoded."""

from __future__ import annotations

import asyncio
import gzip
import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blobs import BlobInfo
from shared.errors import DocumentChanged, DocumentUnreadable
from shared.sources import pieces as module
from shared.sources.pieces import (
    GZIP_MAGIC,
    PIECE_BYTES,
    head_of,
    stored_pieces,
    transcoded,
    unpacked,
    unpacked_whole,
    without_first,
)
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.sources.streaming import in_pieces, joined

MANY = 10**9


@given(
    members=st.lists(st.binary(max_size=50), min_size=1, max_size=3), size=st.integers(2, 40), zeros=st.integers(0, 9)
)
def test_gzip_of_several_members_is_unpacked_in_any_pieces(members: list[bytes], size: int, zeros: int) -> None:
    data = b"".join(gzip.compress(member) for member in members) + b"\0" * zeros

    assert asyncio.run(joined(unpacked(in_pieces(data, size), MANY))) == b"".join(members)
    assert unpacked_whole(data, MANY) == b"".join(members)


@given(data=st.binary(max_size=100).filter(lambda data: not data.startswith(GZIP_MAGIC)), size=st.integers(2, 40))
def test_what_is_not_gzip_passes(data: bytes, size: int) -> None:
    assert asyncio.run(joined(unpacked(in_pieces(data, size), 1))) == data
    assert unpacked_whole(data, 1) == data


@pytest.mark.parametrize("cut", [3, 12, 30, -1])
async def test_gzip_that_ends_too_early_is_unreadable(cut: int) -> None:
    data = gzip.compress(os.urandom(50))[:cut]

    with pytest.raises(DocumentUnreadable, match="too early"):
        await joined(unpacked(in_pieces(data, 1000), MANY))


@pytest.mark.parametrize("place", [2, 20, -6])
async def test_gzip_with_a_wrong_byte_is_unreadable(place: int) -> None:
    data = bytearray(gzip.compress(os.urandom(50)))
    data[place] ^= 0xFF

    with pytest.raises(DocumentUnreadable, match="cannot be decompressed"):
        await joined(unpacked(in_pieces(bytes(data), 1000), MANY))


async def test_something_else_after_gzip_is_unreadable() -> None:
    with pytest.raises(DocumentUnreadable):
        await joined(unpacked(in_pieces(gzip.compress(b"text") + b"and more", 1000), MANY))


async def test_a_decompression_bomb_ends_at_the_bound_and_its_memory_at_a_piece() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    sizes: list[int] = []

    async def unpack() -> None:
        async for piece in unpacked(in_pieces(bomb, 1_000_000), 100_000_000):
            sizes.append(len(piece))  # noqa: PERF401

    tracemalloc.start()
    with pytest.raises(DocumentUnreadable, match="more than 100,000,000 bytes"):
        await unpack()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 90_000_000 < sum(sizes) <= 100_000_000
    assert peak < 4 * PIECE_BYTES


def test_gzip_of_a_whole_blob_has_the_same_bound() -> None:
    assert len(unpacked_whole(gzip.compress(b"a" * 100), 100)) == 100
    with pytest.raises(DocumentUnreadable, match="more than 99 bytes"):
        unpacked_whole(gzip.compress(b"a" * 100), 99)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-be", "shift-jis", "latin-1"])
@pytest.mark.parametrize("size", [1, 3, 7])
async def test_text_is_transcoded_in_any_pieces(encoding: str, size: int) -> None:
    text = "a\nb" if encoding == "shift-jis" else "größer\nals"

    assert (await joined(transcoded(in_pieces(text.encode(encoding), size), encoding))).decode() == text


@pytest.mark.parametrize(("data", "encoding"), [(b"\xff\xfea", "utf-16"), (b"\x81", "shift-jis"), (b"+2AA-", "utf-7")])
async def test_what_is_not_text_of_the_encoding_is_unreadable(data: bytes, encoding: str) -> None:
    with pytest.raises(DocumentUnreadable, match=encoding):
        await joined(transcoded(in_pieces(data, 100), encoding))


@given(data=st.binary(max_size=60), size=st.integers(1, 9), count=st.integers(0, 70))
def test_the_first_bytes_are_left_out(data: bytes, size: int, count: int) -> None:
    assert asyncio.run(joined(without_first(in_pieces(data, size), count))) == data[count:]


@pytest.mark.parametrize("head", [0, 4, 10, 25])
async def test_a_blob_is_read_after_its_head(monkeypatch: pytest.MonkeyPatch, head: int) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 10)
    data = bytes(range(25))
    blobs = MemoryBlobs({"docs": {"b": data}})
    [info] = (await blobs.listed("docs", "")).blobs
    first = await head_of(blobs, "docs", info, head)

    assert await joined(stored_pieces(blobs, "docs", info, first)) == data
    assert await joined(stored_pieces(blobs, "docs", info, offset=7)) == data[7:]
    assert all(operation != "stream" for operation, _ in blobs.calls)


async def test_a_blob_that_was_written_again_is_not_read() -> None:
    blobs = MemoryBlobs({"docs": {"b": b"new"}})

    with pytest.raises(DocumentChanged):
        await joined(stored_pieces(blobs, "docs", BlobInfo("b", 3, '"old"')))
    with pytest.raises(DocumentChanged):
        await head_of(blobs, "docs", BlobInfo("b", 3, '"old"'))
