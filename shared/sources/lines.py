"""The lines of a stream of bytes, with where each ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from shared.sources.pieces import Pieces


class Line(NamedTuple):
    """A line with its end, which is CR, LF or CR LF, and the offset after it. `data` is None if it is too long."""

    data: bytes | None
    end: int


async def lines_in(pieces: Pieces, *, offset: int, most: int) -> AsyncIterator[Line]:
    """The lines of `pieces`, which begin at `offset`. Of a line of more than `most` bytes only the end is told."""
    cutter = LineCutter(offset, most)
    async for piece in pieces:
        for line in cutter.fed(piece):
            yield line
    for line in cutter.rest():
        yield line


class LineCutter:
    """Cuts a stream into lines; what it keeps of a line that goes on is bounded."""

    def __init__(self, offset: int, most: int) -> None:
        self._end = offset
        self._most = most
        self._begun: list[bytes] = []
        self._begun_bytes = 0

    def fed(self, piece: bytes) -> Iterator[Line]:
        """The lines that end in `piece`."""
        if self._begun and self._begun[-1].endswith(b"\r"):  # it may have been half of CR LF
            if piece.startswith(b"\n"):
                self._keep(b"\n")
                piece = piece[1:]
            elif not piece:
                return
            yield self._line()
        lines = piece.splitlines(keepends=True)
        unfinished = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            self._keep(line)
            yield self._line()
        self._keep(unfinished)

    def rest(self) -> Iterator[Line]:
        """The last line, if it does not end."""
        if self._begun_bytes:
            yield self._line()

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._begun_bytes += len(data)
        if self._begun_bytes > self._most:
            self._begun = [data[-1:]]  # enough to know a CR by
        else:
            self._begun.append(data)

    def _line(self) -> Line:
        self._end += self._begun_bytes
        data = b"".join(self._begun) if self._begun_bytes <= self._most else None
        self._begun, self._begun_bytes = [], 0
        return Line(data, self._end)
