"""Outputs of a map as parts of a reduction, read from lines one after the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import JsonValue

from shared.aggregation.material import Basis, Part, rendered, split
from shared.blobs import Blobs
from shared.contracts.base import Contract, restored
from shared.contracts.stored_reduction import Extent, Lines, Output, OutputOrigin, ReadPlace, StoredPart
from shared.contracts.work import RunFolder
from shared.stored_reduction.files import RESULTS
from shared.stored_reduction.lines import Line, all_lines, lines_in
from shared.tokens import text_bytes


class MapOutput(Contract):
    """What the reduction takes of a line of the map's results."""

    id: str
    name: str
    part: int | None = None
    of: int | None = None
    first_line: int | None = None
    last_line: int | None = None
    output: JsonValue = None

    @property
    def origin(self) -> OutputOrigin | None:
        """The part of a document that it is about; None for a whole one."""
        if self.part is None:
            return None
        first = self.first_line or 0
        return OutputOrigin(
            document=self.id, part=self.part, of=self.of or 0, first_line=first, last_line=self.last_line or first
        )


class PlacedPart(NamedTuple):
    """A part, and the bytes of its line from `begin` up to `end`."""

    part: StoredPart
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A part or a piece as a call reads it; piece number `skip`, from 0, of what is on the line of `placed`."""

    placed: PlacedPart
    part: StoredPart
    skip: int
    size: int
    """Of its block, in bytes."""
    is_cut: bool


def output_on(line: Line, number: int) -> StoredPart:
    """The part on line `number`, from 0, of the map's results."""
    said = restored(MapOutput, json.loads(line.text))
    output = Output(
        number=number,
        name=said.name,
        document=said.id,
        split=said.part is not None,
        begin=line.begin,
        end=line.end,
    )
    extent = Extent(first=output, last=output, parts=int(output.split))
    return StoredPart(extent=extent, output=said.output, origin=said.origin)


async def outputs(blobs: Blobs, folder: RunFolder) -> AsyncIterator[PlacedPart]:
    """All outputs of the map, in the plan's order."""
    number = 0
    async for line in all_lines(blobs, folder, RESULTS):
        yield PlacedPart(output_on(line, number), line.begin, line.end)
        number += 1


async def parts_in(blobs: Blobs, folder: RunFolder, lines: Lines, first: int) -> AsyncIterator[PlacedPart]:
    """The parts on these lines; `first` is the number of the first output."""
    number = first
    async for line in lines_in(blobs, folder, lines):
        if lines.blob == RESULTS:
            part = output_on(line, number)
            number += 1
        else:
            part = restored(StoredPart, json.loads(line.text))
        yield PlacedPart(part, line.begin, line.end)


async def parts_at(blobs: Blobs, folder: RunFolder, place: ReadPlace) -> AsyncIterator[StoredPart]:
    """The parts and pieces that a call reads."""
    passed = 0
    async for placed in parts_in(blobs, folder, place.lines, place.first):
        for piece in in_pieces(placed.part, place.split):
            if place.skip <= passed < place.skip + place.take:
                yield piece
            passed += 1


def in_pieces(part: StoredPart, limit: int | None) -> list[StoredPart]:
    """The part, or its pieces whose blocks have at most `limit` bytes."""
    if limit is None:
        return [part]
    shown = split(told(part), limit)
    if len(shown) == 1 and shown[0].piece == part.piece:
        return [part]
    return [part.model_copy(update={"output": piece.output, "piece": piece.piece}) for piece in shown]


def shown_parts(placed: PlacedPart, split_at: int | None, limit: int | None) -> list[Shown]:
    """What a call reads of one line."""
    found: list[Shown] = []
    for skip, piece in enumerate(in_pieces(placed.part, split_at)):
        whole = rendered(told(piece))
        text = whole if limit is None or text_bytes(whole) <= limit else rendered(told(piece), limit)
        found.append(Shown(placed, piece, skip, text_bytes(text), text != whole))
    return found


def told(part: StoredPart) -> Part:
    """The part as prompts and headings tell it."""
    return Part((), part.output, part.call, part.piece, part.origin, basis_of(part.extent))


def basis_of(extent: Extent) -> Basis:
    """What it comes to in a prompt."""
    return Basis(extent.first.name, extent.last.name, extent.count, extent.documents, extent.parts)


def joined(before: Extent, after: Extent) -> Extent:
    """The extent of both, of which `after` comes later: at most one output is in both, as pieces."""
    same = before.last.number == after.first.number
    same_document = before.last.document == after.first.document
    return Extent(
        first=before.first,
        last=after.last,
        count=before.count + after.count - same,
        documents=before.documents + after.documents - same_document,
        parts=before.parts + after.parts - (same and after.first.split),
    )
