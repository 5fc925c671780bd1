"""`json`: a document an item of an array."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import cast

from shared.errors import DocumentUnreadable
from shared.sources.encoding import MARK, decoded_line
from shared.sources.pieces import Pieces
from shared.sources.record import Position, Record
from shared.sources.streams import Stream
from shared.sources.values import parsed, told

MAX_JSON_BYTES = 64 * 1024 * 1024
"""Of a blob: it is parsed as a whole."""
KEYS_SHOWN = 10


async def json_records(stream: Stream, start: Position, *, path: str | None) -> AsyncIterator[Record]:
    """The items after number `start.number` of the array at `path`, keys with dots between them; None is the root."""
    text = decoded_line(await _whole(stream.pieces), stream.encoding).removeprefix(MARK)
    items = _array_at(path, parsed(text, "the blob"))
    offset = start.offset
    for number, item in enumerate(items[start.number :], start=start.number + 1):
        record = _record(item, Position(number, offset))
        offset += len(record.text)
        yield record._replace(end=Position(number, offset))


async def _whole(pieces: Pieces) -> bytes:
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > MAX_JSON_BYTES:
            raise DocumentUnreadable(
                f"the blob is more than {MAX_JSON_BYTES:,} bytes of JSON: "
                "give it with an item a line (format 'jsonl'), or divide it"
            )
    return bytes(data)


def _array_at(path: str | None, value: object) -> list[object]:
    where, current = "the root", value
    for key in path.split(".") if path else []:
        members = _members(current)
        if key not in members:
            raise DocumentUnreadable(f"there is no {key!r} in {where}, which is {_described(current)}: see source.path")
        current, where = members[key], repr(key)
    if not isinstance(current, list):
        raise DocumentUnreadable(f"{where} is no array but {_described(current)}: say where one is in source.path")
    return cast(list[object], current)


def _members(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, dict) else {}


def _described(value: object) -> str:
    if isinstance(value, list):
        return "an array"
    if not isinstance(value, dict):
        return "a plain value"
    keys = list(_members(cast(object, value)))
    shown = ", ".join(repr(key[:100]) for key in keys[:KEYS_SHOWN])
    more = ", …" if len(keys) > KEYS_SHOWN else ""
    return f"an object with the keys {shown}{more}" if keys else "an empty object"


def _record(item: object, end: Position) -> Record:
    try:
        return Record(end, told(item, f"item {end.number}"))
    except DocumentUnreadable as exc:
        return Record(end, problem=exc.message)
