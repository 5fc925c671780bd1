"""Counts of documents, and the first of their names, as their works are told one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.stored_reduction import MAX_LISTED, Extent, Listed


class Names:
    """A list of names that may become long."""

    def __init__(self) -> None:
        self._count = 0
        self._first: list[str] = []

    def add(self, name: str) -> None:
        """Take the next name."""
        self._count += 1
        if len(self._first) < MAX_LISTED:
            self._first.append(name)

    @property
    def listed(self) -> Listed:
        """All of them."""
        return Listed(count=self._count, names=self._first)


class Documents:
    """Documents by what became of their works, which come one after the other."""

    def __init__(self) -> None:
        self.complete = 0
        """Documents of which every work has an output that is in the answer."""
        self._incomplete = Names()
        self._unreduced = Names()
        self._document: str | None = None
        self._is_split = False
        self._works = self._of = self._answered = self._unread = 0

    def add(self, document: str, of: int | None, *, answered: bool = True, unread: bool = False) -> None:
        """Take the next work, one of the `of` parts of its document, or the whole of it (None).

        It is `unread` if its output is not in the answer, or not as a whole.
        """
        if document != self._document:
            self._flush()
            self._document, self._is_split, self._of = document, of is not None, of or 1
            self._works = self._answered = self._unread = 0
        self._works += 1
        self._answered += answered
        self._unread += unread

    def end(self) -> None:
        """There are no more."""
        self._flush()
        self._document = None

    @property
    def incomplete(self) -> Listed:
        """Split documents of which answers about some parts are missing."""
        return self._incomplete.listed

    @property
    def unreduced(self) -> Listed:
        """Documents that are unread, all of them or some part."""
        return self._unreduced.listed

    def _flush(self) -> None:
        if self._document is None:
            return
        if self._unread:
            self._unreduced.add(self._document)
        elif self._answered == self._of:
            self.complete += 1
        if self._answered < self._of and self._is_split:
            self._incomplete.add(self._document)


class Ranges:
    """Ranges of outputs by their numbers, asked about one number after the other."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._ranges = sorted(ranges)
        self._place = 0
        self._last = -1

    def has(self, number: int) -> bool:
        """Whether a range has `number`, which is not below the one before."""
        while self._place < len(self._ranges) and self._ranges[self._place][0] <= number:
            self._last = max(self._last, self._ranges[self._place][1])
            self._place += 1
        return number <= self._last


def range_of(extent: Extent) -> tuple[int, int]:
    """The numbers of the first and the last output."""
    return extent.first.number, extent.last.number
