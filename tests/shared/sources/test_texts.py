"""Blobs that are a document each, and the texts that works are about."""

from __future__ import annotations

import gzip

import pytest

from shared.blobs import BlobInfo
from shared.contracts.base import MAX_TEXT_CHARS
from shared.contracts.work import RunFolder, TextPlace
from shared.errors import DocumentChanged, DocumentGone, DocumentUnreadable
from shared.sources import texts
from shared.sources.texts import estimated_blob_tokens, text_at, text_of_blob
from tests.shared.memory_blobs import MemoryBlobs

FOLDER = RunFolder(container="out", name="runs/r1/", run_id="r1")


async def read(data: bytes, **place: object) -> str:
    blobs = MemoryBlobs({"docs": {"a": data}})
    return await text_at(blobs, FOLDER, TextPlace.model_validate({"container": "docs", "blob": "a", **place}))


async def test_a_blob_is_read_in_its_encoding_and_unpacked() -> None:
    assert await read("größer".encode()) == "größer"
    assert await read("größer".encode("cp1252")) == "größer"
    assert await read(gzip.compress("größer".encode("utf-16"))) == "größer"
    assert await read("größer".encode("cp850"), encoding="cp850") == "größer"


async def test_a_text_of_the_folder_is_the_range_of_bytes_as_it_was_written() -> None:
    data = "vor\ufeffnach\0".encode()
    blobs = MemoryBlobs({"out": {"runs/r1/parts/00001.txt": b"xx" + data + b"yy"}})

    assert await text_at(blobs, FOLDER, TextPlace(blob="parts/00001.txt", offset=2, length=len(data))) == data.decode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"\0", "NUL"),
        (b"x" * (MAX_TEXT_CHARS + 1), "at most 200,000 are read at once"),
        (b"x" * (4 * MAX_TEXT_CHARS + 1), "at most 800,000 are read: split it"),
        (gzip.compress(b"x" * 10_000_000, mtime=0), "more than 800,000 bytes"),
        (gzip.compress(b"x" * 100, mtime=0)[:-1], "too early"),
    ],
)
async def test_what_is_no_text_for_a_model_is_unreadable(data: bytes, told: str) -> None:
    with pytest.raises(DocumentUnreadable, match=told):
        await read(data)


async def test_the_longest_text_is_read() -> None:
    assert len(await read(("\U0001f600" * MAX_TEXT_CHARS).encode())) == MAX_TEXT_CHARS


async def test_a_blob_that_is_gone_or_another_says_so() -> None:
    with pytest.raises(DocumentGone):
        await read(b"x", blob="b")
    with pytest.raises(DocumentChanged):
        await read(b"x", etag='"other"')


async def test_a_blob_to_split_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_SPLIT_BYTES", 100)
    blobs = MemoryBlobs({"docs": {"a": b"x" * 101, "b": gzip.compress(b"x" * 101), "c": b"x" * 100}})
    listed = (await blobs.listed("docs", "")).blobs
    for info in listed[:2]:
        with pytest.raises(DocumentUnreadable, match="100"):
            await text_of_blob(blobs, "docs", info, b"", None)
    assert await text_of_blob(blobs, "docs", listed[2], b"xxx", None) == "x" * 100


def test_the_tokens_of_a_blob_are_a_quarter_of_its_bytes_and_more_of_gzip() -> None:
    assert estimated_blob_tokens(BlobInfo("a.txt", 9, "")) == 3
    assert estimated_blob_tokens(BlobInfo("a.txt.gz", 8, "")) == 10
