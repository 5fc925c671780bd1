"""The records of structured outputs as a table: JSON lines, or CSV as RFC 4180 has it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from shared.contracts.branch import BranchOutcome
from shared.contracts.reduction import TableReduction

Record = Mapping[str, JsonValue]
Row = tuple[str, Record]

DOCUMENT = "document"
FORMULA_MARKS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""A spreadsheet may take a text that begins so for a formula (OWASP, CSV Injection), also after blanks."""


def tabulated(outcomes: Sequence[BranchOutcome], table: TableReduction) -> tuple[str, list[str]]:
    """The text of the table, and the names of the outcomes that have no list of records.

    The column of the documents' ids is `document`, with as many underscores before it as keep it apart from fields.
    """
    found = [(outcome.name, records_of(outcome.output, table.records)) for outcome in outcomes]
    rows = [(name, record) for name, records in found for record in records or []]
    columns = table.columns or list(dict.fromkeys(field for _, record in rows for field in record))
    document = apart_from(columns)
    text = as_csv(rows, document, columns) if table.format == "csv" else as_jsonl(rows, document, table.columns)
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


def apart_from(columns: Sequence[str]) -> str:
    """The name of the column of documents, which none of `columns` has."""
    name = DOCUMENT
    while name in columns:
        name = f"_{name}"
    return name


def as_jsonl(rows: Sequence[Row], document: str, columns: Sequence[str] | None) -> str:
    """A JSON object a line; with `columns` each has these fields, null where the record has none."""
    lines = [
        {document: name, **(record if columns is None else {field: record.get(field) for field in columns})}
        for name, record in rows
    ]
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def as_csv(rows: Sequence[Row], document: str, columns: Sequence[str]) -> str:
    """A header and a line a record, each ended by CRLF; a field that is absent or null is an empty cell."""
    header = [document, *map(harmless, columns)]
    lines = [[name, *(cell(record.get(field)) for field in columns)] for name, record in rows]
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
