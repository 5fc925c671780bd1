"""Map-reduce: one agent a document, then one agent over all of their answers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.fan_out import call_aggregators, fan_out
from orchestrators.run import FannedOut, Run
from shared.aggregation.concatenation import concatenated
from shared.branching import document_branches, reducer_of
from shared.contracts.base import restored
from shared.contracts.branch import Branch
from shared.contracts.map_reduce import MapReduceOutput, MapReduceRequest
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
    run.enter("branches", total=len(request.documents))
    mapped = yield from fan_out(run, document_branches(request))
    if not run.wants_answer(mapped):
        return run.end(mapped, output=None)
    if not run.may_call(mapped):
        return run.end(mapped, reduced(mapped, reduction=None))
    run.enter("aggregation", total=len(request.documents))
    reduction = yield from call_aggregators(run, [reduction_branch(request, mapped)])
    return run.end(mapped, reduced(mapped, reduction), reduction)


def reduction_branch(request: MapReduceRequest, mapped: FannedOut) -> Branch:
    """The branch that reads all map outputs and is told which documents have none."""
    return Branch(
        name=REDUCTION,
        agent=reducer_of(request),
        prompt=answers_prompt("answer", mapped.succeeded, mapped.missing),
    )


def reduced(mapped: FannedOut, reduction: FannedOut | None) -> MapReduceOutput:
    """The reduction, or the map outputs as they are when it did not succeed or there was no time for it."""
    documents = [outcome.name for outcome in mapped.succeeded]
    if reduction is None or reduction.missing:
        return MapReduceOutput(reduction="concatenate", content=concatenated(mapped.succeeded), documents=documents)
    return MapReduceOutput(reduction="agent", content=reduction.outcomes[0].output, documents=documents)
