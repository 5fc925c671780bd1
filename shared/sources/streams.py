"""A blob of records as one stream of UTF-8, from any offset."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from shared.blobs import BlobInfo, Blobs
from shared.sources.encoding import UTF8, marked_encoding, plain_name
from shared.sources.pieces import GZIP_MAGIC, Pieces, stored_pieces, transcoded, unpacked, without_first

MAX_UNPACKED_BYTES = 1024**3
"""Of a blob of records that is compressed: each step of planning decompresses it from its start."""


class Stream(NamedTuple):
    """Pieces of UTF-8. `encoding` None says that they are what the blob has, and each line tells what it is."""

    pieces: Pieces
    encoding: str | None


async def opened(
    blobs: Blobs, container: str, blob: BlobInfo, head: bytes, *, encoding: str | None, offset: int
) -> Stream:
    """The blob that begins with `head`, unpacked and in UTF-8, from `offset` of that.

    What is UTF-8 as it stands is read from there; all else is read from the start.
    """
    if not head.startswith(GZIP_MAGIC):
        named = encoding or marked_encoding(head)
        plain = plain_name(named) if named else None
        if plain or not named:
            pieces = stored_pieces(blobs, container, blob, b"" if offset else head, offset)
            return Stream(pieces, plain)
    pieces = unpacked(stored_pieces(blobs, container, blob, head), MAX_UNPACKED_BYTES)
    first = await anext(pieces, b"")
    named = encoding or marked_encoding(first)
    plain = plain_name(named) if named else None
    whole = _joined(first, pieces)
    utf8 = transcoded(whole, named) if named and not plain else whole
    return Stream(without_first(utf8, offset), plain or (UTF8 if named else None))


async def _joined(first: bytes, others: Pieces) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece
