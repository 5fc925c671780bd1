"""Parts gathered into groups, and the pages of calls that a level makes of them."""

from __future__ import annotations

from shared.blobs import Blobs
from shared.contracts.stored_reduction import Extent, Group, LevelPlan, Lines, ReadPlace
from shared.contracts.work import PAGE_UNITS, Page, RunFolder, Unit, Work
from shared.stored_reduction.documents import Names
from shared.stored_reduction.files import groups_blob, keep, level_page
from shared.stored_reduction.lines import FileWriter
from shared.stored_reduction.parts import Shown, joined
from shared.tokens import BYTES_PER_TOKEN


class Gathering:
    """A group under way: what its parts come to, without their texts."""

    def __init__(self, blob: str, first: Shown) -> None:
        self._blob = blob
        self._begin = first.placed.begin
        self._first = first.placed.part.extent.first.number
        self._skip = first.skip
        self._end = first.placed.end
        self.extent: Extent = first.part.extent
        self.take = 0
        self.size = 0
        """Of its blocks, without gaps, in bytes."""
        self.clipped: list[str] = []
        self._add(first)

    def add(self, shown: Shown) -> None:
        """Take the next part."""
        self.extent = joined(self.extent, shown.part.extent)
        self._add(shown)

    def _add(self, shown: Shown) -> None:
        self.take += 1
        self.size += shown.size
        self._end = shown.placed.end
        if shown.is_cut and shown.part.call is not None:
            self.clipped.append(shown.part.call)

    def place(self, split: int | None, limit: int | None) -> ReadPlace:
        """Where a call finds its parts."""
        lines = Lines(blob=self._blob, begin=self._begin, end=self._end)
        return ReadPlace(lines=lines, first=self._first, split=split, limit=limit, skip=self._skip, take=self.take)


class GroupsWriter:
    """Writes the groups of a level, and a page of units for each few hundred calls among them."""

    def __init__(self, blobs: Blobs, folder: RunFolder, level: int) -> None:
        self._blobs = blobs
        self._folder = folder
        self._level = level
        self._file = FileWriter(blobs, folder, groups_blob(level))
        self._units: list[Unit] = []
        self._pages = 0
        self._works = 0
        self._clipped = Names()
        self.groups = 0

    async def pass_up(self, extent: Extent, place: ReadPlace) -> None:
        """A group of one part that is not called."""
        await self._add(Group(name=None, place=place, extent=extent))

    async def call(self, name: str, gathered: Gathering, place: ReadPlace) -> None:
        """A group that the call `name` reads."""
        await self._add(Group(name=name, place=place, extent=gathered.extent))
        for clipped in gathered.clipped:
            self._clipped.add(clipped)
        self._works += 1
        tokens = -(-gathered.size // BYTES_PER_TOKEN)
        work = Work(name=name, tokens=tokens, place=place.model_dump(mode="json"))
        self._units.append(Unit(name=f"{self._pages + 1}.{len(self._units) + 1}", works=[work]))
        if len(self._units) == PAGE_UNITS:
            await self._write_page()

    async def close(self, base_tokens: int, so_far_clipped: str | None = None) -> LevelPlan:
        """The plan of the level."""
        if self._units:
            await self._write_page()
        await self._file.close()
        if so_far_clipped is not None:
            self._clipped.add(so_far_clipped)
        return LevelPlan(works=self._works, pages=self._pages, base_tokens=base_tokens, clipped=self._clipped.listed)

    async def _add(self, group: Group) -> None:
        self.groups += 1
        await self._file.add_line(group)

    async def _write_page(self) -> None:
        self._pages += 1
        await keep(self._blobs, self._folder, level_page(self._level, self._pages), Page(units=self._units))
        self._units = []
