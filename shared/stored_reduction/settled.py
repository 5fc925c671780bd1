"""What came of a level of a tree, once its calls have ended: the parts that the next level reads, and what is lost.

It is decided once, when it is first asked for: an answer that comes later changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from pydantic import Field

from shared.aggregation.material import GAP, rendered
from shared.blobs import Blobs
from shared.contracts.base import Contract, restored
from shared.contracts.stored_reduction import Dropped, Group, Lines, MissingLines, StoredAnswer, StoredPart
from shared.contracts.work import RunFolder
from shared.stored_reduction.documents import range_of
from shared.stored_reduction.files import RESULTS, answer_blob, groups_blob, keep, kept, parts_blob, settled_blob
from shared.stored_reduction.lines import FileWriter, all_lines
from shared.stored_reduction.missing import rewritten
from shared.stored_reduction.parts import parts_at, told
from shared.stored_reduction.survey import Survey
from shared.tokens import text_bytes

READ_AT_ONCE = 16
"""Answers that are read at a time, and so held."""


class Settled(Contract):
    """What a level has left: `count` parts, a line each, in document order.

    `answers` of its calls succeeded. `whole_bytes` is what a prompt of all parts would have. `dropped` are the parts
    that failed calls have read, of this level and those below, and `missing` is what the parts lack.
    """

    parts: Lines
    count: int
    answers: int = 0
    groups: int = 0
    whole_bytes: int
    dropped: list[Dropped] = Field(default_factory=list[Dropped])
    missing: MissingLines

    @property
    def goes_on(self) -> bool:
        """Whether there is something to read for a next level."""
        return self.answers > 0 and self.count > 1


async def settled(blobs: Blobs, folder: RunFolder, level: int, survey: Survey) -> Settled:
    """What came of a level; below the first are the outputs of the map."""
    if level == 0:
        return Settled(
            parts=Lines(blob=RESULTS, begin=0, end=survey.results_end),
            count=survey.outputs,
            whole_bytes=survey.whole_bytes,
            missing=survey.missing_lines,
        )
    if (known := await kept(blobs, folder, settled_blob(level), Settled)) is not None:
        return known
    below = await settled(blobs, folder, level - 1, survey)
    outcome = await Settling(blobs, folder, level, below).settled(survey.missing_lines)
    if await keep(blobs, folder, settled_blob(level), outcome, only_new=True):
        return outcome
    return await kept(blobs, folder, settled_blob(level), Settled) or outcome


class Settling:
    """Goes through the groups of a level, in order, and writes what has come up."""

    def __init__(self, blobs: Blobs, folder: RunFolder, level: int, below: Settled) -> None:
        self._blobs = blobs
        self._folder = folder
        self._level = level
        self._below = below
        self._writer = FileWriter(blobs, folder, parts_blob(level))
        self._count = self._answers = self._groups = self._whole_bytes = 0
        self._dropped: list[Group] = []
        self._alive: list[tuple[int, int]] = []
        """For each dropped group, the last output of the part before it and the first of the part after it."""
        self._last_alive = -1

    async def settled(self, missing_at_first: MissingLines) -> Settled:
        """What came of it."""
        async for group, answer in self._answered():
            self._groups += 1
            if group.name is None:
                [part] = [part async for part in parts_at(self._blobs, self._folder, group.place)]
                await self._comes_up(part)
            elif answer is not None:
                self._answers += 1
                await self._comes_up(StoredPart(extent=group.extent, output=answer.output, call=group.name))
            else:
                self._dropped.append(group)
                self._alive.append((self._last_alive, -1))
        dropped = [*self._below.dropped, *self._all_dropped()]
        missing = self._below.missing
        if any(group.lost for group in dropped[len(self._below.dropped) :]):
            missing = await rewritten(self._blobs, self._folder, self._level, missing_at_first, dropped)
        return Settled(
            parts=await self._writer.close(),
            count=self._count,
            answers=self._answers,
            groups=self._groups,
            whole_bytes=self._whole_bytes,
            dropped=dropped,
            missing=missing,
        )

    async def _answered(self) -> AsyncIterator[tuple[Group, StoredAnswer | None]]:
        """The groups, and what their calls have answered."""
        waiting: list[Group] = []
        async for line in all_lines(self._blobs, self._folder, groups_blob(self._level)):
            waiting.append(restored(Group, json.loads(line.text)))
            if len(waiting) == READ_AT_ONCE:
                for found in await self._read(waiting):
                    yield found
                waiting = []
        for found in await self._read(waiting):
            yield found

    async def _read(self, groups: Sequence[Group]) -> list[tuple[Group, StoredAnswer | None]]:
        answers = await asyncio.gather(*(self._answer(group) for group in groups))
        return list(zip(groups, answers, strict=True))

    async def _answer(self, group: Group) -> StoredAnswer | None:
        if group.name is None:
            return None
        return await kept(self._blobs, self._folder, answer_blob(self._level, group.name), StoredAnswer)

    async def _comes_up(self, part: StoredPart) -> None:
        first, last = range_of(part.extent)
        for place in range(len(self._alive) - 1, -1, -1):
            if self._alive[place][1] >= 0:
                break
            self._alive[place] = (self._alive[place][0], first)
        self._last_alive = last
        self._whole_bytes += text_bytes(rendered(told(part))) + (len(GAP) if self._count else 0)
        self._count += 1
        await self._writer.add_line(part)

    def _all_dropped(self) -> list[Dropped]:
        """The dropped groups. An output of which a piece is in a part that has come up is not lost."""
        found: list[Dropped] = []
        for group, (before, after) in zip(self._dropped, self._alive, strict=True):
            first, last = range_of(group.extent)
            first, last = first + (first == before), last - (last == after)
            lost = (first, last) if first <= last else None
            found.append(Dropped(place=group.place, extent=group.extent, lost=lost))
        return found
