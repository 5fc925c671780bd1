"""The files of a map in storage: the results and failures of each page become blocks of two files, counted and hashed.

A page's lines are staged when it is closed, and the files are made of the blocks in the end, so that no step holds more
than a part of a page. What a file says is what the works' own blobs say, whatever a shard believed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import NamedTuple

from shared.blobs import Blobs
from shared.concurrency import at_once
from shared.contracts.base import restored
from shared.contracts.branch import BranchError, Usage
from shared.contracts.missing import MAX_MISSING, first_names
from shared.contracts.results import (
    DocumentResult,
    FileFacts,
    FinishedMap,
    FinishMap,
    Manifest,
    ManifestCounts,
    PageSummary,
)
from shared.contracts.storage import StoredFiles
from shared.contracts.work import ClosePage, RunFolder, Tally, Work, WorkFailure, files_of
from shared.document_results import failure, line_of, result_in
from shared.errors import CallFailed, DocumentGone
from shared.opened_pages import found_page, found_request, stored_page
from shared.stored_names import (
    MAP_STAGE,
    document_blob,
    failures_blob,
    manifest_blob,
    opened_blob,
    results_blob,
    summary_blob,
)
from shared.stored_requests import StoredRequest, stored_request

LOG = logging.getLogger("chorus.results")

BLOCK_BYTES = 8 * 1024 * 1024
BLOCKS_OF_A_PAGE = 1_000
"""Numbers for blocks: page 7 has 7,000 to 7,999."""
BLOCKS_OF_ITS_CLOSING = 500
"""The others are for `finish_map`, which may read a page again while somebody closes it."""
LINES_AT_ONCE = 128
SUMMARIES_AT_ONCE = 16
LOST = BranchError(code=CallFailed.code, message="its result is not in the run's folder", retriable=False)

type Fallback = Callable[[Work], DocumentResult]
"""What is said of a work that has no result."""


class BlockFile:
    """Lines of a file, uploaded in blocks with numbers from `first`; `blocks` are those that it has so far."""

    def __init__(self, blobs: Blobs, container: str, name: str, first: int) -> None:
        self._blobs = blobs
        self._container = container
        self._name = name
        self._first = first
        self._lines: list[bytes] = []
        self._bytes = 0
        self.blocks: list[int] = []

    async def add(self, line: bytes) -> None:
        """Append a line."""
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= BLOCK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Upload what is left."""
        if self._lines:
            number = self._first + len(self.blocks)
            await self._blobs.stage(self._container, self._name, number, b"".join(self._lines))
            self.blocks.append(number)
            self._lines, self._bytes = [], 0


async def closed_page(blobs: Blobs, given: ClosePage) -> Tally:
    """Write the failures of a page, and what came of all its works into the two files; the same again if repeated.

    Counts what is there: an answer that came while its work was given up counts. Says nothing of usage.
    """
    page = await stored_page(blobs, given.folder, given.stage, given.number)
    works = [work for unit in page.units for work in unit.works]
    if given.stage != MAP_STAGE:
        summary = _summary_of_failures(given, len(works))
    else:
        container = (await stored_request(blobs, given.folder)).container
        failed = {one.name: one for one in given.failures}
        await _write_failures(blobs, given.folder, [work for work in works if work.name in failed], failed, container)
        fallback = _told(WorkFailure(name="", status="failed", error=LOST), container)
        summary = await _compiled(blobs, given.folder, given.number, works, fallback)
    await _write_summary(blobs, given.folder, given.stage, summary)
    return Tally(succeeded=summary.succeeded, failed=summary.failed)


def _summary_of_failures(given: ClosePage, works: int) -> PageSummary:
    names = [failed.name for failed in given.failures]
    return PageSummary(
        number=given.number, succeeded=works - len(names), failed=len(names), missing=names[:MAX_MISSING]
    )


def _told(failed: WorkFailure, container: str | None, ended_at: datetime | None = None) -> Fallback:
    return lambda work: failure(work, failed, container, ended_at or datetime.now(UTC))


async def _write_failures(
    blobs: Blobs, folder: RunFolder, works: Sequence[Work], failed: dict[str, WorkFailure], container: str | None
) -> None:
    async def write(work: Work) -> None:
        line = line_of(_told(failed[work.name], container)(work))
        await blobs.write(folder.container, document_blob(folder, work.name), line, only_new=True)

    await at_once(write, works)


async def _write_summary(blobs: Blobs, folder: RunFolder, stage: str, summary: PageSummary) -> None:
    name = summary_blob(folder, stage, summary.number)
    await blobs.write(folder.container, name, summary.model_dump_json().encode())


async def _compiled(
    blobs: Blobs,
    folder: RunFolder,
    number: int,
    works: Sequence[Work],
    fallback: Fallback,
    *,
    closes: bool = True,
    has_results: bool = True,
) -> PageSummary:
    """What came of the works of a page, read back and staged as blocks of the two files, in their order."""
    first = number * BLOCKS_OF_A_PAGE + (0 if closes else BLOCKS_OF_ITS_CLOSING)
    results = BlockFile(blobs, folder.container, results_blob(folder), first)
    failures = BlockFile(blobs, folder.container, failures_blob(folder), first)
    succeeded, usage, missing = 0, Usage(), list[str]()

    async def line(work: Work) -> bytes:
        written = await _written(blobs, folder, work) if has_results else None
        return line_of(fallback(work)) if written is None else written

    for some in batched(works, LINES_AT_ONCE, strict=False):
        for work, read in zip(some, await at_once(line, some), strict=True):
            result = result_in(read)
            usage += result.usage
            if result.succeeded:
                succeeded += 1
                await results.add(read)
            else:
                missing.append(work.name)
                await failures.add(read)
    await results.flush()
    await failures.flush()
    return PageSummary(
        number=number,
        succeeded=succeeded,
        failed=len(works) - succeeded,
        usage=usage,
        missing=missing[:MAX_MISSING],
        results=results.blocks,
        failures=failures.blocks,
    )


