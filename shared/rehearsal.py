"""The calls that a reduction would take, from outputs of the usual length: its own plan, played through beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from shared.aggregation.reduction import reducing
from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.map_reduce import MapReduceRequest
from shared.token_estimate import estimated_output_tokens
from shared.tokens import BYTES_PER_TOKEN

NEVER = datetime(1, 1, 1, tzinfo=UTC)


def expected_levels(request: MapReduceRequest, mapped: Sequence[Branch]) -> list[list[Branch]]:
    """The calls of each level, if each of the `mapped` branches and each of the calls gives a usual answer."""
    plan = reducing(request, usual_outcomes(mapped))
    levels: list[list[Branch]] = []
    while plan is not None and (branches := plan.branches):
        levels.append(branches)
        plan = plan.heard(usual_outcomes(branches))
    return levels


def usual_outcomes(branches: Sequence[Branch]) -> list[BranchOutcome]:
    """An outcome of the usual length for each branch."""
    return [
        BranchOutcome(
            name=branch.name,
            status="succeeded",
            output="x" * BYTES_PER_TOKEN * estimated_output_tokens(branch.agent),
            started_at=NEVER,
            ended_at=NEVER,
        )
        for branch in branches
    ]
