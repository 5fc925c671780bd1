"""Texts that are not blobs of their own, written to a run's folder one after the other."""

from __future__ import annotations

from shared.blobs import Blobs
from shared.contracts.work import RunFolder, TextPlace
from shared.sources.encoding import UTF8
from shared.stored_names import part_path

PART_BYTES = 8 * 1024 * 1024
"""Of one blob of texts, and so what is kept in memory."""


class Parts:
    """The blobs `parts/00001.txt` and on, of which `written` are there. Texts have a place at once, but for `flush`."""

    def __init__(self, blobs: Blobs, folder: RunFolder, written: int) -> None:
        self.written = written
        self._blobs = blobs
        self._folder = folder
        self._data = bytearray()

    async def added(self, text: str) -> TextPlace:
        """Where `text` will be."""
        data = text.encode()
        if self._data and len(self._data) + len(data) > PART_BYTES:
            await self.flush()
        place = TextPlace(blob=self._name, offset=len(self._data), length=len(data), encoding=UTF8)
        self._data += data
        return place

    async def flush(self) -> None:
        """Write what is not written yet."""
        if self._data:
            await self._blobs.write(self._folder.container, self._folder.name + self._name, bytes(self._data))
            self.written += 1
            self._data = bytearray()

    @property
    def _name(self) -> str:
        return part_path(self.written + 1)
