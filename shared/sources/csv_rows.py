"""`csv`: a document a row, told as a JSON object of its columns."""

from __future__ import annotations

import codecs
import csv
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from shared.errors import DocumentUnreadable, PermanentAgentError
from shared.sources.encoding import decoded_line
from shared.sources.lines import Line, LineCutter
from shared.sources.record import MAX_RECORD_BYTES, Blanks, Position, Record
from shared.sources.streams import Stream

COLUMNS_SHOWN = 20
MAX_HEADER_CHARS = 20_000
"""The header is in the cursor of each step of planning."""

csv.field_size_limit(MAX_RECORD_BYTES)


class Column(NamedTuple):
    """A column of the header that documents have."""

    place: int
    name: str


async def csv_records(
    stream: Stream, start: Position, *, columns: Sequence[str] | None, delimiter: str
) -> AsyncIterator[Record]:
    """A record for each row that has a value; `columns` are those that it tells, or else all.

    A row that is shorter than the header lacks the columns that it does not reach; one with values beyond it has a
    problem, because nobody can say whose they are.
    """
    rows = RowReader(stream, start.offset, delimiter)
    header = start.columns or await _header(rows)
    if header is None:
        return
    chosen = _chosen(header, columns)
    number, blanks = start.number, Blanks()
    while (row := await rows.next()) is not None:
        number += 1 if row.fields or row.problem else 0
        if row.is_blank:
            blanks.add()
            continue
        blanks.end()
        end = Position(number, rows.end, header)
        if row.problem is None:
            yield _record(row.fields, header, chosen, end)
        else:
            yield Record(end, problem=f"row {number}: {row.problem}")


async def _header(rows: RowReader) -> list[str] | None:
    blanks = Blanks()
    while (row := await rows.next()) is not None and row.is_blank:
        blanks.add()
    if row is None:
        return None
    if row.problem is not None:
        raise DocumentUnreadable(f"the header: {row.problem}")
    if sum(len(name) for name in row.fields) > MAX_HEADER_CHARS:
        raise DocumentUnreadable(f"the header has more than {MAX_HEADER_CHARS:,} characters: is the first row one?")
    return [name.strip() for name in row.fields]


def _chosen(header: Sequence[str], columns: Sequence[str] | None) -> list[Column]:
    """The columns to tell; `DocumentUnreadable` if one is not there, or there twice."""
    wanted = header if columns is None else [name.strip() for name in columns]
    for name in wanted:
        if name not in header:
            shown = ", ".join(repr(known[:100]) for known in header[:COLUMNS_SHOWN])
            more = ", …" if len(header) > COLUMNS_SHOWN else ""
            raise DocumentUnreadable(f"there is no column {name!r}; the header has {shown}{more}: see source.columns")
        if header.count(name) > 1:
            raise DocumentUnreadable(f"the header has the column {name!r} twice: name others in source.columns")
    return [Column(header.index(name), name) for name in wanted]


def _record(fields: Sequence[str], header: Sequence[str], chosen: Sequence[Column], end: Position) -> Record:
    if any(field.strip() for field in fields[len(header) :]):
        told = f"row {end.number} has {len(fields)} fields under a header of {len(header)}"
        return Record(end, problem=f"{told}: is source.delimiter right, are quotes missing?")
    values = {column.name: fields[column.place] for column in chosen if column.place < len(fields)}
    return Record(end, json.dumps(values, ensure_ascii=False, separators=(",", ":")))


class Row(NamedTuple):
    """The fields of a row, or the problem with it."""

    fields: list[str]
    problem: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether there is no value in it."""
        return self.problem is None and not any(field.strip() for field in self.fields)


class RowReader:
    """Rows of a stream, from `offset`."""

    def __init__(self, stream: Stream, offset: int, delimiter: str) -> None:
        self._ahead = LinesAhead(stream, offset)
        # Not strict, an unclosed quote would silently make the rest of the blob one field.
        self._parser = csv.reader(self._ahead.lines(), delimiter=delimiter, strict=True)

    @property
    def end(self) -> int:
        """The offset after the last row."""
        return self._ahead.end

    async def next(self) -> Row | None:
        """The next row, None at the end; `DocumentUnreadable` if it is so long that its end cannot be found."""
        await self._ahead.begin_row()
        try:
            fields = next(self._parser, None)
        except csv.Error as exc:
            return Row([], f"its quotes are not those of CSV ({exc})")
        return None if fields is None else Row(fields, self._ahead.problem)


class LinesAhead:
    """What a parser that is not asynchronous takes its lines from: as many as a row has, and a row may have many.

    There is always enough of the stream in memory for the longest row, or all that is left. An error of the stream
    counts once the rows before it are read. `end` is the offset after the lines that were taken, and `problem` why one
    of this row is no text.
    """

    def __init__(self, stream: Stream, offset: int) -> None:
        self.end = offset
        self.problem: str | None = None
        self._encoding = stream.encoding
        self._pieces = stream.pieces
        self._cutter = LineCutter(offset, MAX_RECORD_BYTES)
        self._ahead = deque[bytes]()
        self._ahead_bytes = 0
        self._row_bytes = 0
        self._has_more = True
        self._cut_off: PermanentAgentError | None = None
        self._is_at_start = offset == 0

    async def begin_row(self) -> None:
        """Have enough for a row."""
        self._row_bytes, self.problem = 0, None
        while self._has_more and self._ahead_bytes <= MAX_RECORD_BYTES:
            try:
                piece = await anext(self._pieces, None)
            except PermanentAgentError as exc:
                piece, self._cut_off = None, exc
            self._has_more = piece is not None
            if piece:
                self._ahead.append(piece)
                self._ahead_bytes += len(piece)

    def lines(self) -> Iterator[str]:
        """The lines; `DocumentUnreadable` within a row that is too long."""
        while self._ahead:
            piece = self._ahead.popleft()
            self._ahead_bytes -= len(piece)
            for line in self._cutter.fed(piece):
                yield self._checked(line)
        if self._has_more:
            raise _too_long()
        if self._cut_off is not None:
            raise self._cut_off
        for line in self._cutter.rest():
            yield self._checked(line)

    def _checked(self, line: Line) -> str:
        self._row_bytes += len(line.data or b"")
        if line.data is None or self._row_bytes > MAX_RECORD_BYTES:
            raise _too_long()
        self.end = line.end
        return self._text(line.data)

    def _text(self, data: bytes) -> str:
        if self._is_at_start:
            data, self._is_at_start = data.removeprefix(codecs.BOM_UTF8), False
        try:
            return decoded_line(data, self._encoding)
        except DocumentUnreadable as exc:
            self.problem = exc.message
            return data.decode(errors="replace")


def _too_long() -> DocumentUnreadable:
    reason = f"a row has more than {MAX_RECORD_BYTES:,} bytes, so this and the rows after it are not read"
    return DocumentUnreadable(f"{reason}: is a quote not closed?")
