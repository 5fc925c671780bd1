"""A refinement over outputs in storage: the steps of `shared/aggregation/refinement.py`, each planned when the one
before it has ended, because what a step reads depends on how long the answer so far is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import Field

from shared.aggregation.material import GAP, Budget, Part, half_of, rendered, told_count
from shared.aggregation.packing import Packing
from shared.aggregation.refinement import told_scope
from shared.aggregation.tree import REDUCTION
from shared.blobs import Blobs
from shared.contracts.base import Contract
from shared.contracts.stored_reduction import (
    Dropped,
    Group,
    LevelPlan,
    Lines,
    MissingLines,
    PlanLevel,
    ReadPlace,
    SoFar,
    StoredAnswer,
)
from shared.contracts.work import RunFolder
from shared.errors import DocumentGone
from shared.stored_reduction.documents import range_of
from shared.stored_reduction.files import RESULTS, answer_blob, keep, kept, level_blob, settled_blob
from shared.stored_reduction.groups import Gathering, GroupsWriter
from shared.stored_reduction.missing import MissingCursor, told_missing
from shared.stored_reduction.parts import Shown, basis_of, joined, parts_in, shown_parts
from shared.stored_reduction.survey import Survey
from shared.token_estimate import estimated_input_tokens
from shared.tokens import text_bytes


class Cursor(Contract):
    """Where reading goes on: at piece `skip`, from 0, of output `number`, whose line begins at byte `begin`."""

    begin: int = 0
    number: int = 0
    skip: int = 0


class Step(Contract):
    """A planned step: what it reads, and what is `waiting` behind it; `missing_at` bytes of what lacks are told."""

    group: Group
    waiting: Cursor
    missing_at: int


class Refined(Contract):
    """A refinement after some of its steps. Outputs are read in pieces of at most `split` bytes, if that is given."""

    so_far: SoFar | None = None
    waiting: Cursor = Cursor()
    missing_at: int = 0
    split: int | None = None
    dropped: list[Dropped] = Field(default_factory=list[Dropped])


def step_blob(number: int) -> str:
    """The plan of a step."""
    return level_blob(number, "step.json")


async def refined(blobs: Blobs, folder: RunFolder, steps: int) -> Refined:
    """The refinement after so many steps, which have ended."""
    if steps == 0:
        return Refined()
    if (known := await kept(blobs, folder, settled_blob(steps), Refined)) is not None:
        return known
    step = await kept(blobs, folder, step_blob(steps), Step)
    if step is None:
        raise DocumentGone(f"{folder.container}/{folder.name}{step_blob(steps)} is not there any more")
    outcome = await _after(blobs, folder, steps, step)
    if await keep(blobs, folder, settled_blob(steps), outcome, only_new=True):
        return outcome
    return await kept(blobs, folder, settled_blob(steps), Refined) or outcome


async def _after(blobs: Blobs, folder: RunFolder, number: int, step: Step) -> Refined:
    before = await refined(blobs, folder, number - 1)
    so_far, dropped, group = before.so_far, before.dropped, step.group
    blob = answer_blob(number, str(group.name))
    if await kept(blobs, folder, blob, StoredAnswer) is None:
        dropped = [*dropped, Dropped(place=group.place, extent=group.extent, lost=range_of(group.extent))]
    else:
        extent = joined(so_far.extent, group.extent) if so_far else group.extent
        so_far = SoFar(extent=extent, call=str(group.name), answer=blob)
    return Refined(
        so_far=so_far,
        waiting=step.waiting,
        missing_at=step.missing_at,
        split=group.place.split,
        dropped=dropped,
    )


async def answered_so_far(blobs: Blobs, folder: RunFolder, so_far: SoFar) -> Part:
    """The answer so far as prompts tell it."""
    answer = await kept(blobs, folder, so_far.answer, StoredAnswer)
    if answer is None:
        raise DocumentGone(f"{folder.container}/{folder.name}{so_far.answer} is not there any more")
    return Part((), answer.output, so_far.call, summary=basis_of(so_far.extent))


async def plan_step(blobs: Blobs, given: PlanLevel, survey: Survey) -> LevelPlan:
    """The call of a step, written to its page; none when the refinement has ended."""
    state = await refined(blobs, given.folder, given.number - 1)
    if state.waiting.number >= survey.outputs:
        return LevelPlan()
    return await NextStep(blobs, given, survey, state).planned()


class NextStep:
    """A step that is being planned."""

    def __init__(self, blobs: Blobs, given: PlanLevel, survey: Survey, state: Refined) -> None:
        self._blobs = blobs
        self._folder = given.folder
        self._number = given.number
        self._budget = Budget(given.way.agent, given.way.max_input_tokens)
        self._base_tokens = estimated_input_tokens(given.way.agent, "")
        self._survey = survey
        self._state = state
        self._packing = Packing(self._budget.prompt_bytes, len(GAP))
        self._half = 0

    async def planned(self) -> LevelPlan:
        """Write its call."""
        lost = await told_missing(self._blobs, self._folder, self._budget, self._survey.missing_lines)
        told_bytes = len(GAP) + text_bytes(lost.block) if lost.count else 0
        at_once = self._number == 1 and self._survey.whole_bytes + told_bytes <= self._budget.prompt_bytes
        if not at_once:
            room = self._budget.room(lost)
            self._packing, self._half = Packing(room, len(GAP)), half_of(room)
        clipped = await self._take_so_far()
        gathered, waiting = await self._gathered(None if at_once else self._half)
        place, missing_at = await self._place(gathered, waiting, at_once=at_once)
        name = f"~refine-{self._number}" if waiting.number < self._survey.outputs else REDUCTION
        step = Step(group=Group(name=name, place=place, extent=gathered.extent), waiting=waiting, missing_at=missing_at)
        await keep(self._blobs, self._folder, step_blob(self._number), step)
        writer = GroupsWriter(self._blobs, self._folder, self._number)
        await writer.call(name, gathered, place)
        return await writer.close(self._base_tokens, clipped)

    async def _take_so_far(self) -> str | None:
        """Give the answer so far its room; the call that gave it, if it must be cut."""
        if self._state.so_far is None:
            return None
        part = await answered_so_far(self._blobs, self._folder, self._state.so_far)
        whole, text = rendered(part), rendered(part, self._half)
        self._packing.opens(text_bytes(text))
        return part.call if text != whole else None

    async def _gathered(self, limit: int | None) -> tuple[Gathering, Cursor]:
        """What is read, and where reading goes on."""
        waiting = self._shown(limit)
        first = await anext(waiting)
        self._packing.opens(first.size)
        gathering = Gathering(RESULTS, first)
        async for shown in waiting:
            if self._packing.opens(shown.size):
                number = shown.placed.part.extent.first.number
                return gathering, Cursor(begin=shown.placed.begin, number=number, skip=shown.skip)
            gathering.add(shown)
        return gathering, Cursor(begin=self._survey.results_end, number=self._survey.outputs)

    async def _shown(self, limit: int | None) -> AsyncIterator[Shown]:
        waiting = self._state.waiting
        lines = Lines(blob=RESULTS, begin=waiting.begin, end=self._survey.results_end)
        async for placed in parts_in(self._blobs, self._folder, lines, waiting.number):
            for shown in shown_parts(placed, limit, None):
                if placed.part.extent.first.number > waiting.number or shown.skip >= waiting.skip:
                    yield shown

    async def _place(self, gathered: Gathering, waiting: Cursor, *, at_once: bool) -> tuple[ReadPlace, int]:
        left = self._survey.outputs - waiting.number
        of = self._survey.missing_lines
        lines = Lines(blob=of.lines.blob, begin=self._state.missing_at, end=of.lines.end)
        cursor = MissingCursor(self._blobs, self._folder, MissingLines(lines=lines, count=of.count), self._budget)
        missing = await cursor.up_to(gathered.extent.last.number if left else None)
        still_to_come = told_count(left, split=self._survey.last_split >= waiting.number) if left else None
        scope = None if at_once else told_scope(still_to_come, improves=self._state.so_far is not None)
        place = gathered.place(None if at_once else self._half, None)
        so_far = {"so_far": self._state.so_far, "so_far_limit": self._half} if self._state.so_far else {}
        return place.model_copy(update={"missing": missing, "scope": scope, **so_far}), cursor.at
