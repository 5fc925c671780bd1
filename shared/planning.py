"""Planning a map in storage: from a source, or inline documents, to pages of works in the run's folder.

1. The first step keeps the request in the folder, and writes the texts of inline documents.
2. A step lists the source on from its cursor. A blob that is one document, unsplit, is not read; others are, and
   their records or parts are written to the folder's blobs of texts.
3. A step ends once it has planned, read or listed as much as its bounds say, also within a blob of records. All that
   it writes follows from its cursor, so a step that is run twice writes the same again.
"""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from shared.blobs import BlobInfo, Blobs
from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.planning import OpenBlob, Plan, PlanCursor, PlanInput, PlanTotals
from shared.contracts.storage import BlobSink, BlobSource
from shared.contracts.work import RunFolder, TextPlace
from shared.errors import DocumentChanged, DocumentGone, DocumentUnreadable, PermanentAgentError, StorageForbidden
from shared.pages import Pages
from shared.parts import Parts
from shared.sources.globs import matcher
from shared.sources.pieces import PIECE_BYTES, head_of
from shared.sources.record import Position, Record
from shared.sources.records import RECORD_FORMATS, records_of
from shared.sources.texts import (
    MAX_DOCUMENT_BYTES,
    MAX_SPLIT_BYTES,
    estimated_blob_tokens,
    size_problem,
    text_of_blob,
)
from shared.stored_names import request_blob
from shared.tokens import text_bytes
from shared.works import Origin, TooManyWorksError, Works

LISTED_AT_ONCE = 5_000
READ_AT_ONCE = 16
READ_AT_ONCE_BYTES = 4 * PIECE_BYTES
"""Blobs whose first bytes are read side by side, and how many bytes."""
RESUMED_HEAD_BYTES = 16
"""Enough to know how a blob is compressed and encoded."""
LOST = (DocumentUnreadable, DocumentChanged, DocumentGone)
"""What fails a document, and not the run."""


class StepBounds(NamedTuple):
    """What a step does at least before it ends, if there is so much; it ends after the blob or record that exceeds it.

    `works` are those that it plans, `bytes` are of blobs that it reads, `listed` counts blobs that fit or not.
    """

    works: int = 5_000
    bytes: int = 64 * 1024 * 1024
    listed: int = 50_000


STEP = StepBounds()


async def plan(blobs: Blobs, given: PlanInput, bounds: StepBounds = STEP) -> Plan:
    """One step. A container that may not be read, or too many documents, is the plan's problem.

    `StorageUnavailable` passes: the same step may be run again.
    """
    cursor = PlanCursor() if given.cursor is None else restored(PlanCursor, given.cursor)
    planner: Planner | None = None
    try:
        request = await _request_of(blobs, given)
        planner = Planner(blobs, given.folder, request, cursor, bounds)
        next_cursor = await planner.step()
    except (TooManyWorksError, StorageForbidden) as exc:
        totals = planner.totals if planner else PlanTotals()
        return Plan(**totals.model_dump(), problem=str(exc))
    return Plan(**planner.totals.model_dump(), cursor=next_cursor and next_cursor.model_dump(mode="json"))


async def _request_of(blobs: Blobs, given: PlanInput) -> MapReduceRequest:
    """The request, from the first step's input or from the folder; the first step puts it there."""
    folder = given.folder
    name = request_blob(folder)
    if given.request is None:
        return restored(MapReduceRequest, json.loads(await blobs.read(folder.container, name)))
    request = restored(MapReduceRequest, given.request)
    sink = request.sink or BlobSink(container=folder.container, prefix=folder.name.removesuffix(f"{folder.run_id}/"))
    kept = request.model_copy(update={"documents": [], "chunks": [], "sink": sink})
    await blobs.write(folder.container, name, kept.model_dump_json().encode())
    return request


