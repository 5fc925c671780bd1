"""How a reduction by calls has ended: with an answer, or with what its calls have left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from shared.blobs import Blobs
from shared.contracts.stored_reduction import Dropped, JoinOutputs, Lines, StoredPart
from shared.contracts.work import RunFolder
from shared.stored_reduction.documents import range_of
from shared.stored_reduction.files import RESULTS, answer_blob
from shared.stored_reduction.parts import in_pieces, outputs, parts_at, parts_in
from shared.stored_reduction.settled import settled
from shared.stored_reduction.steps import refined
from shared.stored_reduction.survey import Survey


@dataclass(frozen=True, slots=True)
class Ending:
    """The blob of the `answer`, and ranges of outputs by their numbers that it does not rest on, or not as a whole.

    Without an answer, `frontier` is the shortest account of all outputs, in document order: answers, and what no call
    has read with success.
    """

    answer: str | None
    unread: Sequence[tuple[int, int]]
    frontier: AsyncIterator[StoredPart]


async def ending_of(blobs: Blobs, given: JoinOutputs, survey: Survey) -> Ending:
    """How the reduction ended. Where no call was made, all outputs are left."""
    if given.planned == 0 or given.way.type == "concatenate":
        return Ending(None, [], _all_outputs(blobs, given.folder))
    if given.way.type == "refine":
        return await _of_refinement(blobs, given, survey)
    return await _of_tree(blobs, given, survey)


async def _of_tree(blobs: Blobs, given: JoinOutputs, survey: Survey) -> Ending:
    folder = given.folder
    state = await settled(blobs, folder, given.planned, survey)
    whole = state.groups == 1 or not given.interrupted
    kept_parts = _placed(blobs, folder, state.parts)
    answer = None
    if state.count == 1 and state.answers and whole:
        part = await anext(kept_parts)
        answer = answer_blob(given.planned, str(part.call))
    streams = [kept_parts, *_dropped(blobs, folder, state.dropped)]
    return Ending(answer, [range_of(group.extent) for group in state.dropped], in_order(streams))


async def _of_refinement(blobs: Blobs, given: JoinOutputs, survey: Survey) -> Ending:
    state = await refined(blobs, given.folder, given.planned)
    unread = [range_of(group.extent) for group in state.dropped]
    waiting = state.waiting
    if waiting.number < survey.outputs:
        unread.append((waiting.number, survey.outputs - 1))
    rest = Lines(blob=RESULTS, begin=waiting.begin, end=survey.results_end)
    behind = _placed(blobs, given.folder, rest, first=waiting.number, split=state.split, skip=waiting.skip)
    streams = [*_dropped(blobs, given.folder, state.dropped), behind]
    return Ending(state.so_far.answer if state.so_far else None, unread, in_order(streams))


def _dropped(blobs: Blobs, folder: RunFolder, dropped: Sequence[Dropped]) -> list[AsyncIterator[StoredPart]]:
    """The parts of dropped groups, a stream for each level: those of one are in order."""
    by_file: dict[str, list[Dropped]] = {}
    for group in dropped:
        by_file.setdefault(group.place.lines.blob, []).append(group)
    return [_parts_of(blobs, folder, groups) for groups in by_file.values()]


async def _parts_of(blobs: Blobs, folder: RunFolder, groups: Sequence[Dropped]) -> AsyncIterator[StoredPart]:
    for group in groups:
        async for part in parts_at(blobs, folder, group.place):
            yield part


async def _placed(
    blobs: Blobs, folder: RunFolder, lines: Lines, *, first: int = 0, split: int | None = None, skip: int = 0
) -> AsyncIterator[StoredPart]:
    async for placed in parts_in(blobs, folder, lines, first):
        for number, piece in enumerate(in_pieces(placed.part, split)):
            if number >= skip or placed.begin > lines.begin:
                yield piece


async def _all_outputs(blobs: Blobs, folder: RunFolder) -> AsyncIterator[StoredPart]:
    async for placed in outputs(blobs, folder):
        yield placed.part


async def in_order(streams: Sequence[AsyncIterator[StoredPart]]) -> AsyncIterator[StoredPart]:
    """The parts of streams that are in order, in order of their first outputs and pieces."""
    heads = [(await anext(stream, None), stream) for stream in streams]
    while waiting := [(key_of(part), place) for place, (part, _) in enumerate(heads) if part is not None]:
        _, place = min(waiting)
        part, stream = heads[place]
        heads[place] = (await anext(stream, None), stream)
        if part is not None:
            yield part


def key_of(part: StoredPart) -> tuple[int, int]:
    """Where a part stands in document order."""
    return part.extent.first.number, part.piece[0] if part.piece else 0
