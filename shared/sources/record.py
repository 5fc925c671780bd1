"""A record of a blob, and where the next begins."""

from __future__ import annotations

from typing import NamedTuple

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Of a line of `jsonl` or a row of `csv`; one that is split may be larger than a document that is not."""


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
