"""Map-reduce: one agent a document, or a part of one, then one agent over all of their answers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.fan_out import call_aggregators, fan_out
from orchestrators.run import FannedOut, Run
from shared.aggregation.concatenation import concatenated
from shared.branching import document_branches, reducer_of
from shared.contracts.base import restored
from shared.contracts.branch import Branch
from shared.contracts.map_reduce import MapReduceOutput, MapReduceRequest, complete_documents, incomplete_documents
from shared.contracts.run import RunInput
from shared.prompts import answers_prompt

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

REDUCTION = "~reduction"


def map_reduce(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a `MapReduceRequest`, which comes in a `RunInput`, to its `RunResult`."""
    given = restored(RunInput, context.get_input())
    request = restored(MapReduceRequest, given.request)
    run = Run.start(context, "map_reduce", request.policy, given.redrive)
    run.enter("branches", total=request.branch_count)
    mapped = yield from fan_out(run, document_branches(request))
    if not run.wants_answer(mapped):
        return run.end(mapped, output=None)
    if not run.may_call(mapped):
        return run.end(mapped, reduced(request, mapped, reduction=None))
    run.enter("aggregation", total=request.branch_count)
    reduction = yield from call_aggregators(run, [reduction_branch(request, mapped)])
    return run.end(mapped, reduced(request, mapped, reduction), reduction)


def reduction_branch(request: MapReduceRequest, mapped: FannedOut) -> Branch:
    """The branch that reads all map outputs and is told which documents, or parts of one, have none."""
    chunks = {chunk.branch: chunk for chunk in request.chunks}
    return Branch(
        name=REDUCTION,
        agent=reducer_of(request),
        prompt=answers_prompt("answer", mapped.succeeded, mapped.missing, chunks),
    )


def reduced(request: MapReduceRequest, mapped: FannedOut, reduction: FannedOut | None) -> MapReduceOutput:
    """The reduction, or the map outputs as they are when it did not succeed or there was no time for it."""
    answered = [outcome.name for outcome in mapped.succeeded]
    by_agent = reduction is not None and not reduction.missing
    return MapReduceOutput(
        reduction="agent" if by_agent else "concatenate",
        content=reduction.outcomes[0].output if reduction and by_agent else concatenated(mapped.succeeded),
        documents=complete_documents(answered, request.chunks),
        chunks=request.chunks,
        incomplete=incomplete_documents(answered, request.chunks),
    )
