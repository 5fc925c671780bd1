"""The answer of a reduction in storage: a file in the run's folder, and the account of what it rests on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

from pydantic import JsonValue

from shared.aggregation.concatenation import BETWEEN, under_heading
from shared.aggregation.table import Layout, records_of
from shared.blobs import Blobs
from shared.contracts.reduction import MergeReduction, ReductionType, TableReduction
from shared.contracts.sectioning import MergeConflict
from shared.contracts.stored_reduction import (
    MAX_INLINE_CHARS,
    MAX_LISTED,
    JoinOutputs,
    Listed,
    StoredAnswer,
    StoredPart,
    StoredReduction,
)
from shared.contracts.work import RunFolder
from shared.errors import DocumentGone
from shared.prompts import as_text
from shared.stored_reduction.documents import Documents, Ranges
from shared.stored_reduction.ending import Ending, ending_of
from shared.stored_reduction.files import kept
from shared.stored_reduction.lines import FileWriter
from shared.stored_reduction.parts import outputs, told
from shared.stored_reduction.running_merge import RunningMerge
from shared.stored_reduction.survey import Survey, surveyed

MAX_CONFLICTS_CHARS = 50_000
"""Of the conflicts that are listed, as JSON."""


async def join_outputs(blobs: Blobs, given: JoinOutputs) -> StoredReduction:
    """Write the answer of the calls, or what there is, or what needs no call."""
    survey = await surveyed(blobs, given.folder, given.pages, given.redrive_of)
    match given.way:
        case MergeReduction() as way:
            return await _merged(blobs, given, survey, way)
        case TableReduction() as way:
            return await _tabulated(blobs, given, survey, way)
        case _:
            return await _by_calls(blobs, given, survey)


class AnswerWriter:
    """The file of an answer. It keeps what it writes as long as that may go into the result itself."""

    def __init__(self, blobs: Blobs, folder: RunFolder, blob: str) -> None:
        self.blob = blob
        self._file = FileWriter(blobs, folder, blob)
        self._kept: list[str] = []
        self._chars = 0

    async def add(self, text: str) -> None:
        """Write at its end."""
        self._chars += len(text)
        if self._chars <= MAX_INLINE_CHARS:
            self._kept.append(text)
        else:
            self._kept = []
        await self._file.add(text.encode("utf-8", "surrogatepass"))

    async def close(self) -> str | None:
        """Finish it; the text, if it is short."""
        await self._file.close()
        return "".join(self._kept) if self._chars <= MAX_INLINE_CHARS else None


async def write_answer(blobs: Blobs, folder: RunFolder, output: JsonValue) -> tuple[str, JsonValue]:
    """Write text, or a value as JSON; the blob, and the output if it is short."""
    text = as_text(output)
    writer = AnswerWriter(blobs, folder, "output.txt" if isinstance(output, str) else "output.json")
    await writer.add(text)
    return writer.blob, output if await writer.close() is not None else None


async def write_concatenated(blobs: Blobs, folder: RunFolder, parts: AsyncIterator[StoredPart]) -> str | None:
    """Write parts one after the other, under their headings; the text, if it is short."""
    writer, first = AnswerWriter(blobs, folder, "output.txt"), True
    async for part in parts:
        await writer.add(("" if first else BETWEEN) + under_heading(told(part).heading, part.output))
        first = False
    return await writer.close()


async def _by_calls(blobs: Blobs, given: JoinOutputs, survey: Survey) -> StoredReduction:
    ending = await ending_of(blobs, given, survey)
    if ending.answer is None:
        text = await write_concatenated(blobs, given.folder, ending.frontier)
        content = text if given.way.type == "concatenate" else None
        return _reduction(given, survey, "concatenate", "output.txt", content)
    answer = await kept(blobs, given.folder, ending.answer, StoredAnswer)
    if answer is None:
        raise DocumentGone(f"{given.folder.container}/{given.folder.name}{ending.answer} is not there any more")
    blob, content = await write_answer(blobs, given.folder, answer.output)
    by_calls = "agent" if given.calls_per_level == [1] else given.way.type
    reduction = _reduction(given, survey, by_calls, blob, content)
    return reduction.model_copy(update=await _accounted(blobs, given.folder, ending)) if ending.unread else reduction


async def _accounted(blobs: Blobs, folder: RunFolder, ending: Ending) -> dict[str, int | Listed]:
    """What an answer says of documents that has not read all outputs."""
    documents, unread = Documents(), Ranges(ending.unread)
    async for placed in outputs(blobs, folder):
        document, of = document_of(placed.part)
        documents.add(document, of, unread=unread.has(placed.part.extent.first.number))
    documents.end()
    return {"documents": documents.complete, "unreduced": documents.unreduced}


def document_of(part: StoredPart) -> tuple[str, int | None]:
    """The document that an output is about, and the number of its parts, if it is split."""
    return part.extent.first.document, None if part.origin is None else part.origin.of


async def _merged(blobs: Blobs, given: JoinOutputs, survey: Survey, way: MergeReduction) -> StoredReduction:
    merge = RunningMerge(way.key, way.sum)
    async for placed in outputs(blobs, given.folder):
        merge.add(placed.part.extent.first.name, placed.part.output)
    blob, content = await write_answer(blobs, given.folder, merge.content)
    told_conflicts = list(merge.conflicts())
    return _reduction(given, survey, "merge", blob, content).model_copy(
        update={"conflicts": short(told_conflicts), "conflict_count": len(told_conflicts)}
    )


def short(conflicts: Sequence[MergeConflict]) -> list[MergeConflict]:
    """The first of them, as many as a result can have."""
    found: list[MergeConflict] = []
    left = MAX_CONFLICTS_CHARS
    for conflict in conflicts[:MAX_LISTED]:
        left -= len(json.dumps(conflict.model_dump(mode="json")))
        if left < 0:
            break
        found.append(conflict)
    return found


async def _tabulated(blobs: Blobs, given: JoinOutputs, survey: Survey, way: TableReduction) -> StoredReduction:
    fields: dict[str, None] = {}
    if way.columns is None:
        async for placed in outputs(blobs, given.folder):
            for record in records_of(placed.part.output, way.records) or []:
                fields |= dict.fromkeys(record)
    layout = Layout.of(way, [dict.fromkeys(fields)], split=given.split)
    writer = AnswerWriter(blobs, given.folder, f"output.{way.format}")
    await writer.add(layout.header)
    documents = Documents()
    async for placed in outputs(blobs, given.folder):
        records = records_of(placed.part.output, way.records)
        document, of = document_of(placed.part)
        documents.add(document, of, unread=records is None)
        for record in records or []:
            await writer.add(layout.line(document, placed.part.origin and placed.part.origin.part, record))
    documents.end()
    reduction = _reduction(given, survey, "table", writer.blob, await writer.close())
    return reduction.model_copy(update={"documents": documents.complete, "unreduced": documents.unreduced})


def _reduction(
    given: JoinOutputs, survey: Survey, reduction: ReductionType | str, output: str, content: JsonValue
) -> StoredReduction:
    return StoredReduction.model_validate(
        {
            "reduction": reduction,
            "requested": given.way.type,
            "content": content,
            "output": given.folder.name + output,
            "documents": survey.documents,
            "calls_per_level": given.calls_per_level,
            "missing": survey.missing,
            "incomplete": survey.incomplete,
            "clipped": given.clipped,
        }
    )
