"""Map-reduce: one agent per document, or part of one, then a reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import MAX_RUN_CHARS, TRUSTED, Contract, Name, Text, misfit, repeated
from shared.contracts.branch import BranchName
from shared.contracts.callback import CallbackUrl
from shared.contracts.policy import RunPolicy, check_policy
from shared.contracts.reduction import (
    AnyReduction,
    MergeReduction,
    Reduction,
    ReductionType,
    TableReduction,
    usual_reduction,
)
from shared.contracts.sectioning import MergeConflict
from shared.contracts.split import Chunk, Incomplete, Split
from shared.contracts.storage import MAX_STORED_DOCUMENTS, BlobSink, BlobSource
from shared.splitting import parts_of

MAX_DOCUMENTS = 1_000
MAX_BATCH_SIZE = 100
MAX_BRANCHES = 1_000
"""Whole documents and parts of documents of one run, together."""


class Document(Contract):
    """A document that comes with the request; its `id` names its branch."""

    id: Name
    content: Text


def _from_history(chunks: list[Chunk], info: ValidationInfo) -> list[Chunk]:
    if info.context is not TRUSTED:
        raise ValueError("where documents are cut is for the app to say; leave this out, and say how in split")
    return chunks


def _some_unless_trusted(documents: list[Document], info: ValidationInfo) -> list[Document]:
    if not documents and info.context is not TRUSTED:
        raise ValueError("give at least one document, or leave this out and give a source")
    return documents


class MapReduceRequest(Contract):
    """`POST /api/map-reduce`: the `map` agent reads each document, `reduce` makes one answer of all of its outputs.

    Documents come with the request, or from a `source` in Blob Storage. With a source or a `sink` the run works in
    storage: outputs are written there. One call of the map agent may read `batch_size` documents or parts, and gives
    each an answer of its own.
    `reduce` is a way to reduce, or an agent alone, which reads all outputs in one call if they fit.
    `chunks` are the parts of the documents that do not fit into the size of `split`, in order. No caller gives them:
    they are found when a request comes in and stay with it in history, so that a replay, a view and a redrive have the
    same, whatever a later version would find. A request that is kept in storage has no `documents` any more.
    """

    documents: Annotated[
        list[Document],
        Field(max_length=MAX_DOCUMENTS, json_schema_extra={"minItems": 1}),
        AfterValidator(_some_unless_trusted),
    ] = Field(default_factory=list[Document])
    source: BlobSource | None = None
    sink: BlobSink | None = None
    batch_size: Annotated[int, Field(ge=1, le=MAX_BATCH_SIZE)] = 1
    split: Split = Split()
    chunks: Annotated[list[Chunk], AfterValidator(_from_history)] = Field(default_factory=list[Chunk])
    map: AgentSpec
    reduce: Reduction
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()
    callback_url: CallbackUrl = None

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if bool(self.documents) == (self.source is not None) and info.context is not TRUSTED:
            raise misfit("documents", "give documents, or a source to read them from, and not both")
        if twice := repeated([document.id for document in self.documents]):
            raise misfit("documents", f"document ids must be unique; repeated: {', '.join(twice)}")
        request = self
        if info.context is not TRUSTED:
            check_fields(self.map, self.reduction)
            request = self._with_chunks()
        check_policy(self.policy, request.most_branches, info)
        return request

    @property
    def in_storage(self) -> bool:
        """Whether documents or outputs are in Blob Storage, and neither in history."""
        return self.source is not None or self.sink is not None

    @property
    def branch_count(self) -> int:
        """How many branches the map has: whole documents, and parts."""
        return len(self.documents) + sum(1 if chunk.part > 1 else 0 for chunk in self.chunks)

    @property
    def most_branches(self) -> int:
        """How many the map may have, as far as the request tells: a source is counted when the run has begun."""
        counted_later = self.source is not None or (self.in_storage and self.split.by != "document")
        return MAX_STORED_DOCUMENTS if counted_later else self.branch_count

    @property
    def reduction(self) -> AnyReduction:
        """The way to reduce."""
        return usual_reduction(self.reduce) if isinstance(self.reduce, AgentSpec) else self.reduce

    def _with_chunks(self) -> Self:
        if self.split.by == "document" or self.in_storage:
            return self
        chunks = [chunk for document in self.documents for chunk in chunks_of(document, self.split)]
        request = self.model_copy(update={"chunks": chunks})
        _check_branches(request)
        return request


def chunks_of(document: Document, split: Split) -> list[Chunk]:
    """The parts of a document; none if it fits into the size, and stays whole."""
    if split.by == "document" or split.size is None:
        return []
    parts = parts_of(document.content, split.by, split.size, split.overlap)
    return [
        Chunk(
            branch=f"{document.id}+{number}",
            document=document.id,
            part=number,
            of=len(parts),
            start=part.span.start,
            end=part.span.end,
            first_line=part.first_line,
            last_line=part.last_line,
        )
        for number, part in enumerate(parts, start=1)
    ]


def _check_branches(request: MapReduceRequest) -> None:
    """Raise the misfit of a split into too many parts, or into more material than a run may have."""
    split, branches = request.split, request.branch_count
    what_to_do = "raise size, lower overlap, or send fewer documents"
    if branches > MAX_BRANCHES:
        told = f"split by {split.size:,} {split.by}, these documents make {branches:,} branches"
        raise misfit("split", f"{told}; at most {MAX_BRANCHES:,} are accepted: {what_to_do}")
    material = sum(chunk.end - chunk.start for chunk in request.chunks)
    if material > MAX_RUN_CHARS:
        told = f"with what overlaps, the parts have {material:,} characters"
        raise misfit("split", f"{told}; at most {MAX_RUN_CHARS:,} are accepted: lower overlap or send fewer documents")


def check_fields(agent: AgentSpec, reduction: AnyReduction) -> None:
    """Raise the misfit of a reduction by fields that the outputs of the map `agent` do not have."""
    if not isinstance(reduction, MergeReduction | TableReduction):
        return
    if agent.output_schema is None:
        reason = "joins fields, and text has none; give the map agent an output_schema, or choose 'concatenate'"
        raise misfit("reduce", f"{reduction.type!r} {reason}")
    field = reduction.records if isinstance(reduction, TableReduction) else None
    properties = agent.output_schema.get("properties")
    if field is None or not isinstance(properties, dict) or agent.output_schema.keys() & COMBINED:
        return
    if field not in properties:
        raise misfit("reduce.records", f"the map agent's output_schema has no property {field!r}")
    kind = cast(dict[str, Any], properties)[field]
    if isinstance(kind, dict) and isinstance(named := cast(dict[str, Any], kind).get("type"), str) and named != "array":
        raise misfit("reduce.records", f"{field!r} is of type {named!r} in the map agent's output_schema, and no array")


COMBINED = {"$ref", "allOf", "anyOf", "oneOf"}
"""Where a schema has these, its `properties` are not all that it says of an object's fields."""


