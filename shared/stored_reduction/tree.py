"""A tree of calls over outputs in storage: the groups of `shared/aggregation/tree.py`, found one part after the other.

1. The first level reads the map's results. A level above reads the answers of the one below, which are first written
   to one file, so that every call reads lines that follow one another.
2. A level goes through its material once and keeps sizes, not texts. Its groups and calls are lines and pages.
3. What came of a level is known by which of its answers are in storage.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from shared.aggregation.material import GAP, Budget, half_of, told_count
from shared.aggregation.packing import Packing
from shared.aggregation.tree import REDUCTION, told_scope
from shared.blobs import Blobs
from shared.contracts.reduction import TreeReduction
from shared.contracts.stored_reduction import LevelPlan, PlanLevel, ReadPlace
from shared.stored_reduction.groups import Gathering, GroupsWriter
from shared.stored_reduction.missing import MissingCursor, told_missing
from shared.stored_reduction.parts import Shown, parts_in, shown_parts
from shared.stored_reduction.settled import Settled, settled
from shared.stored_reduction.survey import Survey
from shared.token_estimate import estimated_input_tokens
from shared.tokens import text_bytes


async def plan_tree_level(blobs: Blobs, given: PlanLevel, survey: Survey) -> LevelPlan:
    """The calls of a level, written to its pages; none when the tree has ended."""
    below = await settled(blobs, given.folder, given.number - 1, survey)
    if below.count == 0 or not (given.number == 1 or below.goes_on):
        return LevelPlan()
    return await Level(blobs, given, survey, below).planned()


class Level:
    """A level that is being planned."""

    def __init__(self, blobs: Blobs, given: PlanLevel, survey: Survey, below: Settled) -> None:
        self._blobs = blobs
        self._folder = given.folder
        self._number = given.number
        self._budget = Budget(given.way.agent, given.way.max_input_tokens)
        self._base_tokens = estimated_input_tokens(given.way.agent, "")
        self._survey = survey
        self._below = below
        self._fan_in = given.way.max_fan_in if isinstance(given.way, TreeReduction) else None
        self._room = 0
        self._split: int | None = None
        self._limit: int | None = None
        self._place = 0
        self._writer = GroupsWriter(blobs, given.folder, given.number)
        self._missing = MissingCursor(blobs, given.folder, below.missing, self._budget)

    async def planned(self) -> LevelPlan:
        """Write its groups and calls."""
        lost = await told_missing(self._blobs, self._folder, self._budget, self._below.missing)
        told_bytes = len(GAP) + text_bytes(lost.block) if lost.count else 0
        at_once = self._below.whole_bytes + told_bytes <= self._budget.prompt_bytes
        if not at_once or (self._fan_in is not None and self._below.count > self._fan_in):
            self._room = self._budget.room(lost)
            self._limit = self._room if self._number == 1 else half_of(self._room)
            self._split = self._room if self._number == 1 else None
        else:
            self._fan_in = None
            self._room = self._budget.prompt_bytes
        gathering: Gathering | None = None
        packing = Packing(self._room, len(GAP), self._fan_in)
        async for shown in self._shown():
            if not packing.opens(shown.size) and gathering is not None:
                gathering.add(shown)
                continue
            if gathering is not None:
                await self._end(gathering)
            gathering = Gathering(self._below.parts.blob, shown)
        if gathering is not None:
            await self._end(gathering, last=True)
        return await self._writer.close(self._base_tokens)

    async def _shown(self) -> AsyncIterator[Shown]:
        async for placed in parts_in(self._blobs, self._folder, self._below.parts, 0):
            for shown in shown_parts(placed, self._split, self._limit):
                yield shown

    async def _end(self, gathered: Gathering, *, last: bool = False) -> None:
        self._place += 1
        missing = await self._missing.up_to(None if last else gathered.extent.last.number)
        place = gathered.place(self._split, self._limit).model_copy(update={"missing": missing})
        if last and self._place == 1:
            await self._writer.call(REDUCTION, gathered, place)
        elif gathered.take == 1 and gathered.size <= half_of(self._room):
            await self._writer.pass_up(gathered.extent, place)
        else:
            await self._writer.call(f"~reduce-{self._number}-{self._place}", gathered, self._scoped(place, gathered))

    def _scoped(self, place: ReadPlace, gathered: Gathering) -> ReadPlace:
        of = told_count(self._survey.works, split=self._survey.has_parts)
        return place.model_copy(update={"scope": told_scope(gathered.extent.count, of)})
