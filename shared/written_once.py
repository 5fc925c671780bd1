"""What this process has written that nobody writes again, so that it need not be fetched to be read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from shared.blobs import BlobPage, Blobs

MOST_BYTES = 8 * 1_048_576
"""Kept at a time; the oldest are forgotten. A page has 250 documents, whose results are some kilobytes each."""


class WrittenOnce(Blobs):
    """`Blobs` that keep what they have written as new until it is read once.

    A shard's results are read again when its page is closed, moments after they were written and mostly by the same
    process: each would cost a request. Only blobs that were written with `only_new` are kept, which stay as they are.
    """

    def __init__(self, blobs: Blobs, most_bytes: int = MOST_BYTES) -> None:
        self._blobs = blobs
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    async def listed(self, container: str, prefix: str, *, after: str | None = None, most: int = 5_000) -> BlobPage:
        """See `Blobs`."""
        return await self._blobs.listed(container, prefix, after=after, most=most)

    async def read(
        self, container: str, name: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """See `Blobs`."""
        if offset == 0 and length is None and etag is None and (data := self._forget(container, name)) is not None:
            return data
        return await self._blobs.read(container, name, offset=offset, length=length, etag=etag)

    def stream(self, container: str, name: str, *, etag: str | None = None) -> AsyncIterator[bytes]:
        """See `Blobs`."""
        return self._blobs.stream(container, name, etag=etag)

    async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Blobs`."""
        self._forget(container, name)
        written = await self._blobs.write(container, name, data, only_new=only_new)
        if written and only_new:
            self._keep((container, name), data)
        return written

    async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
        """See `Blobs`."""
        await self._blobs.stage(container, name, block, data)

    async def commit(self, container: str, name: str, blocks: Sequence[int]) -> None:
        """See `Blobs`."""
        await self._blobs.commit(container, name, blocks)

    async def close(self) -> None:
        """See `Blobs`."""
        await self._blobs.close()

    def _keep(self, key: tuple[str, str], data: bytes) -> None:
        self._kept[key] = data
        self._bytes += len(data)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest)

    def _forget(self, container: str, name: str) -> bytes | None:
        data = self._kept.pop((container, name), None)
        self._bytes -= len(data) if data is not None else 0
        return data