class Planner:
    """One step of planning."""

    def __init__(
        self, blobs: Blobs, folder: RunFolder, request: MapReduceRequest, cursor: PlanCursor, bounds: StepBounds
    ) -> None:
        self._blobs = blobs
        self._folder = folder
        self._request = request
        self._cursor = cursor
        self._bounds = bounds
        self._pages = Pages(blobs, folder, batch_size=request.batch_size, begun=cursor.pages)
        self._parts = Parts(blobs, folder, cursor.parts)
        self._works = Works(self._pages, self._parts, request.split, cursor)
        self._limit = (request.source and request.source.limit) or None
        self._bytes_read = 0
        self._listed = 0

    @property
    def totals(self) -> PlanTotals:
        """Of all steps."""
        return self._works.totals.model_copy(update={"pages": self._pages.begun})

    async def step(self) -> PlanCursor | None:
        """Plan on from the cursor, and say where the next step does; None at the end."""
        if self._cursor.open_works:
            await self._pages.reopen(self._cursor.open_works)
        source = self._request.source
        place = await self._plan_inline() if source is None else await self._plan_blobs(source)
        await self._parts.flush()
        await self._pages.flush()
        if place is None:
            return None
        state = {"open_works": self._pages.open_works, "parts": self._parts.written, **self.totals.model_dump()}
        return place.model_copy(update=state)

    # --- Where documents are ---

    async def _plan_inline(self) -> None:
        for document in self._request.documents:
            self._works.count_bytes(text_bytes(document.content))
            await self._works.take_text(document.content, Origin(document.id, TextPlace(blob="")))

    async def _plan_blobs(self, source: BlobSource) -> PlanCursor | None:
        """Plan blobs until the step is over: where the next goes on, in a blob, after one, or after a listing."""
        after, last = self._cursor.after, self._cursor.last
        if (left := await self._finish_begun_blob(source)) is not None:
            return PlanCursor(after=after, last=last, blob=left)
        while not self._is_complete:
            if self._is_over:
                return PlanCursor(after=after, last=last)
            listing = await self._blobs.listed(source.container, source.prefix, after=after, most=LISTED_AT_ONCE)
            left = await self._plan_listed(source, self._chosen(source, listing.blobs, last))
            if self._is_complete:
                return None
            if left is not None:
                return left.model_copy(update={"after": after})
            self._listed += len(listing.blobs)
            after, last = listing.after, None
            if after is None:
                return None
        return None

    async def _plan_listed(self, source: BlobSource, chosen: Iterator[BlobInfo]) -> PlanCursor | None:
        """Plan the blobs of a listing; if the step is over before its end, where it has left it."""
        last: str | None = None
        async with aclosing(self._read_heads(source, chosen)) as heads:
            async for blob, head in heads:
                if last is not None and self._has_enough:
                    return PlanCursor(last=last)
                left = await self._take_blob(source, blob, head)
                last = blob.name
                if left is not None:
                    return PlanCursor(last=last, blob=left)
        return None

    async def _finish_begun_blob(self, source: BlobSource) -> OpenBlob | None:
        """Plan the rest of the blob that the step before has begun, if it has; what is left once more."""
        begun = self._cursor.blob
        if begun is None:
            return None
        return await self._take_records(source, begun, await self._head(source, _info_of(begun), RESUMED_HEAD_BYTES))

    def _chosen(self, source: BlobSource, listed: Sequence[BlobInfo], last: str | None) -> Iterator[BlobInfo]:
        """The blobs after `last` that fit the source's pattern; neither folders nor what this run has written."""
        fits = matcher(source.glob)
        own = self._folder.name if source.container == self._folder.container else None
        for blob in _after(listed, last):
            is_folder = blob.size == 0 and blob.name.endswith("/")
            is_own = own is not None and blob.name.startswith(own)
            if not is_folder and not is_own and fits(blob.name.removeprefix(source.prefix)):
                yield blob

    async def _read_heads(
        self, source: BlobSource, chosen: Iterator[BlobInfo]
    ) -> AsyncGenerator[tuple[BlobInfo, bytes | PermanentAgentError]]:
        """The blobs with their first bytes, if they are to be read: of a few at a time, so that none waits alone."""
        if not self._reads_blobs(source):
            for blob in chosen:
                yield blob, b""
            return
        for group in _groups(chosen):
            heads = await asyncio.gather(*(self._head(source, blob) for blob in group))
            for blob, head in zip(group, heads, strict=True):
                yield blob, head

    async def _head(self, source: BlobSource, blob: BlobInfo, most: int = PIECE_BYTES) -> bytes | PermanentAgentError:
        try:
            return await head_of(self._blobs, source.container, blob, most)
        except LOST as exc:
            return exc

    def _reads_blobs(self, source: BlobSource) -> bool:
        return source.format in RECORD_FORMATS or self._request.split.by != "document"

    # --- What a blob has ---

    async def _take_blob(
        self, source: BlobSource, blob: BlobInfo, head: bytes | PermanentAgentError
    ) -> OpenBlob | None:
        """Plan the documents of a blob, and say where a step that is over has left it."""
        self._works.count_bytes(blob.size)
        if source.format in RECORD_FORMATS:
            return await self._take_records(source, OpenBlob(**blob._asdict()), head)
        origin = _origin(source, blob)
        if not self._reads_blobs(source):
            await self._take_unread(blob, origin)
            return None
        try:
            if isinstance(head, PermanentAgentError):
                raise head
            self._bytes_read += blob.size if blob.size <= MAX_SPLIT_BYTES else 0
            text = await text_of_blob(self._blobs, source.container, blob, head, source.encoding)
        except LOST as exc:
            await self._works.take_problem(origin, exc.message)
        else:
            await self._works.take_text(text, origin)
        return None

    async def _take_unread(self, blob: BlobInfo, origin: Origin) -> None:
        if problem := size_problem(blob.size, MAX_DOCUMENT_BYTES):
            await self._works.take_problem(origin, problem)
        else:
            await self._works.take_blob(origin, estimated_blob_tokens(blob))

    async def _take_records(
        self, source: BlobSource, blob: OpenBlob, head: bytes | PermanentAgentError
    ) -> OpenBlob | None:
        end = Position(blob.number, blob.offset, blob.columns)
        try:
            if isinstance(head, PermanentAgentError):
                raise head
            async with aclosing(_records(self._blobs, source, blob, head)) as records:
                async for record in records:
                    origin = _origin(source, _info_of(blob), record.end.number)
                    self._bytes_read += record.end.offset - end.offset
                    end = record.end
                    if record.problem is None:
                        await self._works.take_text(record.text, origin)
                    else:
                        await self._works.take_problem(origin, record.problem)
                    if self._is_complete:
                        return None
                    if self._is_over:
                        return blob.model_copy(update=end._asdict())
        except LOST as exc:
            await self._works.take_problem(_origin(source, _info_of(blob), end.number + 1), exc.message)
        return None

    # --- Bounds ---

    @property
    def _is_complete(self) -> bool:
        return self._limit is not None and self._works.totals.documents >= self._limit

    @property
    def _has_enough(self) -> bool:
        return self._is_complete or self._is_over

    @property
    def _is_over(self) -> bool:
        bounds = self._bounds
        planned = self._works.totals.works - self._cursor.works
        return planned >= bounds.works or self._bytes_read >= bounds.bytes or self._listed >= bounds.listed


