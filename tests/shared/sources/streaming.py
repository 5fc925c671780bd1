"""Streams of bytes in the pieces that a test chooses."""

from __future__ import annotations

from collections.abc import AsyncIterator

from shared.blobs import BlobInfo
from shared.contracts.storage import BlobSource
from shared.sources.pieces import head_of
from shared.sources.record import START, Position, Record
from shared.sources.records import records_of
from tests.shared.memory_blobs import MemoryBlobs

SOURCE = "docs"
BLOB = "blob"


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def joined(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def records(data: bytes, start: Position = START, most: int | None = None, **source: object) -> list[Record]:
    """The first `most` records of a blob of `data`."""
    blobs = MemoryBlobs({SOURCE: {BLOB: data}})
    [info] = (await blobs.listed(SOURCE, "")).blobs
    return await records_in(blobs, info, start, most, **source)


async def records_in(
    blobs: MemoryBlobs, info: BlobInfo, start: Position = START, most: int | None = None, **source: object
) -> list[Record]:
    given = BlobSource.model_validate({"container": SOURCE, **source})
    head = await head_of(blobs, SOURCE, info, 16 if start.offset else 4096)
    found: list[Record] = []
    async for record in records_of(blobs, given, info, head, start):
        found.append(record)
        if len(found) == most:
            break
    return found


async def texts(data: bytes, **source: object) -> list[str]:
    return [record.text for record in await records(data, **source)]
