"""Map-reduce: one agent a document, a part of one, or a batch, then one answer of all that they say."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.announced import announced
from orchestrators.fan_out import fan_out
from orchestrators.reduction import reduce_outputs
from orchestrators.run import Run
from orchestrators.stored_map_reduce import map_in_storage
from shared.branching import document_branches
from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import RunInput

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task


@announced
def map_reduce(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a `MapReduceRequest`, which comes in a `RunInput`, to its `RunResult`."""
    given = restored(RunInput, context.get_input())
    request = restored(MapReduceRequest, given.request)
    run = Run.start(context, "map_reduce", request.policy, given.redrive, given.recipe)
    if request.in_storage:
        return (yield from map_in_storage(run, request, given.redrive))
    run.enter("branches", total=request.branch_count)
    mapped = yield from fan_out(run, document_branches(request), batch_size=request.batch_size)
    if not run.wants_answer(mapped):
        return run.end(mapped, output=None)
    output, calls = yield from reduce_outputs(run, request, mapped)
    return run.end(mapped, output, reductions=calls)
