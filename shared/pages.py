"""Works in pages: grouped into units, in order, and written to a run's folder."""

from __future__ import annotations

import json
from typing import cast

from shared.blobs import Blobs
from shared.contracts.base import restored
from shared.contracts.work import PAGE_UNITS, PAGE_WORKS, Page, RunFolder, Unit, Work
from shared.stored_names import MAP_STAGE, page_blob
from shared.token_estimate import MAX_BATCH_TOKENS


class Pages:
    """The pages of a plan: `begun` of them, the last of which has `open_works` works and is being filled.

    A unit has at most `batch_size` works; one with a problem is a unit of its own. What a page gets depends on the
    works before alone, so that a page that is reopened is filled as if it had stayed open.
    """

    def __init__(self, blobs: Blobs, folder: RunFolder, *, batch_size: int, begun: int = 0) -> None:
        self.begun = begun
        self.open_works = 0
        self._blobs = blobs
        self._folder = folder
        self._batch_size = batch_size
        self._units: list[list[Work]] = []
        self._unit_tokens = 0

    async def reopen(self, works: int) -> None:
        """Take the last page up again, with its first `works` works: it may have got others since."""
        data = await self._blobs.read(self._folder.container, page_blob(self._folder, MAP_STAGE, self.begun))
        self.begun -= 1
        written = [work for unit in restored(Page, json.loads(data)).units for work in unit.works]
        for work in written[:works]:
            await self.add(work)

    async def add(self, work: Work) -> None:
        """Put `work` into the last unit, or a new one; a page that is full is written."""
        joins = self._joins(work)
        if self._units and (self.open_works == PAGE_WORKS or (not joins and len(self._units) == PAGE_UNITS)):
            await self._turn()
            joins = False
        if not self._units:
            self.begun += 1
        self.open_works += 1
        if joins:
            self._units[-1].append(work)
            self._unit_tokens += work.tokens
        else:
            self._units.append([work])
            self._unit_tokens = work.tokens

    async def flush(self) -> None:
        """Write the last page as it is; it stays open."""
        if self._units:
            units = [
                Unit(name=f"{self.begun}.{index}", works=works) for index, works in enumerate(self._units, start=1)
            ]
            page = Page(units=units).model_dump_json(exclude_defaults=True)
            name = page_blob(self._folder, MAP_STAGE, self.begun)
            await self._blobs.write(self._folder.container, name, page.encode())

    async def _turn(self) -> None:
        await self.flush()
        self._units, self.open_works = [], 0

    def _joins(self, work: Work) -> bool:
        """Whether `work` belongs into the last unit."""
        if not self._units or len(self._units[-1]) == self._batch_size:
            return False
        if has_problem(work) or has_problem(self._units[-1][-1]):
            return False
        return self._unit_tokens + work.tokens <= MAX_BATCH_TOKENS


def has_problem(work: Work) -> bool:
    """Whether `work` fails without a call."""
    return cast(dict[str, object], work.place).get("problem") is not None
