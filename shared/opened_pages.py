"""The pages of a stage, as they are opened: as planned, or as a redrive takes them over from an earlier run.

A redrive's folder has no plan of its own. Opening a page copies it from the latest earlier run that opened it, or from
the first one, together with the results that are there; the page itself comes last, so that a page in a redrive's
folder has all of them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from shared.blobs import Blobs
from shared.concurrency import at_once
from shared.contracts.base import restored
from shared.contracts.work import OpenedPage, OpenPage, Page, RunFolder, Unit, Work
from shared.document_results import document_of, result_in
from shared.errors import DocumentGone
from shared.stored_names import MAP_STAGE, answer_blob, document_blob, opened_blob, origin_blob, page_blob, request_blob
from shared.stored_requests import StoredRequest

MAX_REDRIVES = 1_000
"""Of one another, one after the other."""
EMPTY = b"\n"


class Found(NamedTuple):
    """A page and the folder that it was found in."""

    page: Page
    folder: RunFolder


async def opened_page(blobs: Blobs, given: OpenPage) -> OpenedPage:
    """The units of a page that are to be called; works of an earlier run that have results are `reused` instead.

    Whoever takes the place of a lost shard gives the run's own folder for that of the earlier one.
    """
    if given.stage != MAP_STAGE:
        return await _opened_for_reduction(blobs, given)
    if given.redrive_of == given.folder:
        opened = await _opened_again(blobs, given.folder, given.number)
    elif given.redrive_of is None:
        opened = OpenedPage(units=(await stored_page(blobs, given.folder, MAP_STAGE, given.number)).units)
    else:
        opened = await _taken_over(blobs, given.folder, given.redrive_of, given.number)
    await blobs.write(given.folder.container, opened_blob(given.folder, MAP_STAGE, given.number), EMPTY)
    return opened


async def _opened_for_reduction(blobs: Blobs, given: OpenPage) -> OpenedPage:
    """A page of a reduction, of which no redrive takes anything over, but the answers of a lost shard are found."""
    page = await stored_page(blobs, given.folder, given.stage, given.number)
    if given.redrive_of != given.folder:
        return OpenedPage(units=page.units)
    names = [work.name for unit in page.units for work in unit.works]

    async def answered(name: str) -> bool:
        try:
            await blobs.read(given.folder.container, answer_blob(given.folder, given.stage, name), length=1)
        except DocumentGone:
            return False
        return True

    found = await at_once(answered, names)
    reused = [name for name, is_answered in zip(names, found, strict=True) if is_answered]
    return OpenedPage(units=_without(page.units, frozenset(reused)), reused=reused)


async def stored_page(blobs: Blobs, folder: RunFolder, stage: str, number: int) -> Page:
    """A page that is in this folder; `DocumentGone` if it is not."""
    return restored(Page, json.loads(await blobs.read(folder.container, page_blob(folder, stage, number))))


async def found_page(blobs: Blobs, folder: RunFolder, redrive_of: RunFolder | None, number: int) -> Found:
    """A page of the map, in the run's own folder or that of the latest run before it that has it."""
    data, place = await _found(blobs, folder, redrive_of, lambda place: page_blob(place, MAP_STAGE, number))
    return Found(restored(Page, json.loads(data)), place)


async def found_request(blobs: Blobs, folder: RunFolder, redrive_of: RunFolder | None) -> StoredRequest:
    """The request of a run, which a redrive that never opened a page has in an earlier run's folder only."""
    data, _ = await _found(blobs, folder, redrive_of, request_blob)
    return restored(StoredRequest, json.loads(data))


async def _found(
    blobs: Blobs, folder: RunFolder, redrive_of: RunFolder | None, named: Callable[[RunFolder], str]
) -> tuple[bytes, RunFolder]:
    async for place in _line(blobs, folder, redrive_of):
        try:
            return await blobs.read(place.container, named(place)), place
        except DocumentGone:
            continue
    raise DocumentGone(f"there is no {named(folder)!r}, and no run before it has it")


