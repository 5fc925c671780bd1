"""Blobs with many documents in each: their records, as texts, from any position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from shared.blobs import BlobInfo, Blobs
from shared.contracts.storage import BlobSource
from shared.sources.csv_rows import csv_records
from shared.sources.json_items import json_records
from shared.sources.json_lines import jsonl_records
from shared.sources.record import START, Position, Record
from shared.sources.streams import Stream, opened

RECORD_FORMATS = frozenset({"jsonl", "csv", "json"})


async def records_of(
    blobs: Blobs, source: BlobSource, blob: BlobInfo, head: bytes, start: Position = START
) -> AsyncGenerator[Record]:
    """The records of `blob`, which begins with `head`, after the one at whose end is `start`.

    A record that cannot be read has a problem; `DocumentUnreadable` says that this and all after it cannot.
    """
    offset = 0 if source.format == "json" else start.offset
    stream = await opened(blobs, source.container, blob, head, encoding=source.encoding, offset=offset)
    async for record in _records(source, stream, start):
        yield record


def _records(source: BlobSource, stream: Stream, start: Position) -> AsyncIterator[Record]:
    if source.format == "json":
        return json_records(stream, start, path=source.path)
    if source.format == "csv":
        return csv_records(stream, start, columns=source.columns, delimiter=source.delimiter or ",")
    return jsonl_records(stream, start)
