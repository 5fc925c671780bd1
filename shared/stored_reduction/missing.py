"""What has no output, or none that is left: a line each, of where it belongs among the outputs, and its name.

A line is a JSON list `[number, name]`; what it names comes before output `number`, or is that output.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, cast

from shared.aggregation.material import Budget, MissingNames, shown_name
from shared.blobs import Blobs
from shared.contracts.stored_reduction import Dropped, Lines, MissingLines
from shared.contracts.work import RunFolder
from shared.prompts import PartOfDocument, described
from shared.stored_reduction.files import RESULTS, lost_blob
from shared.stored_reduction.lines import FileWriter, lines_in
from shared.stored_reduction.parts import parts_in
from shared.tokens import text_bytes


class MissingName(NamedTuple):
    """What is on a line, and the line's bytes from `begin` up to `end`."""

    number: int
    name: str
    begin: int
    end: int


def missing_name(name: str, origin: PartOfDocument | None) -> str:
    """How prompts tell of a work that has no output."""
    return described(shown_name(name), origin)


async def missing_in(blobs: Blobs, folder: RunFolder, lines: Lines) -> AsyncIterator[MissingName]:
    """What these lines name."""
    async for line in lines_in(blobs, folder, lines):
        number, name = cast(tuple[int, str], json.loads(line.text))
        yield MissingName(number, name, line.begin, line.end)


async def told_missing(blobs: Blobs, folder: RunFolder, budget: Budget, missing: MissingLines | None) -> MissingNames:
    """The names as a prompt has them."""
    names = budget.names()
    if missing is None:
        return names
    async for found in missing_in(blobs, folder, missing.lines):
        if not names.fits_more:
            break
        names.add(found.name)
    if names.count < missing.count:
        names.count_more(missing.count - names.count)
    return names


class MissingCursor:
    """Goes through what is missing, once, as groups of parts are made."""

    def __init__(self, blobs: Blobs, folder: RunFolder, missing: MissingLines, budget: Budget) -> None:
        self._blob = missing.lines.blob
        self._most = budget.missing_bytes
        self._names = missing_in(blobs, folder, missing.lines)
        self._next: MissingName | None = None
        self._begun = False
        self.at = missing.lines.begin
        """The byte up to which it has come."""

    async def up_to(self, number: int | None) -> MissingLines | None:
        """What is missing up to output `number`, or up to the end, and has not been passed."""
        begin = kept_up_to = self.at
        count = told = 0
        while (found := await self._peek()) is not None and (number is None or found.number <= number):
            if told <= self._most:
                kept_up_to = found.end
            told += text_bytes(found.name) + 1
            count += 1
            self.at = found.end
            self._next = None
        if not count:
            return None
        return MissingLines(lines=Lines(blob=self._blob, begin=begin, end=kept_up_to), count=count)

    async def _peek(self) -> MissingName | None:
        if self._next is None:
            self._next = await anext(self._names, None)
        return self._next


async def rewritten(
    blobs: Blobs, folder: RunFolder, level: int, at_first: MissingLines, dropped: Sequence[Dropped]
) -> MissingLines:
    """What is missing above `level`: what was so at first, and the outputs that are `lost` with dropped parts."""
    writer = FileWriter(blobs, folder, lost_blob(level))
    lost, count = lost_outputs(blobs, folder, dropped), 0
    following = await anext(lost, None)
    async for found in missing_in(blobs, folder, at_first.lines):
        while following is not None and following[0] < found.number:
            await writer.add_line([*following])
            following, count = await anext(lost, None), count + 1
        await writer.add_line([found.number, found.name])
        count += 1
    while following is not None:
        await writer.add_line([*following])
        following, count = await anext(lost, None), count + 1
    return MissingLines(lines=await writer.close(), count=count)


async def lost_outputs(blobs: Blobs, folder: RunFolder, dropped: Sequence[Dropped]) -> AsyncIterator[tuple[int, str]]:
    """The outputs that are lost with `dropped` parts, in order, each once."""
    done = -1
    for lost, group in sorted(((group.lost, group) for group in dropped if group.lost), key=lambda found: found[0]):
        if lost[1] <= done:
            continue
        first, last = group.extent.first, group.extent.last
        lines = Lines(blob=RESULTS, begin=first.begin, end=last.end)
        async for placed in parts_in(blobs, folder, lines, first.number):
            number = placed.part.extent.first.number
            if max(done + 1, lost[0]) <= number <= lost[1]:
                yield number, missing_name(placed.part.extent.first.name, placed.part.origin)
        done = lost[1]
