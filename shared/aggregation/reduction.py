"""What a map-reduce request's way to reduce makes of the map's outcomes."""

from __future__ import annotations

from collections.abc import Sequence

from shared.aggregation.concatenation import concatenated, under_headings
from shared.aggregation.material import Desk, documents_in
from shared.aggregation.merge import merged
from shared.aggregation.refinement import Refinement
from shared.aggregation.table import tabulated
from shared.aggregation.tree import Tree
from shared.contracts.branch import BranchOutcome
from shared.contracts.map_reduce import MapReduceOutput, MapReduceRequest
from shared.contracts.reduction import MergeReduction, RefineReduction, TableReduction, TreeReduction

Reducing = Tree | Refinement
"""A reduction by calls that is under way."""


def reducing(request: MapReduceRequest, outcomes: Sequence[BranchOutcome]) -> Reducing | None:
    """The plan of the calls that reduce `outcomes`; None when no call is needed."""
    way = request.reduction
    if not isinstance(way, TreeReduction | RefineReduction):
        return None
    desk = desk_of(request, way, tuple(outcome.name for outcome in outcomes))
    return Tree.of(desk, outcomes) if isinstance(way, TreeReduction) else Refinement.of(desk, outcomes)


def desk_of(request: MapReduceRequest, way: TreeReduction | RefineReduction, documents: tuple[str, ...]) -> Desk:
    """Where the reduce agent reads what there is of `documents`."""
    fan_in = way.max_fan_in if isinstance(way, TreeReduction) else None
    return Desk(way.agent.with_defaults(request.defaults), way.max_input_tokens, documents, fan_in)


def reduced(plan: Reducing, request: MapReduceRequest) -> MapReduceOutput:
    """The answer of the calls; without one, what they left, one after the other."""
    requested = request.reduction.type
    answer = plan.answer
    unreduced = documents_in(plan.unread) if answer else ()
    rests = answer.documents if answer else documents_in(plan.frontier)
    content = answer.output if answer else under_headings((part.heading, part.output) for part in plan.frontier)
    by_calls = "agent" if plan.calls == (1,) else requested
    return MapReduceOutput(
        reduction=by_calls if answer else "concatenate",
        requested=requested,
        content=content,
        documents=[name for name in rests if name not in unreduced],
        unreduced=list(unreduced),
        calls_per_level=list(plan.calls),
        clipped=list(plan.clipped),
    )


def joined(request: MapReduceRequest, succeeded: Sequence[BranchOutcome]) -> MapReduceOutput:
    """The outputs of the map in one, without a call."""
    documents = [outcome.name for outcome in succeeded]
    match request.reduction:
        case MergeReduction() as way:
            content, conflicts = merged(succeeded, key=way.key, sums=way.sum, keep_repeated=True)
            return MapReduceOutput(
                reduction="merge", requested="merge", content=content, documents=documents, conflicts=conflicts
            )
        case TableReduction() as way:
            text, without = tabulated(succeeded, way)
            rest = [name for name in documents if name not in without]
            return MapReduceOutput(
                reduction="table", requested="table", content=text, documents=rest, unreduced=without
            )
        case _:
            return MapReduceOutput(
                reduction="concatenate", requested="concatenate", content=concatenated(succeeded), documents=documents
            )
