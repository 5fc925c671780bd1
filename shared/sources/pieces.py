"""The bytes of a blob, a piece at a time: as they are stored, unpacked, and as UTF-8."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import AsyncIterator, Iterator

from shared.blobs import BlobInfo, Blobs
from shared.errors import DocumentUnreadable
from shared.sources.encoding import undecodable

PIECE_BYTES = 4 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
"""No text begins like this, in any encoding that is common."""
AS_GZIP = zlib.MAX_WBITS | 16

Pieces = AsyncIterator[bytes]


async def head_of(blobs: Blobs, container: str, blob: BlobInfo, most: int = PIECE_BYTES) -> bytes:
    """The first bytes of `blob`, as it was when it was listed: `DocumentChanged` if it is another now."""
    length = min(most, blob.size)
    return await blobs.read(container, blob.name, length=length, etag=blob.etag) if length else b""


async def stored_pieces(blobs: Blobs, container: str, blob: BlobInfo, head: bytes = b"", offset: int = 0) -> Pieces:
    """The bytes of `blob`: the `head` of it, and then the others from `offset`, or from where it ends."""
    if head:
        yield head
    for start in range(offset or len(head), blob.size, PIECE_BYTES):
        length = min(PIECE_BYTES, blob.size - start)
        yield await blobs.read(container, blob.name, offset=start, length=length, etag=blob.etag)


async def unpacked(pieces: Pieces, most: int) -> Pieces:
    """The pieces, decompressed if they are gzip; `DocumentUnreadable` if gzip is broken or beyond `most` bytes."""
    gunzip: Gunzip | None = None
    is_first = True
    async for piece in pieces:
        if is_first and piece.startswith(GZIP_MAGIC):
            gunzip = Gunzip(most)
        is_first = False
        if gunzip is None:
            yield piece
        else:
            for part in gunzip.fed(piece):
                yield part
    if gunzip is not None:
        gunzip.check_end()


def unpacked_whole(data: bytes, most: int) -> bytes:
    """The same for all of a blob's bytes."""
    if not data.startswith(GZIP_MAGIC):
        return data
    gunzip = Gunzip(most)
    parts = list(gunzip.fed(data))
    gunzip.check_end()
    return b"".join(parts)


class Gunzip:
    """Decompresses gzip, also of several members one after the other, up to `most` bytes of output."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made = 0
        self._member = zlib.decompressobj(AS_GZIP)
        self._begun = False

    def fed(self, data: bytes) -> Iterator[bytes]:
        """What `data` decompresses to, in pieces of at most `PIECE_BYTES`."""
        while data:
            if self._member.eof:
                self._member, self._begun = zlib.decompressobj(AS_GZIP), False
            if not self._begun:
                # Between members, and after the last, zeros fill up a block.
                data = data.lstrip(b"\x00")
                self._begun = bool(data)
            part, data = self._decompressed(data)
            if part:
                yield part

    def check_end(self) -> None:
        """Raise `DocumentUnreadable` if there should have been more."""
        if self._begun and not self._member.eof:
            raise DocumentUnreadable("it is gzip that ends too early: upload it again")

    def _decompressed(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            part = self._member.decompress(data, PIECE_BYTES)
        except zlib.error as exc:
            raise DocumentUnreadable(f"it is gzip that cannot be decompressed ({exc}): upload it again") from exc
        self._made += len(part)
        if self._made > self._most:
            raise DocumentUnreadable(
                f"decompressed, it is more than {self._most:,} bytes: divide it into several blobs"
            )
        return part, self._member.unconsumed_tail or self._member.unused_data


async def transcoded(pieces: Pieces, encoding: str) -> Pieces:
    """The pieces, whose text is in `encoding`, in UTF-8."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError as exc:
        raise undecodable("it cannot be read piece by piece", encoding) from exc
    try:
        async for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except (UnicodeError, ValueError) as exc:
        raise undecodable(str(exc), encoding) from exc


async def without_first(pieces: Pieces, count: int) -> Pieces:
    """The pieces without their first `count` bytes."""
    async for piece in pieces:
        rest = piece[count:]
        count = max(count - len(piece), 0)
        if rest:
            yield rest
