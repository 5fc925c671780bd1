"""Texts packed in order into as few groups as a size allows, and cut where one alone is larger."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from shared.tokens import text_bytes


class Packing:
    """Groups of consecutive sizes, each as full as it can be, found one size after the other.

    The sizes of a group and a `separator` between each two of them come to at most `limit`, and a group has at most
    `most` members. No size may be above `limit`.
    """

    def __init__(self, limit: int, separator: int, most: int | None = None) -> None:
        self._limit = limit
        self._separator = separator
        self._most = most
        self._used = 0
        self._members = 0

    def opens(self, size: int) -> bool:
        """Take the next size; whether it is the first of a group."""
        added = self._used + self._separator + size
        first = not self._members or added > self._limit or self._members == self._most
        self._used, self._members = (size, 1) if first else (added, self._members + 1)
        return first


def packed(sizes: Sequence[int], limit: int, separator: int, most: int | None = None) -> list[range]:
    """The positions of the groups that `Packing` makes of `sizes`; no other packing in order has fewer."""
    packing = Packing(limit, separator, most)
    starts = [position for position, size in enumerate(sizes) if packing.opens(size)]
    return [range(start, end) for start, end in pairwise([*starts, len(sizes)])]


def head(text: str, limit: int) -> str:
    """As much of the beginning of `text` as fits into `limit` bytes of UTF-8."""
    if text_bytes(text) <= limit:
        return text
    return text[: bisect_right(range(len(text)), limit, key=lambda end: text_bytes(text[:end])) - 1]


def pieces(text: str, limit: int) -> list[str]:
    """`text` cut into pieces of at most `limit` bytes, at least 4, where possible after a line or a word.

    Joined they are the text again.
    """
    found: list[str] = []
    while text:
        piece = head(text, limit)
        if len(piece) < len(text):
            piece = piece[: _boundary(piece)]
        found.append(piece)
        text = text[len(piece) :]
    return found


def _boundary(text: str) -> int:
    """The last end of a line, else of a word, in the second half of `text`, else its end."""
    half = len(text) // 2
    for mark in ("\n", " "):
        if (found := text.rfind(mark, half)) >= 0:
            return found + 1
    return len(text)
