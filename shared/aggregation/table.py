"""The records of structured outputs as a table: JSON lines, or CSV as RFC 4180 has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from shared.contracts.branch import BranchOutcome
from shared.contracts.reduction import TableReduction
from shared.contracts.split import place_of

Record = Mapping[str, JsonValue]
Row = tuple[Record, Record]
"""Where a record comes from, and the record."""

DOCUMENT = "document"
PART = "part"
FORMULA_MARKS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""A spreadsheet may take a text that begins so for a formula (OWASP, CSV Injection), also after blanks."""


def tabulated(
    outcomes: Sequence[BranchOutcome], table: TableReduction, *, split: bool = False
) -> tuple[str, list[str]]:
    """The text of the table, and the names of the outcomes that have no list of records.

    The column of the documents' ids is `document`. Where documents are `split`, the next is `part`: the number of the
    part that a record is from, none of a document that is whole. Both have as many underscores before them as keep them
    apart from fields.
    """
    found = [(outcome.name, records_of(outcome.output, table.records)) for outcome in outcomes]
    told = [(name, record) for name, records in found for record in records or []]
    columns = table.columns or list(dict.fromkeys(field for _, record in told for field in record))
    places = [apart_from(columns, name) for name in ([DOCUMENT, PART] if split else [DOCUMENT])]
    rows = [(dict(zip(places, place_of(name), strict=False)), record) for name, record in told]
    text = as_csv(rows, places, columns) if table.format == "csv" else as_jsonl(rows, table.columns)
    return text, [name for name, records in found if records is None]


def records_of(output: JsonValue, field: str | None) -> list[Record] | None:
    """The records in the list `field` of `output`, or `output` itself; None when it has no such list.

    An item that is no object is a record of one field, called like the list.
    """
    if field is None:
        return [cast(Record, output)] if isinstance(output, Mapping) else None
    items = cast(Record, output).get(field) if isinstance(output, Mapping) else None
    if not isinstance(items, list):
        return None
    return [item if isinstance(item, dict) else {field: item} for item in items]


def apart_from(columns: Sequence[str], name: str) -> str:
    """`name` for a column of ours, or like it and not among `columns`."""
    while name in columns:
        name = f"_{name}"
    return name


def as_jsonl(rows: Sequence[Row], columns: Sequence[str] | None) -> str:
    """A JSON object a line; with `columns` each has these fields, null where the record has none."""
    lines = [
        {**place, **(record if columns is None else {field: record.get(field) for field in columns})}
        for place, record in rows
    ]
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def as_csv(rows: Sequence[Row], places: Sequence[str], columns: Sequence[str]) -> str:
    """A header and a line a record, each ended by CRLF; a field that is absent or null is an empty cell."""
    header = [*places, *map(harmless, columns)]
    lines = [[*map(cell, place.values()), *(cell(record.get(field)) for field in columns)] for place, record in rows]
    return "".join(f"{','.join(map(quoted, line))}\r\n" for line in [header, *lines])


def cell(value: JsonValue) -> str:
    """Text made harmless; numbers, true and false as in JSON, and so are objects and lists."""
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def harmless(text: str) -> str:
    """`text` with an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.startswith(FORMULA_MARKS) or text.lstrip().startswith(FORMULA_MARKS) else text


def quoted(text: str) -> str:
    """A cell of RFC 4180: between quotes when it has a comma, a quote or a line's end in it."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\r\n') else text