def _after(listed: Sequence[BlobInfo], last: str | None) -> Iterator[BlobInfo]:
    """The blobs that come after the one named `last`, which may be gone."""
    names = [blob.name for blob in listed]
    begin = 0 if last is None else names.index(last) + 1 if last in names else bisect_right(names, last)
    return iter(listed[begin:])


def _groups(blobs: Iterator[BlobInfo]) -> Iterator[list[BlobInfo]]:
    """Blobs of which the first bytes may be in memory together."""
    group: list[BlobInfo] = []
    size = 0
    for blob in blobs:
        head = min(blob.size, PIECE_BYTES)
        if group and (len(group) == READ_AT_ONCE or size + head > READ_AT_ONCE_BYTES):
            yield group
            group, size = [], 0
        group.append(blob)
        size += head
    if group:
        yield group


def _records(blobs: Blobs, source: BlobSource, blob: OpenBlob, head: bytes) -> AsyncGenerator[Record]:
    return records_of(blobs, source, _info_of(blob), head, Position(blob.number, blob.offset, blob.columns))


def _info_of(blob: OpenBlob) -> BlobInfo:
    return BlobInfo(blob.name, blob.size, blob.etag)


def _origin(source: BlobSource, blob: BlobInfo, record: int | None = None) -> Origin:
    """A document of a blob: all of it, or a record, whose id is `BLOB#NUMBER`."""
    place = TextPlace(container=source.container, blob=blob.name, etag=blob.etag, encoding=source.encoding)
    document = blob.name if record is None else f"{blob.name}#{record}"
    return Origin(document, place, blob.name, record)