class MapReduceOutput(Contract):
    """The reduction: text, or a value that fits the reduce agent's `output_schema`.

    `reduction` is what was done: `agent` one call that read everything, `tree` calls on several levels. It differs from
    `requested` when no call gave an answer that rests on all others, or their time was up: `concatenate` then has what
    there is, answers of lower levels in the place of the outputs that they rest on.
    `documents` are the ids that it rests on, each with all of its parts. Those in `unreduced` have outputs, about all
    of the document or some part, that are not in it, or not as a whole, because the call that read them failed, or
    (`table`) the output has no list of records. `incomplete` are the split documents of which answers about some parts
    are missing.
    `chunks` are the parts of all split documents: an outcome's `name` is the `branch` of its part.
    `calls_per_level` starts with the calls that read map outputs, and its length is the depth; the calls of `refine`
    are a level each. `clipped` names the calls whose answers were cut, being too long for the next call's budget.
    `conflicts` are those of `merge`.
    """

    kind: Literal["reduction"] = "reduction"
    reduction: Literal["agent"] | ReductionType
    requested: ReductionType = "tree"
    content: JsonValue
    documents: list[Name]
    chunks: list[Chunk] = Field(default_factory=list[Chunk])
    incomplete: list[Incomplete] = Field(default_factory=list[Incomplete])
    unreduced: list[Name] = Field(default_factory=list[str])
    calls_per_level: list[int] = Field(default_factory=list[int])
    clipped: list[BranchName] = Field(default_factory=list[str])
    conflicts: list[MergeConflict] = Field(default_factory=list[MergeConflict])


def complete_documents(answered: Sequence[str], chunks: Sequence[Chunk]) -> list[str]:
    """The documents of which every part is among the branches `answered`, in their order."""
    by_branch = {chunk.branch: chunk for chunk in chunks}
    lacking = {incomplete.document for incomplete in incomplete_documents(answered, chunks)}
    names = [by_branch[name].document if name in by_branch else name for name in answered]
    return [name for name in dict.fromkeys(names) if name not in lacking]


def incomplete_documents(answered: Sequence[str], chunks: Sequence[Chunk]) -> list[Incomplete]:
    """The split documents with parts that are not among the branches `answered`, in the documents' order."""
    there = frozenset(answered)
    missing: dict[str, Incomplete] = {}
    for chunk in chunks:
        if chunk.branch not in there:
            before = missing[chunk.document].missing if chunk.document in missing else []
            missing[chunk.document] = Incomplete(document=chunk.document, missing=[*before, chunk.part], of=chunk.of)
    return list(missing.values())
