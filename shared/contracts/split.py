"""How documents are split, and what a part of one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.base import Contract, Name, misfit
from shared.contracts.branch import BranchName
from shared.splitting import Unit

MIN_SIZES: Mapping[Unit, int] = {"tokens": 16, "characters": 64, "lines": 1}
MAX_OVERLAPS: Mapping[Unit, int] = {"tokens": 1_000, "characters": 4_000}
"""To find where an overlap may begin takes time by the square of its length."""


class Split(Contract):
    """How each document is cut: into parts of at most `size` units, each repeating at most `overlap` of the one before.

    Parts end with a paragraph, line, sentence or word where they can; see `shared/splitting.py`. Tokens are not those
    of a model but an estimate, four UTF-8 bytes each. By `document` there is no split, and no size.
    """

    by: Literal["document", "tokens", "characters", "lines"] = "document"
    size: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    overlap: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.by == "document":
            if self.size is not None or self.overlap:
                field = "overlap" if self.size is None else "size"
                raise misfit(
                    field, f"{field} has no use when a document is not split; say by what: {', '.join(MIN_SIZES)}"
                )
            return self
        if self.size is None:
            raise misfit("size", f"a split by {self.by} needs a size: the most {self.by} of a part")
        if self.size < MIN_SIZES[self.by]:
            raise misfit("size", f"a part of {self.size} {self.by} is too small; give {MIN_SIZES[self.by]} or more")
        self._check_overlap(self.by, self.size)
        return self

    def _check_overlap(self, by: Unit, size: int) -> None:
        if self.overlap > size // 2:
            raise misfit("overlap", f"overlap is {self.overlap}; give at most half of size, {size // 2}")
        if self.overlap > MAX_OVERLAPS.get(by, size):
            raise misfit("overlap", f"overlap is {self.overlap}; give at most {MAX_OVERLAPS[by]:,} {by}")


class Chunk(Contract):
    """Part `part` (from 1) of the `of` parts of a document, and the name of the branch that reads it.

    It is the document's characters from `start` (from 0) up to `end`, without that one; a character is a Unicode code
    point. `first_line` and `last_line` are the lines (from 1) that it has all or some of.
    """

    branch: BranchName
    document: Name
    part: int
    of: int
    start: int
    end: int
    first_line: int
    last_line: int

    @property
    def lines(self) -> str:
        """Its lines in short: `120-240`, or `7`."""
        return f"{self.first_line}" if self.first_line == self.last_line else f"{self.first_line}-{self.last_line}"


def place_of(branch: str) -> tuple[str, int | None]:
    """The document that a branch of a map reads, and the number of the part if it is not the whole."""
    document, _, part = branch.partition("+")
    return document, int(part) if part else None


class Incomplete(Contract):
    """A document of `of` parts without an answer about the parts `missing`, which may be all of them."""

    document: Name
    missing: list[int]
    of: int
