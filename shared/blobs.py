"""Blobs as the app uses them: the one seam to Blob Storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Protocol


class BlobInfo(NamedTuple):
    """A blob in a listing; `size` in bytes, `etag` changes whenever it is written."""

    name: str
    size: int
    etag: str


class BlobPage(NamedTuple):
    """A part of a listing, in the order of names; `after` continues it, None at its end."""

    blobs: list[BlobInfo]
    after: str | None


class Blobs(Protocol):
    """Containers of blobs. Errors are those of `shared.errors`.

    `StorageUnavailable` once retries have gone on for about half a minute, `StorageForbidden` for a container that may
    not be used or is not there, `DocumentGone` for a blob that is not there, `DocumentChanged` for one that no longer
    has `etag`. Which containers a caller may name is not checked here, but where requests come in and runs begin.
    """

    async def listed(self, container: str, prefix: str, *, after: str | None = None, most: int = 5_000) -> BlobPage:
        """At most `most` blobs whose names begin with `prefix`."""
        ...

    async def read(
        self, container: str, name: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """The bytes of a blob, or `length` of them from `offset`."""
        ...

    def stream(self, container: str, name: str, *, etag: str | None = None) -> AsyncIterator[bytes]:
        """The bytes of a blob in pieces of a few megabytes."""
        ...

    async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """Write a blob as a whole; False if `only_new` and there is one. Makes the container if there is none."""
        ...

    async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
        """Upload block number `block` of a blob, not seen before `commit`; the same number again replaces it."""
        ...

    async def commit(self, container: str, name: str, blocks: Sequence[int]) -> None:
        """Make a blob of staged blocks, in this order."""
        ...

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        ...
