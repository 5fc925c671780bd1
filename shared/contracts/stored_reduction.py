"""The reduction of a run in storage: what it comes to, and what its activities are given and say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from shared.contracts.base import Contract
from shared.contracts.reduction import (
    ConcatenateReduction,
    MergeReduction,
    ReductionType,
    RefineReduction,
    TableReduction,
    TreeReduction,
)
from shared.contracts.sectioning import MergeConflict
from shared.contracts.work import RunFolder

MAX_LISTED = 100
"""Names in a list that may be of any length; the others are counted."""
MAX_INLINE_CHARS = 100_000
"""Of an answer that is in the result itself, as text or JSON."""


class Listed(Contract):
    """Names, of which there are `count` in all, and the first of them."""

    count: int = 0
    names: list[str] = Field(default_factory=list[str])


def together(before: Listed, after: Listed) -> Listed:
    """Two lists as one."""
    return Listed(count=before.count + after.count, names=[*before.names, *after.names][:MAX_LISTED])


class Lines(Contract):
    """A range of lines of a blob in the run's folder: its bytes from `begin` up to `end`, without that one."""

    blob: str
    begin: int
    end: int


class MissingLines(Contract):
    """Documents without an output, `count` of them, a line each: all in `lines`, or the first that fit a prompt."""

    lines: Lines
    count: int


class Output(Contract):
    """Output number `number`, from 0, of the map, which is the line from byte `begin` up to `end` of its results.

    `name` is that of its work; `split` says that it is about a part of its `document`.
    """

    number: int
    name: str
    document: str
    split: bool
    begin: int
    end: int


class Extent(Contract):
    """The outputs that an answer rests on, all or some of those from `first` to `last`.

    There are `count` of them, about `documents` documents; `parts` of them are about a part of one.
    """

    first: Output
    last: Output
    count: int = 1
    documents: int = 1
    parts: int = 0


class SoFar(Contract):
    """The answer so far of a refinement, that of the call `call`: the blob `answer` has it."""

    extent: Extent
    call: str
    answer: str


class ReadPlace(Contract):
    """What a call of the reduction reads: parts on lines that follow one another, and what it is told.

    The parts are outputs of the map, or answers of the level below; `first` is the number of the first output. Those
    longer than `split` bytes come in pieces; of all pieces and parts on the lines it reads `take`, but for the first
    `skip`. One of more than `limit` bytes is cut. Before them comes the answer `so_far`, cut at `so_far_limit`.
    """

    lines: Lines
    first: int
    split: int | None = None
    limit: int | None = None
    skip: int = 0
    take: int
    so_far: SoFar | None = None
    so_far_limit: int | None = None
    missing: MissingLines | None = None
    scope: str | None = None


class Group(Contract):
    """Parts that go up together: read by the call `name`, or one part as it is if there is no call."""

    name: str | None
    place: ReadPlace
    extent: Extent


class Dropped(Contract):
    """Parts that a failed call read. `lost` are the first and the last output of which no part is left elsewhere."""

    place: ReadPlace
    extent: Extent
    lost: tuple[int, int] | None = None


class OutputOrigin(Contract):
    """The part of a document that an output is about."""

    document: str
    part: int
    of: int
    first_line: int
    last_line: int

    @property
    def lines(self) -> str:
        """Its lines in short: `120-240`, or `7`."""
        return f"{self.first_line}" if self.first_line == self.last_line else f"{self.first_line}-{self.last_line}"


class StoredPart(Contract):
    """A line of what a level of the tree reads: an answer of the level below, or an output that has come up as it is.

    See `shared/aggregation/material.py: Part`.
    """

    extent: Extent
    output: JsonValue
    call: str | None = None
    piece: tuple[int, int] | None = None
    origin: OutputOrigin | None = None


class StoredAnswer(Contract):
    """What a call of the reduction has answered."""

    output: JsonValue
    model: str | None = None
    truncated: bool = False


class PlanLevel(Contract):
    """The input of `plan_level`: the next calls of a reduction, level `number` of a tree or that step of a refinement.

    `agent` in `way` has the run's defaults. `pages` are those of the map's plan, in this folder, or else in that of
    the run that this one is a redrive of.
    """

    folder: RunFolder
    way: Annotated[TreeReduction | RefineReduction, Field(discriminator="type")]
    number: int
    pages: int
    redrive_of: RunFolder | None = None


class LevelPlan(Contract):
    """The calls of a level, on `pages` pages; without `works` the reduction has ended.

    `base_tokens` are those of the agent's instructions and schema. `clipped` names the calls whose answers are cut in
    this level's prompts.
    """

    works: int = 0
    pages: int = 0
    base_tokens: int = 0
    clipped: Listed = Listed()


class JoinOutputs(Contract):
    """The input of `join_outputs`, which writes the answer of a reduction to a file and tells what it rests on.

    `planned` is the number of the last level or step of which calls were made, 0 if none. `interrupted` says that its
    calls were.
    """

    folder: RunFolder
    way: Annotated[
        TreeReduction | RefineReduction | ConcatenateReduction | MergeReduction | TableReduction,
        Field(discriminator="type"),
    ]
    pages: int
    split: bool = False
    planned: int = 0
    interrupted: bool = False
    calls_per_level: list[int] = Field(default_factory=list[int])
    clipped: Listed = Listed()
    redrive_of: RunFolder | None = None


class StoredReduction(Contract):
    """The reduction of a run in storage: `output` is the blob that has it, `content` too unless it is very long.

    `content` is the text, or the value, of at most 100,000 characters; it is left out when no call gave an answer and
    `concatenate` stands for what was requested. `documents` counts those that it rests on, each with all of its parts.
    `missing` are the works of the map without an output, by their names in prompts; `unreduced` the documents with
    outputs that are not in the answer, or not as a whole, and `incomplete` those of which answers about some parts are
    missing. The other fields are those of `MapReduceOutput`; of conflicts the first are listed, each with the value
    that stands and the first others.
    """

    kind: Literal["stored_reduction"] = "stored_reduction"
    reduction: Literal["agent"] | ReductionType
    requested: ReductionType
    content: JsonValue = None
    output: str
    documents: int
    calls_per_level: list[int] = Field(default_factory=list[int])
    missing: Listed = Listed()
    unreduced: Listed = Listed()
    incomplete: Listed = Listed()
    clipped: Listed = Listed()
    conflicts: list[MergeConflict] = Field(default_factory=list[MergeConflict])
    conflict_count: int = 0