async def _line(blobs: Blobs, folder: RunFolder, redrive_of: RunFolder | None) -> AsyncIterator[RunFolder]:
    """The folder of a run, of the run that it goes on from, of the one that this goes on from, and so on."""
    yield folder
    earlier = redrive_of
    for _ in range(MAX_REDRIVES):
        if earlier is None:
            return
        yield earlier
        earlier = await _origin(blobs, earlier)


async def _origin(blobs: Blobs, folder: RunFolder) -> RunFolder | None:
    try:
        return restored(RunFolder, json.loads(await blobs.read(folder.container, origin_blob(folder))))
    except DocumentGone:
        return None


async def _opened_again(blobs: Blobs, folder: RunFolder, number: int) -> OpenedPage:
    """A page of which some works may have results in the run's own folder."""
    try:
        page = await stored_page(blobs, folder, MAP_STAGE, number)
    except DocumentGone:
        origin = await _origin(blobs, folder)
        if origin is None:
            raise
        await _taken_over(blobs, folder, origin, number)  # a redrive's shard was lost before it had all of the page
        page = await stored_page(blobs, folder, MAP_STAGE, number)
    reused = await _copied_results(blobs, folder, folder, [work for unit in page.units for work in unit.works])
    return OpenedPage(units=_without(page.units, frozenset(reused)), reused=reused)


async def _taken_over(blobs: Blobs, folder: RunFolder, redrive_of: RunFolder, number: int) -> OpenedPage:
    before = await _origin(blobs, redrive_of)
    await _copy_request(blobs, folder, redrive_of, before)
    found = await found_page(blobs, redrive_of, before, number)
    page = _placed(found.page, found.folder)
    reused = await _copied_results(blobs, found.folder, folder, [work for unit in page.units for work in unit.works])
    await blobs.write(folder.container, page_blob(folder, MAP_STAGE, number), page.model_dump_json().encode())
    return OpenedPage(units=_without(page.units, frozenset(reused)), reused=reused)


async def _copy_request(blobs: Blobs, folder: RunFolder, redrive_of: RunFolder, before: RunFolder | None) -> None:
    """Give a redrive its request, and note which run it goes on from."""
    request, _ = await _found(blobs, redrive_of, before, request_blob)
    await blobs.write(folder.container, request_blob(folder), request, only_new=True)
    origin = redrive_of.model_dump_json().encode()
    await blobs.write(folder.container, origin_blob(folder), origin, only_new=True)


def _placed(page: Page, folder: RunFolder) -> Page:
    """A page for another folder: the texts that were written for it stay where they are."""
    units = [unit.model_copy(update={"works": [_moved(work, folder) for work in unit.works]}) for unit in page.units]
    return Page(units=units)


def _moved(work: Work, folder: RunFolder) -> Work:
    about = document_of(work)
    if about.text.container is not None:
        return work
    text = about.text.model_copy(update={"container": folder.container, "blob": folder.name + about.text.blob})
    return work.model_copy(update={"place": about.model_copy(update={"text": text}).model_dump(mode="json")})


async def _copied_results(blobs: Blobs, origin: RunFolder, folder: RunFolder, works: Sequence[Work]) -> list[str]:
    """Copy the results of works that succeeded, byte for byte, if they are not there; their names, in order."""

    async def copied(work: Work) -> bool:
        try:
            line = await blobs.read(origin.container, document_blob(origin, work.name))
        except DocumentGone:
            return False
        if not result_in(line).succeeded:
            return False
        if origin != folder:
            await blobs.write(folder.container, document_blob(folder, work.name), line, only_new=True)
        return True

    done = await at_once(copied, works)
    return [work.name for work, is_copied in zip(works, done, strict=True) if is_copied]


def _without(units: Sequence[Unit], names: frozenset[str]) -> list[Unit]:
    """The units, without works of these names, and those that have others left."""
    left = [
        unit.model_copy(update={"works": [work for work in unit.works if work.name not in names]}) for unit in units
    ]
    return [unit for unit in left if unit.works]
