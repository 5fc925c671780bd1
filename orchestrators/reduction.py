"""From the outputs of a map to one answer, the way that the request asks for.

1. A tree or a refinement plans its next calls, which are one fan-out.
2. What they say is the material of the next calls, until one answer is left.
3. An interruption ends it: what there is then is the answer.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.fan_out import call_aggregators
from orchestrators.run import FannedOut, Run
from shared.aggregation.reduction import Reducing, joined, reduced, reducing

if TYPE_CHECKING:
    from durabletask.task import Task

    from shared.contracts.map_reduce import MapReduceOutput, MapReduceRequest


def reduce_outputs(
    run: Run, request: MapReduceRequest, mapped: FannedOut
) -> Generator[Task[Any], Any, tuple[MapReduceOutput, FannedOut]]:
    """The answer, and the calls that made it."""
    plan = reducing(request, mapped.outcomes)
    if plan is None:
        return joined(request, mapped.succeeded), FannedOut([])
    if not run.may_call(mapped):
        return reduced(plan, request, mapped.succeeded), FannedOut([])
    run.enter("aggregation", total=request.branch_count)
    plan, calls = yield from read(run, plan)
    return reduced(plan, request, mapped.succeeded), calls


def read(run: Run, plan: Reducing) -> Generator[Task[Any], Any, tuple[Reducing, FannedOut]]:
    """Make the plan's calls, level by level."""
    calls = FannedOut([])
    while calls.interruption is None and (branches := plan.branches):
        heard = yield from call_aggregators(run, branches)
        calls = FannedOut([*calls.outcomes, *heard.outcomes], heard.interruption)
        plan = plan.heard(heard.outcomes, interrupted=heard.interruption is not None)
    return plan, calls
