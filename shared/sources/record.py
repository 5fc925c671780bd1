"""A record of a blob, and where the next begins."""

from __future__ import annotations

from typing import NamedTuple

from shared.errors import DocumentUnreadable

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Of a line of `jsonl` or a row of `csv`; one that is split may be larger than a document that is not."""

MAX_BLANK_LINES = 1_000_000
"""One after the other: they are no records, and a blob that is nothing else, small as it is in gzip, has no end."""


class Position(NamedTuple):
    """The end of a record: its number (of a line, a row or an item, from 1), its offset, and the header above it."""

    number: int = 0
    offset: int = 0
    columns: list[str] | None = None


START = Position()


class Record(NamedTuple):
    """A text, or the problem that there is none."""

    end: Position
    text: str = ""
    problem: str | None = None


class Blanks:
    """Counts lines without a record, from one record to the next."""

    def __init__(self) -> None:
        self._count = 0

    def end(self) -> None:
        """There is a record."""
        self._count = 0

    def add(self) -> None:
        """One more; `DocumentUnreadable` if there are too many."""
        self._count += 1
        if self._count > MAX_BLANK_LINES:
            raise DocumentUnreadable(f"there are more than {MAX_BLANK_LINES:,} blank lines: leave them out")
