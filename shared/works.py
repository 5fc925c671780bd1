"""Documents as works: named, cut into parts, placed and counted."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from shared.contracts.planning import PlanTotals
from shared.contracts.split import Split
from shared.contracts.storage import MAX_STORED_DOCUMENTS
from shared.contracts.work import DocumentWork, TextPlace, Work
from shared.pages import Pages
from shared.parts import Parts
from shared.sources.texts import text_problem
from shared.splitting import Part, Span, parts_of
from shared.tokens import estimated_tokens

LONG_TEXT_CHARS = 200_000
"""To cut a text that is longer takes long enough to do it in a thread."""


class Origin(NamedTuple):
    """A document's id, and where it comes from; `place` is the blob that has it."""

    document: str
    place: TextPlace
    blob: str | None = None
    record: int | None = None

    def work(self) -> DocumentWork:
        """All of the document."""
        return DocumentWork(text=self.place, document=self.document, blob=self.blob, record=self.record)


class TooManyWorksError(Exception):
    """The documents and parts are more than a run may have."""

    def __init__(self, *, is_split: bool) -> None:
        what = "documents and parts" if is_split else "documents"
        what_to_do = "give source.limit, or name fewer blobs by source.prefix and source.glob"
        more = ", or raise split.size" if is_split else ""
        super().__init__(f"the source has more than {MAX_STORED_DOCUMENTS:,} {what}: {what_to_do}{more}")


class Works:
    """Puts works on `pages`, their texts into `parts`, and counts from `totals` on (all but pages).

    No two have the same name: a document's is its id, a part's `ID+NUMBER`, and a whole document whose id looks like
    a part's gets a number, too.
    """

    def __init__(self, pages: Pages, parts: Parts, split: Split, totals: PlanTotals) -> None:
        self.totals = PlanTotals.model_validate(totals.model_dump(include=set(PlanTotals.model_fields)))
        self._pages = pages
        self._parts = parts
        self._split = split

    def count_bytes(self, size: int) -> None:
        """Count what documents come from."""
        self._add(bytes=size)

    async def take_blob(self, origin: Origin, tokens: int) -> None:
        """A document that stays where it is, of about `tokens`."""
        self._add(documents=1)
        await self._take(origin.document, tokens, origin.work())

    async def take_problem(self, origin: Origin, problem: str) -> None:
        """A document that cannot be read."""
        self._add(documents=1)
        await self._take(self._whole_name(origin.document), 0, origin.work().model_copy(update={"problem": problem}))

    async def take_text(self, text: str, origin: Origin) -> None:
        """A document with a text that is known: as a whole, or in parts."""
        self._add(documents=1)
        work = origin.work()
        parts = await self._parts_of(text)
        if not parts:
            await self._take_span(text, Span(0, len(text)), self._whole_name(origin.document), work)
        for number, part in enumerate(parts, start=1):
            place = {"part": number, "of": len(parts), "first_line": part.first_line, "last_line": part.last_line}
            await self._take_span(text, part.span, f"{origin.document}+{number}", work.model_copy(update=place))

    async def _parts_of(self, text: str) -> list[Part]:
        split = self._split
        if split.by == "document" or split.size is None or not text.strip():
            return []
        if len(text) < LONG_TEXT_CHARS:
            return parts_of(text, split.by, split.size, split.overlap)
        return await asyncio.to_thread(parts_of, text, split.by, split.size, split.overlap)

    async def _take_span(self, text: str, span: Span, name: str, work: DocumentWork) -> None:
        told = text[span.start : span.end]
        if problem := text_problem(told):
            await self._take(name, 0, work.model_copy(update={"problem": problem}))
        else:
            place = await self._parts.added(told)
            await self._take(name, estimated_tokens(told), work.model_copy(update={"text": place}))

    async def _take(self, name: str, tokens: int, work: DocumentWork) -> None:
        if self.totals.works == MAX_STORED_DOCUMENTS:
            raise TooManyWorksError(is_split=self._split.by != "document")
        self._add(works=1, tokens=tokens, unreadable=0 if work.problem is None else 1)
        place = work.model_dump(mode="json", exclude_defaults=True)
        await self._pages.add(Work(name=name, tokens=tokens, place=place))

    def _whole_name(self, document: str) -> str:
        _, plus, number = document.rpartition("+")
        looks_like_part = self._split.by != "document" and plus != "" and number.isdecimal()
        return f"{document}+1" if looks_like_part else document

    def _add(self, **counts: int) -> None:
        totals = {name: getattr(self.totals, name) + count for name, count in counts.items()}
        self.totals = self.totals.model_copy(update=totals)
