"""Where a text is cut: spans of it, each no larger than a size, that overlap by no more than another.

Spans in tokens or characters end at the best boundary that `semantic-text-splitter` finds in them: the longest run of
line breaks, else the end of a line, a sentence, a word, a grapheme, and only in a grapheme that is larger than a span
a character. Spans in lines have so many lines, however long.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from shared.tokens import BYTES_PER_TOKEN, estimated_tokens

Unit = Literal["tokens", "characters", "lines"]

LINE_BREAK = re.compile(r"\r\n|\n|\r")
WINDOW_SPANS = 6
"""The library takes time by the square of what it is shown: so it sees the next few spans' worth of the text."""


class Span(NamedTuple):
    """A part of a text: its characters from `start` (counted from 0) up to `end`, without that one."""

    start: int
    end: int


class Part(NamedTuple):
    """A span with the numbers, from 1, of the first and the last line that it has all or some of."""

    span: Span
    first_line: int
    last_line: int


def parts_of(text: str, unit: Unit, size: int, overlap: int) -> list[Part]:
    """The spans of `text` and their lines; none if it fits into `size` units, and stays whole."""
    spans = spans_of(text, unit, size, overlap)
    if spans == [Span(0, len(text))]:
        return []
    starts = line_starts(text)
    return [Part(span, *lines_of(span, starts)) for span in spans]


def spans_of(text: str, unit: Unit, size: int, overlap: int) -> list[Span]:
    """The spans of `text`, in its order: one if it fits into `size` units.

    A span repeats at most `overlap` units of the one before: a whole number of lines, sentences or words if possible.
    Only white space is in none: a span does not begin with blank lines, and none is blank. Tokens are those of
    `estimated_tokens`, four UTF-8 bytes each.
    """
    cut = list(_by_lines(text, size, overlap) if unit == "lines" else _by_meaning(text, unit, size, overlap))
    if len(cut) <= 1:
        return [Span(0, len(text))]
    trimmed = [_without_blank_lines(text, span) for span in cut]
    return [span for span in trimmed if not text[span.start : span.end].isspace()] or trimmed[:1]


def line_starts(text: str) -> list[int]:
    """The offset of each line of `text`: CR, LF and CR LF end a line, and after the last of them is none."""
    starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]
    return starts[:-1] if len(starts) > 1 and starts[-1] == len(text) else starts


def lines_of(span: Span, starts: Sequence[int]) -> tuple[int, int]:
    """The numbers, from 1, of the first and the last line that `span` has a part of; `starts` are the lines'."""
    return bisect_right(starts, span.start), bisect_right(starts, span.end - 1)


def _by_lines(text: str, size: int, overlap: int) -> Iterator[Span]:
    starts = line_starts(text)
    for first in range(0, max(len(starts) - overlap, 1), size - overlap):
        last = first + size
        yield Span(starts[first], starts[last] if last < len(starts) else len(text))


def _by_meaning(text: str, unit: Unit, size: int, overlap: int) -> Iterator[Span]:
    most = size * BYTES_PER_TOKEN if unit == "tokens" else size
    splitter = _splitter(unit, size, overlap)
    at = 0
    while at < len(text):
        window = text[at : at + WINDOW_SPANS * most]
        is_last = at + len(window) >= len(text)
        spans = [Span(at + start, at + start + len(part)) for start, part in splitter.chunk_indices(window)]
        # What is cut within reach of the window's end could be cut elsewhere if the library saw more.
        sure = len(spans) if is_last else sum(span.start - at + 2 * most <= len(window) for span in spans)
        yield from spans[:sure]
        at = len(text) if is_last else spans[sure].start


def _splitter(unit: Unit, size: int, overlap: int) -> Any:
    from semantic_text_splitter import TextSplitter

    if unit == "tokens":
        return TextSplitter.from_callback(estimated_tokens, size, overlap=overlap, trim=False)
    return TextSplitter(size, overlap=overlap, trim=False)


def _without_blank_lines(text: str, span: Span) -> Span:
    """The span without blank lines at its start: the indentation of its first line stays."""
    part = text[span.start : span.end]
    white = part[: len(part) - len(part.lstrip())]
    breaks = [found.end() for found in LINE_BREAK.finditer(white)]
    return Span(span.start + breaks[-1], span.end) if breaks and len(white) < len(part) else span
