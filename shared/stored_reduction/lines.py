"""Files of lines, read and written a few megabytes at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import NamedTuple

from pydantic import JsonValue

from shared.blobs import Blobs
from shared.contracts.base import Contract
from shared.contracts.stored_reduction import Lines
from shared.contracts.work import RunFolder
from shared.errors import DocumentGone

WINDOW_BYTES = 4 * 1024 * 1024


class Line(NamedTuple):
    """A line without its end, and its bytes with it: from `begin` up to `end`."""

    begin: int
    end: int
    text: bytes


async def lines_in(blobs: Blobs, folder: RunFolder, lines: Lines) -> AsyncIterator[Line]:
    """The lines of a range of a blob."""
    begin, rest = lines.begin, b""
    for offset in range(lines.begin, lines.end, WINDOW_BYTES):
        length = min(WINDOW_BYTES, lines.end - offset)
        window = await blobs.read(folder.container, folder.name + lines.blob, offset=offset, length=length)
        *whole, rest = (rest + window).split(b"\n")
        for text in whole:
            end = begin + len(text) + 1
            yield Line(begin, end, text)
            begin = end


async def all_lines(blobs: Blobs, folder: RunFolder, blob: str) -> AsyncIterator[Line]:
    """The lines of a whole blob; none if it is not there."""
    begin, rest = 0, b""
    try:
        async for window in blobs.stream(folder.container, folder.name + blob):
            *whole, rest = (rest + window).split(b"\n")
            for text in whole:
                end = begin + len(text) + 1
                yield Line(begin, end, text)
                begin = end
    except DocumentGone:
        return


class FileWriter:
    """A file of the run's folder that grows by what is added, in blocks. Written again, it is the same again."""

    def __init__(self, blobs: Blobs, folder: RunFolder, blob: str) -> None:
        self._blobs = blobs
        self._folder = folder
        self._blob = blob
        self._waiting = bytearray()
        self._blocks = 0
        self.end = 0
        """How many bytes it has."""

    async def add(self, data: bytes) -> None:
        """Write at its end."""
        self._waiting += data
        self.end += len(data)
        if len(self._waiting) >= WINDOW_BYTES:
            await self._stage()

    async def add_line(self, value: Contract | JsonValue) -> None:
        """Write a contract, or another value, as a line of JSON."""
        said = value.model_dump(mode="json") if isinstance(value, Contract) else value
        await self.add(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    async def close(self) -> Lines:
        """Finish it; all of it as lines."""
        container, name = self._folder.container, self._folder.name + self._blob
        if self._blocks == 0:
            await self._blobs.write(container, name, bytes(self._waiting))
        else:
            if self._waiting:
                await self._stage()
            await self._blobs.commit(container, name, range(self._blocks))
        return Lines(blob=self._blob, begin=0, end=self.end)

    async def _stage(self) -> None:
        name = self._folder.name + self._blob
        await self._blobs.stage(self._folder.container, name, self._blocks, bytes(self._waiting))
        self._blocks += 1
        self._waiting.clear()
