"""What a run would take: the same requests, checked as strictly, and nothing started."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import azure.functions as func

from activities.storage import shared_blobs
from shared.branching import Request
from shared.contracts.estimate import RunEstimate
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import Pattern
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.errors import StorageForbidden, StorageUnavailable
from shared.estimation import estimate
from shared.stored_estimation import estimate_stored, reason_for_none
from triggers.answers import answer, answering_problems
from triggers.bodies import parsed
from triggers.callbacks import callback_for
from triggers.problems import Problem
from triggers.storage import with_storage


@answering_problems
async def estimate_sectioning(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/sectioning/estimate`."""
    return await estimated(req, "sectioning", SectioningRequest)


@answering_problems
async def estimate_voting(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/voting/estimate`."""
    return await estimated(req, "voting", VotingRequest)


@answering_problems
async def estimate_map_reduce(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/map-reduce/estimate`."""
    return await estimated(req, "map_reduce", MapReduceRequest)


async def estimated_in_storage(request: MapReduceRequest) -> RunEstimate:
    """The estimate of a run in storage, as far as a listing of its source tells."""
    if reason := reason_for_none(request):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "estimate_not_available",
            f"There is no estimate without reading the documents: {reason}. Bound the run by policy.max_total_tokens.",
        )
    try:
        return await estimate_stored(shared_blobs(), request)
    except StorageUnavailable as exc:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", f"The source cannot be listed for now: {exc}."
        ) from exc
    except StorageForbidden as exc:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "source_not_usable",
            f"The source cannot be listed: {exc}. Look at source.container.",
        ) from exc


async def estimated[R: Request](req: func.HttpRequest, pattern: Pattern, contract: type[R]) -> func.HttpResponse:
    """Check the request and answer with its `RunEstimate`."""
    return await estimate_of(pattern, await asyncio.to_thread(parsed, req, contract))


async def estimate_of(pattern: Pattern, request: Request) -> func.HttpResponse:
    """The answer with the `RunEstimate` of a request that fits its contract; raise the `Problem` if there is none."""
    callback_for(request.callback_url)
    if isinstance(request, MapReduceRequest) and request.in_storage:
        return answer(HTTPStatus.OK, await estimated_in_storage(with_storage(request)))
    return answer(HTTPStatus.OK, await asyncio.to_thread(estimate, pattern, request))
