"""`jsonl`: a document a line."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator

from shared.errors import DocumentUnreadable
from shared.sources.encoding import decoded_line
from shared.sources.lines import lines_in
from shared.sources.record import MAX_RECORD_BYTES, Blanks, Position, Record
from shared.sources.streams import Stream
from shared.sources.values import parsed, told


async def jsonl_records(stream: Stream, start: Position) -> AsyncIterator[Record]:
    """A record for each line that is not blank; blank lines count in its number."""
    number, blanks = start.number, Blanks()
    async for line in lines_in(stream.pieces, offset=start.offset, most=MAX_RECORD_BYTES):
        number += 1
        data = line.data.removeprefix(codecs.BOM_UTF8) if line.data and number == 1 else line.data
        if data is not None and (not data or data.isspace()):
            blanks.add()
            continue
        blanks.end()
        if data is None:
            problem = f"line {number} has more than {MAX_RECORD_BYTES:,} bytes: divide it"
            yield Record(Position(number, line.end), problem=problem)
        else:
            yield _record(data, stream.encoding, Position(number, line.end))


def _record(data: bytes, encoding: str | None, end: Position) -> Record:
    what = f"line {end.number}"
    try:
        return Record(end, told(parsed(decoded_line(data, encoding), what), what))
    except DocumentUnreadable as exc:
        problem = exc.message if exc.message.startswith(what) else f"{what}: {exc.message}"
        return Record(end, problem=problem)
