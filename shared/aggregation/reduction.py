"""What a map-reduce request's way to reduce makes of the map's outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from shared.aggregation.concatenation import concatenated, under_headings
from shared.aggregation.material import Desk, sources_in
from shared.aggregation.merge import merged
from shared.aggregation.refinement import Refinement
from shared.aggregation.table import tabulated
from shared.aggregation.tree import Tree
from shared.contracts.branch import BranchOutcome
from shared.contracts.map_reduce import MapReduceOutput, MapReduceRequest, complete_documents, incomplete_documents
from shared.contracts.reduction import MergeReduction, RefineReduction, TableReduction, TreeReduction
from shared.contracts.split import Chunk, Incomplete, place_of

Reducing = Tree | Refinement
"""A reduction by calls that is under way."""


def reducing(request: MapReduceRequest, outcomes: Sequence[BranchOutcome]) -> Reducing | None:
    """The plan of the calls that reduce `outcomes`; None when no call is needed."""
    way = request.reduction
    if not isinstance(way, TreeReduction | RefineReduction):
        return None
    desk = desk_of(request, way, tuple(outcome.name for outcome in outcomes))
    return Tree.of(desk, outcomes) if isinstance(way, TreeReduction) else Refinement.of(desk, outcomes)


def desk_of(request: MapReduceRequest, way: TreeReduction | RefineReduction, sources: tuple[str, ...]) -> Desk:
    """Where the reduce agent reads what there is of the branches `sources`."""
    fan_in = way.max_fan_in if isinstance(way, TreeReduction) else None
    chunks = {chunk.branch: chunk for chunk in request.chunks}
    return Desk(way.agent.with_defaults(request.defaults), way.max_input_tokens, sources, fan_in, chunks)


def reduced(plan: Reducing, request: MapReduceRequest, succeeded: Sequence[BranchOutcome]) -> MapReduceOutput:
    """The answer of the calls; without one, what they left, one after the other."""
    requested = request.reduction.type
    answer = plan.answer
    unread = sources_in(plan.unread) if answer else ()
    content = answer.output if answer else under_headings((part.heading, part.output) for part in plan.frontier)
    by_calls = "agent" if plan.calls == (1,) else requested
    return MapReduceOutput(
        reduction=by_calls if answer else "concatenate",
        requested=requested,
        content=content,
        calls_per_level=list(plan.calls),
        clipped=list(plan.clipped),
        **accounted(request, succeeded, unread),
    )


def joined(request: MapReduceRequest, succeeded: Sequence[BranchOutcome]) -> MapReduceOutput:
    """The outputs of the map in one, without a call."""
    account = accounted(request, succeeded, ())
    match request.reduction:
        case MergeReduction() as way:
            content, conflicts = merged(succeeded, key=way.key, sums=way.sum, keep_repeated=True)
            return MapReduceOutput(
                reduction="merge", requested="merge", content=content, conflicts=conflicts, **account
            )
        case TableReduction() as way:
            text, without = tabulated(succeeded, way, split=request.split.by != "document")
            account = accounted(request, succeeded, without)
            return MapReduceOutput(reduction="table", requested="table", content=text, **account)
        case _:
            content = concatenated(succeeded)
            return MapReduceOutput(reduction="concatenate", requested="concatenate", content=content, **account)


class Account(TypedDict):
    """What an answer says of the documents: the fields of `MapReduceOutput`."""

    documents: list[str]
    unreduced: list[str]
    incomplete: list[Incomplete]
    chunks: list[Chunk]


def accounted(request: MapReduceRequest, succeeded: Sequence[BranchOutcome], unread: Sequence[str]) -> Account:
    """On which documents an answer rests that has read the outputs of all branches but those `unread`."""
    answered = [outcome.name for outcome in succeeded]
    unreduced = list(dict.fromkeys(place_of(name)[0] for name in unread))
    complete = complete_documents(answered, request.chunks)
    return {
        "documents": [document for document in complete if document not in unreduced],
        "unreduced": unreduced,
        "incomplete": incomplete_documents(answered, request.chunks),
        "chunks": request.chunks,
    }
