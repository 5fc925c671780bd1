"""Map-reduce: one agent per document, or part of one, then a reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import MAX_RUN_CHARS, TRUSTED, Contract, Name, Text, misfit, repeated
from shared.contracts.policy import RunPolicy, check_policy
from shared.contracts.split import Chunk, Incomplete, Split
from shared.splitting import line_starts, lines_of, spans_of

MAX_DOCUMENTS = 1_000
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


class MapReduceRequest(Contract):
    """`POST /api/map-reduce`: the `map` agent reads each document, the `reduce` agent all of its answers.

    `chunks` are the parts of the documents that do not fit into the size of `split`, in order. No caller gives them:
    they are found when a request comes in and stay with it in history, so that a replay, a view and a redrive have the
    same, whatever a later version would find.
    """

    documents: Annotated[list[Document], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    split: Split = Split()
    chunks: Annotated[list[Chunk], AfterValidator(_from_history)] = Field(default_factory=list[Chunk])
    map: AgentSpec
    reduce: AgentSpec
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if twice := repeated([document.id for document in self.documents]):
            raise misfit("documents", f"document ids must be unique; repeated: {', '.join(twice)}")
        request = self if info.context is TRUSTED else self._with_chunks()
        check_policy(self.policy, request.branch_count, info)
        return request

    @property
    def branch_count(self) -> int:
        """How many branches the map has: whole documents, and parts."""
        return len(self.documents) + sum(1 if chunk.part > 1 else 0 for chunk in self.chunks)

    def _with_chunks(self) -> Self:
        if self.split.by == "document":
            return self
        chunks = [chunk for document in self.documents for chunk in chunks_of(document, self.split)]
        request = self.model_copy(update={"chunks": chunks})
        _check_branches(request)
        return request


def chunks_of(document: Document, split: Split) -> list[Chunk]:
    """The parts of a document; none if it fits into the size, and stays whole."""
    if split.by == "document" or split.size is None:
        return []
    spans = spans_of(document.content, split.by, split.size, split.overlap)
    if spans[0].start == 0 and spans[0].end == len(document.content):
        return []
    starts = line_starts(document.content)
    lines = [lines_of(span, starts) for span in spans]
    return [
        Chunk(
            branch=f"{document.id}+{part}",
            document=document.id,
            part=part,
            of=len(spans),
            start=span.start,
            end=span.end,
            first_line=first_line,
            last_line=last_line,
        )
        for part, (span, (first_line, last_line)) in enumerate(zip(spans, lines, strict=True), start=1)
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


class MapReduceOutput(Contract):
    """The reduction: text, or a value that fits the reduce agent's `output_schema`.

    `reduction` is `concatenate` when the reduce agent failed or its time was up: `content` then holds the map
    outputs as they are, by document id. `documents` are the ids that it rests on, each with all of its parts;
    `incomplete` are the split documents of which answers about some parts are missing. `chunks` are the parts of all
    split documents: an outcome's `name` is the `branch` of its part.
    """

    kind: Literal["reduction"] = "reduction"
    reduction: Literal["agent", "concatenate"]
    content: JsonValue
    documents: list[Name]
    chunks: list[Chunk] = Field(default_factory=list[Chunk])
    incomplete: list[Incomplete] = Field(default_factory=list[Incomplete])


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
