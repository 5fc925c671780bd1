"""Short texts that stand side by side in one blob, fetched together."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from shared.blobs import BlobPage, Blobs
from shared.stored_names import is_part

WINDOW_BYTES = 262_144
"""Fetched at a time: hundreds of records."""
MOST_WINDOWS = 32
"""Kept at a time; the least recently used are forgotten."""


class ReadAhead(Blobs):
    """`Blobs` that fetch a window of a blob of texts, for the first text in it and for those beside it.

    The units of a page are next to each other in the blobs that planning has written, and are read at almost the same
    time: without this each of them would cost a request. Those blobs are written before the first text is read, and
    never after. Long texts are fetched alone, and so is everything else.
    """

    def __init__(self, blobs: Blobs, window_bytes: int = WINDOW_BYTES, most_windows: int = MOST_WINDOWS) -> None:
        self._blobs = blobs
        self._window_bytes = window_bytes
        self._most_windows = most_windows
        self._windows: OrderedDict[tuple[str, str, int], asyncio.Task[bytes]] = OrderedDict()

    async def listed(self, container: str, prefix: str, *, after: str | None = None, most: int = 5_000) -> BlobPage:
        """See `Blobs`."""
        return await self._blobs.listed(container, prefix, after=after, most=most)

    async def read(
        self, container: str, name: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """See `Blobs`."""
        if etag is not None or length is None or length > self._window_bytes // 2 or not is_part(name):
            return await self._blobs.read(container, name, offset=offset, length=length, etag=etag)
        first, last = offset // self._window_bytes, (offset + max(length, 1) - 1) // self._window_bytes
        found = [await self._window(container, name, number) for number in range(first, last + 1)]
        start = offset - first * self._window_bytes
        return b"".join(found)[start : start + length]

    def stream(self, container: str, name: str, *, etag: str | None = None) -> AsyncIterator[bytes]:
        """See `Blobs`."""
        return self._blobs.stream(container, name, etag=etag)

    async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Blobs`."""
        return await self._blobs.write(container, name, data, only_new=only_new)

    async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
        """See `Blobs`."""
        await self._blobs.stage(container, name, block, data)

    async def commit(self, container: str, name: str, blocks: Sequence[int]) -> None:
        """See `Blobs`."""
        await self._blobs.commit(container, name, blocks)

    async def close(self) -> None:
        """See `Blobs`."""
        self._windows.clear()
        await self._blobs.close()

    async def _window(self, container: str, name: str, number: int) -> bytes:
        """One fetch for all who ask; nobody who gives up takes it from the others, and a failed one is not kept."""
        key = (container, name, number)
        fetch = self._windows.get(key)
        if fetch is None:
            size = self._window_bytes
            fetch = asyncio.ensure_future(self._blobs.read(container, name, offset=number * size, length=size))
            self._windows[key] = fetch
            fetch.add_done_callback(lambda ended: self._forget_failed(key, ended))
            if len(self._windows) > self._most_windows:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        return await asyncio.shield(fetch)

    def _forget_failed(self, key: tuple[str, str, int], fetch: asyncio.Task[bytes]) -> None:
        """Also when everybody who asked has given up, and nobody hears of it."""
        if (fetch.cancelled() or fetch.exception() is not None) and self._windows.get(key) is fetch:
            del self._windows[key]
