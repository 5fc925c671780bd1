"""What a run would take: the same requests, checked as strictly, and nothing started."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import azure.functions as func

from shared.branching import Request
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import Pattern
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.estimation import estimate
from triggers.answers import answer
from triggers.bodies import parsed
from triggers.problems import Problem


async def estimate_sectioning(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/sectioning/estimate`."""
    return await estimated(req, "sectioning", SectioningRequest)


async def estimate_voting(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/voting/estimate`."""
    return await estimated(req, "voting", VotingRequest)


async def estimate_map_reduce(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/map-reduce/estimate`."""
    return await estimated(req, "map_reduce", MapReduceRequest)


async def estimated[R: Request](req: func.HttpRequest, pattern: Pattern, contract: type[R]) -> func.HttpResponse:
    """Check the request and answer with its `RunEstimate`."""
    try:
        request = await asyncio.to_thread(parsed, req, contract)
    except Problem as problem:
        return problem.response()
    return answer(HTTPStatus.OK, await asyncio.to_thread(estimate, pattern, request))
