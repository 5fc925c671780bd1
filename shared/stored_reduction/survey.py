"""A look at all works of the map before anything is reduced: counts, sizes, and what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from shared.aggregation.material import GAP, rendered
from shared.blobs import Blobs
from shared.contracts.base import Contract, restored
from shared.contracts.stored_reduction import Listed, MissingLines
from shared.contracts.work import DocumentWork, RunFolder
from shared.errors import DocumentChanged
from shared.opened_pages import found_page
from shared.stored_reduction.documents import Documents, Names
from shared.stored_reduction.files import MISSING, SURVEY, keep, kept
from shared.stored_reduction.lines import FileWriter
from shared.stored_reduction.missing import missing_name
from shared.stored_reduction.parts import MapOutput, PlacedPart, outputs, told
from shared.tokens import text_bytes


class Survey(Contract):
    """What is known of the map's works and outputs.

    `results_end` is how many bytes the file of results has, `whole_bytes` how many a prompt of all outputs would have,
    or any number above the most that were of interest. `last_split` is the number of the last output about a part of a
    document, -1 if there is none; `has_parts` counts works without an output too. `documents` counts those whose works
    all have outputs.
    """

    works: int
    outputs: int
    results_end: int
    whole_bytes: int
    has_parts: bool
    last_split: int
    documents: int
    incomplete: Listed
    missing: Listed
    missing_lines: MissingLines


async def surveyed(
    blobs: Blobs, folder: RunFolder, pages: int, redrive_of: RunFolder | None, most_bytes: int = 0
) -> Survey:
    """The survey of a run; sizes of prompts above `most_bytes` are of no interest."""
    if (known := await kept(blobs, folder, SURVEY, Survey)) is not None:
        return known
    look = Look(most_bytes)
    writer = FileWriter(blobs, folder, MISSING)
    found = outputs(blobs, folder)
    following = await anext(found, None)
    async for work in planned(blobs, folder, pages, redrive_of):
        if following is not None and following.part.extent.first.name == work.name:
            look.answered(work, following)
            following = await anext(found, None)
        else:
            await writer.add_line([look.outputs, look.missed(work)])
    if following is not None:
        name = following.part.extent.first.name
        raise DocumentChanged(
            f"the results have {name!r} where the plan does not have it; has the folder been written to?"
        )
    lines = await writer.close()
    survey = look.survey(MissingLines(lines=lines, count=look.works - look.outputs))
    await keep(blobs, folder, SURVEY, survey)
    return survey


async def planned(
    blobs: Blobs, folder: RunFolder, pages: int, redrive_of: RunFolder | None
) -> AsyncIterator[MapOutput]:
    """All works of the map, in the plan's order, as an output tells of its origin."""
    for number in range(1, pages + 1):
        page = (await found_page(blobs, folder, redrive_of, number)).page
        for work in [work for unit in page.units for work in unit.works]:
            about = restored(DocumentWork, work.place)
            yield MapOutput(
                id=about.document,
                name=work.name,
                part=about.part,
                of=about.of,
                first_line=about.first_line,
                last_line=about.last_line,
            )


class Look:
    """A survey under way."""

    def __init__(self, most_bytes: int) -> None:
        self.works = 0
        self.outputs = 0
        self._most_bytes = most_bytes
        self._results_end = 0
        self._whole_bytes = 0
        self._has_parts = False
        self._last_split = -1
        self._documents = Documents()
        self._missing = Names()

    def answered(self, work: MapOutput, placed: PlacedPart) -> None:
        """Take the next work, which has this output."""
        self._take(work, answered=True)
        if work.part is not None:
            self._last_split = self.outputs
        if self._whole_bytes <= self._most_bytes:
            self._whole_bytes += text_bytes(rendered(told(placed.part))) + (len(GAP) if self.outputs else 0)
        self._results_end = placed.end
        self.outputs += 1

    def missed(self, work: MapOutput) -> str:
        """Take the next work, which has none; its name in prompts."""
        self._take(work, answered=False)
        name = missing_name(work.name, work.origin)
        self._missing.add(name)
        return name

    def _take(self, work: MapOutput, *, answered: bool) -> None:
        self.works += 1
        self._has_parts = self._has_parts or work.part is not None
        self._documents.add(work.id, work.of if work.part is not None else None, answered=answered)

    def survey(self, missing: MissingLines) -> Survey:
        """What was seen."""
        self._documents.end()
        return Survey(
            works=self.works,
            outputs=self.outputs,
            results_end=self._results_end,
            whole_bytes=self._whole_bytes,
            has_parts=self._has_parts,
            last_split=self._last_split,
            documents=self._documents.complete,
            incomplete=self._documents.incomplete,
            missing=self._missing.listed,
            missing_lines=missing,
        )
