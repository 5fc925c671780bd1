"""Blobs that are a document each, and the texts that works are about."""

from __future__ import annotations

from shared.blobs import BlobInfo, Blobs
from shared.contracts.base import MAX_TEXT_CHARS
from shared.contracts.work import RunFolder, TextPlace
from shared.errors import DocumentChanged, DocumentUnreadable
from shared.sources.encoding import decoded
from shared.sources.pieces import stored_pieces, unpacked, unpacked_whole
from shared.tokens import BYTES_PER_TOKEN

MAX_DOCUMENT_BYTES = 4 * MAX_TEXT_CHARS
"""Of a document that is read as a whole: no encoding needs more for its characters."""
MAX_SPLIT_BYTES = 50_000_000
"""Of a document that is split, decompressed."""
GZIP_RATIO = 5
"""How many times larger a text is than its gzip, about."""


async def text_of_blob(blobs: Blobs, container: str, blob: BlobInfo, head: bytes, encoding: str | None) -> str:
    """All of a blob to split, which begins with `head`."""
    if problem := size_problem(blob.size, MAX_SPLIT_BYTES):
        raise DocumentUnreadable(problem)
    data = bytearray()
    async for piece in unpacked(stored_pieces(blobs, container, blob, head), MAX_SPLIT_BYTES):
        data += piece
    return decoded(bytes(data), encoding)


async def text_at(blobs: Blobs, folder: RunFolder, place: TextPlace) -> str:
    """The text of a work; `DocumentUnreadable` if it is none for a model: not of its encoding, blank, or too long."""
    if place.container is None:
        name = folder.name + place.blob
        data = await blobs.read(folder.container, name, offset=place.offset, length=place.length, etag=place.etag)
        if place.length is not None and len(data) != place.length:
            raise DocumentChanged(f"{name!r} ends before the text that was planned to be in it")
        text = data.decode()
    else:
        # One byte more shows that it is too large, whatever the size that the listing had.
        most = MAX_DOCUMENT_BYTES + 1 if place.length is None else place.length
        data = await blobs.read(place.container, place.blob, offset=place.offset, length=most, etag=place.etag)
        if problem := size_problem(len(data), MAX_DOCUMENT_BYTES):
            raise DocumentUnreadable(problem)
        text = decoded(unpacked_whole(data, MAX_DOCUMENT_BYTES), place.encoding)
    if problem := text_problem(text):
        raise DocumentUnreadable(problem)
    return text


def size_problem(size: int, most: int) -> str | None:
    """Why a blob of `size` bytes is not read; None if it is."""
    if size == 0:
        return "it is empty"
    if size > most:
        what_to_do = "divide it" if most == MAX_SPLIT_BYTES else "split it, see split"
        return f"it has {size:,} bytes, and at most {most:,} are read: {what_to_do}"
    return None


def text_problem(text: str) -> str | None:
    """Why no model is asked about `text`; None if one is."""
    if not text.strip():
        return "it is empty"
    if len(text) > MAX_TEXT_CHARS:
        reason = f"it has {len(text):,} characters, and at most {MAX_TEXT_CHARS:,} are read at once"
        return f"{reason}: split it into smaller parts, see split"
    return None


def estimated_blob_tokens(blob: BlobInfo) -> int:
    """About how many tokens the text of a blob is that has not been read."""
    size = blob.size * GZIP_RATIO if blob.name.endswith(".gz") else blob.size
    return -(-size // BYTES_PER_TOKEN)