async def _written(blobs: Blobs, folder: RunFolder, work: Work) -> bytes | None:
    try:
        return await blobs.read(folder.container, document_blob(folder, work.name))
    except DocumentGone:
        return None


class Pages(NamedTuple):
    """All pages together: the blocks of the two files, what their results cost, and the first works without one."""

    results: list[int]
    failures: list[int]
    usage: Usage
    missing: list[str]


async def finished_map(blobs: Blobs, given: FinishMap) -> FinishedMap:
    """Make the two files of the pages' blocks, and write the manifest; the same again if repeated.

    Works of a page that is gone have failed, and nobody knows their names.
    """
    request = await found_request(blobs, given.folder, given.redrive_of)
    pages = await _all_pages(blobs, given, request.container)
    container = given.folder.container
    await blobs.commit(container, results_blob(given.folder), pages.results)
    await blobs.commit(container, failures_blob(given.folder), pages.failures)
    results = await _facts(blobs, container, results_blob(given.folder))
    failures = await _facts(blobs, container, failures_blob(given.folder))
    counted = given.tally or Tally(usage=pages.usage)
    failed = max(failures.lines, counted.succeeded + counted.failed - results.lines)
    usage = counted.usage if given.redrive_of else _at_least(counted.usage, pages.usage)
    tally = counted.model_copy(update={"succeeded": results.lines, "failed": failed, "usage": usage})
    manifest = _manifest(
        given, request, tally, {results_blob(given.folder): results, failures_blob(given.folder): failures}
    )
    await blobs.write(container, manifest_blob(given.folder), manifest.model_dump_json(indent=2).encode() + b"\n")
    return FinishedMap(files=_files(given.folder), tally=tally, missing=first_names(pages.missing))


def _at_least(told: Usage, answered: Usage) -> Usage:
    """What shards told, who may have ended without an account, but no less than the answers that are there have cost.

    Those of a redrive say what they cost the runs before it.
    """
    return Usage(**{name: max(getattr(told, name), getattr(answered, name)) for name in Usage.model_fields})


async def _all_pages(blobs: Blobs, given: FinishMap, source_container: str | None) -> Pages:
    pages = Pages([], [], Usage(), [])
    for numbers in batched(range(1, given.pages + 1), SUMMARIES_AT_ONCE, strict=False):
        for summary in await at_once(lambda number: _summary(blobs, given, number, source_container), numbers):
            pages.results.extend(summary.results)
            pages.failures.extend(summary.failures)
            pages.missing.extend(summary.missing[: MAX_MISSING - len(pages.missing)])
            pages = pages._replace(usage=pages.usage + summary.usage)
    return pages


async def _summary(blobs: Blobs, given: FinishMap, number: int, source_container: str | None) -> PageSummary:
    try:
        name = summary_blob(given.folder, MAP_STAGE, number)
        return restored(PageSummary, json.loads(await blobs.read(given.folder.container, name)))
    except DocumentGone:
        return await _left_open(blobs, given, number, source_container)


async def _left_open(blobs: Blobs, given: FinishMap, number: int, source_container: str | None) -> PageSummary:
    """The summary of a page that nobody closed: what is there counts, and of the other works is said why they end."""
    try:
        page = (await found_page(blobs, given.folder, given.redrive_of, number)).page
    except DocumentGone as exc:
        run_id = given.folder.run_id
        LOG.warning("Page %d of the run %r is lost: %s", number, run_id, exc, extra={"run_id": run_id})
        return PageSummary(number=number, succeeded=0, failed=0)
    works = [work for unit in page.units for work in unit.works]
    undecided = WorkFailure(name="", status=given.undecided.status, error=given.undecided.error)
    fallback = _told(undecided, source_container, given.ended_at)
    was_opened = await _is_there(blobs, given.folder.container, opened_blob(given.folder, MAP_STAGE, number))
    return await _compiled(blobs, given.folder, number, works, fallback, closes=False, has_results=was_opened)


async def _is_there(blobs: Blobs, container: str, name: str) -> bool:
    try:
        await blobs.read(container, name)
    except DocumentGone:
        return False
    return True


async def _facts(blobs: Blobs, container: str, name: str) -> FileFacts:
    size, lines, digest = 0, 0, hashlib.sha256()
    async for piece in blobs.stream(container, name):
        size, lines = size + len(piece), lines + piece.count(b"\n")
        digest.update(piece)
    return FileFacts(bytes=size, lines=lines, sha256=digest.hexdigest())


def _manifest(given: FinishMap, request: StoredRequest, tally: Tally, files: Mapping[str, FileFacts]) -> Manifest:
    works = tally.succeeded + tally.failed
    return Manifest(
        run_id=given.folder.run_id,
        redrive_of=None if given.redrive_of is None else given.redrive_of.run_id,
        status=given.status,
        started_at=given.started_at,
        ended_at=given.ended_at or datetime.now(UTC),
        source=None if request.source is None else request.source.model_dump(mode="json", exclude_none=True),
        pages=given.pages,
        counts=ManifestCounts(
            documents=works if given.documents is None else given.documents,
            works=works,
            succeeded=tally.succeeded,
            failed=tally.failed,
            reused=tally.reused,
        ),
        usage=tally.usage,
        files={name.removeprefix(given.folder.name): facts for name, facts in files.items()},
    )


def _files(folder: RunFolder) -> StoredFiles:
    written = {"results": results_blob(folder), "failures": failures_blob(folder), "manifest": manifest_blob(folder)}
    return files_of(folder).model_copy(update=written)
