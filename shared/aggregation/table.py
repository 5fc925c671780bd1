"""The records of structured outputs as a table: JSON lines, or CSV as RFC 4180 has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import JsonValue

from shared.contracts.branch import BranchOutcome
from shared.contracts.reduction import TableReduction
from shared.contracts.split import place_of

Record = Mapping[str, JsonValue]

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
    layout = Layout.of(table, (record for _, record in told), split=split)
    lines = [layout.line(*place_of(name), record) for name, record in told]
    return layout.header + "".join(lines), [name for name, records in found if records is None]


@dataclass(frozen=True, slots=True)
class Layout:
    """The lines of a table: under `places`, the names of our columns, where a record is from, then its `columns`.

    `fields` are those that every line of JSON has, all that a record has if None.
    """

    format: Literal["jsonl", "csv"]
    places: Sequence[str]
    columns: Sequence[str]
    fields: Sequence[str] | None

    @classmethod
    def of(cls, table: TableReduction, records: Iterable[Record], *, split: bool) -> Layout:
        """That of a table of these records, which are looked at only if it does not state its columns."""
        columns = table.columns or list(dict.fromkeys(field for record in records for field in record))
        places = [apart_from(columns, name) for name in ([DOCUMENT, PART] if split else [DOCUMENT])]
        return cls(table.format, places, columns, table.columns)

    @property
    def header(self) -> str:
        """The lines before the records."""
        return csv_line([*self.places, *map(harmless, self.columns)]) if self.format == "csv" else ""

    def line(self, document: str, part: int | None, record: Record) -> str:
        """A record from a document, or from a part of it. In CSV, a field that is absent or null is an empty cell."""
        place: dict[str, JsonValue] = dict(zip(self.places, (document, part), strict=False))
        if self.format == "csv":
            return csv_line([*map(cell, place.values()), *(cell(record.get(field)) for field in self.columns)])
        said = record if self.fields is None else {field: record.get(field) for field in self.fields}
        return f"{json.dumps({**place, **said}, ensure_ascii=False)}\n"


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


def csv_line(cells: Sequence[str]) -> str:
    """A line of CSV, ended by CRLF."""
    return f"{','.join(map(quoted, cells))}\r\n"


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
