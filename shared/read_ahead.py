"""Short texts that stand side by side in one blob, fetched together."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from shared.blobs import BlobPage, Blobs
from shared.stored_names import is_part

WINDOW_BYTES = 262_144
"""Fetched at a time: hundreds of records."""
MOST_WINDOWS = 32
"""Kept at a time; the least recently used are forgotten."""


@dataclass(slots=True, eq=False)
class Window:
    """A part of a blob, and how many of its bytes have been asked for; each text is mostly read once."""

    fetch: asyncio.Task[bytes]
    served: int = 0


class ReadAhead(Blobs):
    """`Blobs` that fetch a window of a blob of texts, for the first text in it and for those beside it.

    The units of a page are next to each other in the blobs that planning has written, and are read at almost the same
    time: without this each of them would cost a request. Those blobs are written before the first text is read, and
    never after. A window of which every byte was asked for is forgotten: only retries ask again. Long texts are
    fetched alone, and so is everything else.
    """

    def __init__(self, blobs: Blobs, window_bytes: int = WINDOW_BYTES, most_windows: int = MOST_WINDOWS) -> None:
        self._blobs = blobs
        self._window_bytes = window_bytes
        self._most_windows = most_windows
        self._windows: OrderedDict[tuple[str, str, int], Window] = OrderedDict()

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
        return b"".join(
            [await self._range((container, name, number), offset, offset + length) for number in range(first, last + 1)]
        )

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

    async def _range(self, key: tuple[str, str, int], first: int, last: int) -> bytes:
        """What a window has of the bytes from `first` to before `last` of its blob."""
        window = self._window(key)
        data = await asyncio.shield(window.fetch)  # who gives up takes it from nobody
        start = key[2] * self._window_bytes
        found = data[max(0, first - start) : last - start]
        window.served += len(found)
        if window.served >= len(data):
            self._forget(key, window)
        return found

    def _window(self, key: tuple[str, str, int]) -> Window:
        """One fetch for all who ask; one that failed is not kept, even if everybody who asked has given up."""
        window = self._windows.get(key)
        if window is None:
            container, name, number = key
            size = self._window_bytes
            fetch = asyncio.ensure_future(self._blobs.read(container, name, offset=number * size, length=size))
            self._windows[key] = window = Window(fetch)
            fetch.add_done_callback(lambda ended: self._forget_failed(key, window, ended))
            if len(self._windows) > self._most_windows:
                self._windows.popitem(last=False)
        self._windows.move_to_end(key)
        return window

    def _forget_failed(self, key: tuple[str, str, int], window: Window, fetch: asyncio.Task[bytes]) -> None:
        if fetch.cancelled() or fetch.exception() is not None:
            self._forget(key, window)

    def _forget(self, key: tuple[str, str, int], window: Window) -> None:
        if self._windows.get(key) is window:
            del self._windows[key]
