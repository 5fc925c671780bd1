"""Texts packed in order into as few groups as a size allows, and cut where one alone is larger."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from shared.tokens import text_bytes


def packed(sizes: Sequence[int], limit: int, separator: int, most: int | None = None) -> list[range]:
    """Consecutive groups of positions, each as full as it can be; no other packing in order has fewer groups.

    The sizes of a group and a `separator` between each two of them come to at most `limit`, and a group has at most
    `most` members. No size may be above `limit`.
    """
    starts = [0]
    used = 0
    for position, size in enumerate(sizes):
        first = position == starts[-1]
        added = size if first else separator + size
        if not first and (used + added > limit or position - starts[-1] == most):
            starts.append(position)
            used = size
        else:
            used += added
    return [range(start, end) for start, end in pairwise([*starts, len(sizes)])] if sizes else []


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
