"""Starting runs, looking at them, cancelling them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from activities.names import CANCEL_EVENT
from shared.branching import Request
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import Pattern, RunInput, RunPending, RunView
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.run_ids import RUN_ID
from shared.task_hub import is_gone
from triggers.acceptance import accepted
from triggers.answers import answer, answering_problems, api_root, polling
from triggers.bodies import parsed
from triggers.callbacks import callback_for, callback_view
from triggers.problems import Problem
from triggers.results import result_json, result_of
from triggers.shards import shards_going
from triggers.storage import with_storage
from triggers.stored_runs import stored_request, view_of_stored
from triggers.views import RunState, child_states, view_of, view_of_result

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient


@answering_problems
async def start_sectioning(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`POST /api/sectioning`."""
    return await start(req, client, "sectioning", SectioningRequest, route="sectioning")


@answering_problems
async def start_voting(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`POST /api/voting`."""
    return await start(req, client, "voting", VotingRequest, route="voting")


@answering_problems
async def start_map_reduce(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`POST /api/map-reduce`."""
    return await start(req, client, "map_reduce", MapReduceRequest, route="map-reduce")


@answering_problems
async def get_run(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`GET /api/runs/{id}`: 202 while it runs, 200 with the `RunResult` when it has ended."""
    run = await find(req, client, fetch_payloads=False)
    if run.ended:
        return answer(HTTPStatus.OK, await result_json(client, await find(req, client)))
    url = f"{api_root(req, 'runs')}/runs/{run.id}"
    pending = RunPending(id=run.id, pattern=run.pattern, status=run.stage, status_url=url)
    return answer(HTTPStatus.ACCEPTED, pending, **polling(url))


@answering_problems
async def view_run(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`GET /api/runs/{id}/view`: the run as it is now, always 200."""
    run = await find(req, client)
    view = await view_now(client, run)
    return answer(HTTPStatus.OK, view.model_copy(update={"callback": await callback_view(client, run)}))


@answering_problems
async def cancel_run(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`DELETE /api/runs/{id}`: asks the run to end now, as `cancelled`, with what it has."""
    run = await find(req, client, fetch_payloads=False)
    if run.ended or not await told_to_cancel(client, run.id):
        raise Problem(
            HTTPStatus.CONFLICT, "run_already_ended", f"Run {run.id!r} has already ended; there is nothing to cancel."
        )
    url = f"{api_root(req, 'runs')}/runs/{run.id}"
    pending = RunPending(id=run.id, pattern=run.pattern, status="cancelling", status_url=url)
    return answer(HTTPStatus.ACCEPTED, pending, **polling(url))


async def start(
    req: func.HttpRequest,
    client: DurableFunctionsClient,
    pattern: Pattern,
    contract: type[Request],
    route: str,
) -> func.HttpResponse:
    """Check the request, start its orchestration, and say where to look."""
    request = await asyncio.to_thread(parsed, req, contract)  # a megabyte of schemas takes seconds to check
    return await begin(req, client, pattern, request, route)


async def begin(
    req: func.HttpRequest,
    client: DurableFunctionsClient,
    pattern: Pattern,
    request: Request,
    route: str,
    *,
    recipe: str | None = None,
) -> func.HttpResponse:
    """Start the orchestration of a request that was checked; `recipe` names the recipe that made it, if one did."""
    if isinstance(request, MapReduceRequest):
        request = with_storage(request)
    callback = callback_for(request.callback_url)
    given = RunInput(request=request.model_dump(mode="json"), recipe=recipe, callback=callback)
    return await accepted(req, client, pattern, given, route)


async def view_now(client: DurableFunctionsClient, run: RunState) -> RunView:
    """The run as it is now, but for its callback, which has a life of its own."""
    if run.ended:
        return view_of_result(await result_of(client, run))
    now = datetime.now(UTC)
    if stored_request(run):
        return view_of_stored(run, await shards_going(client, run.state), now)
    return view_of(run, await child_states(client, run.id), now)


async def told_to_cancel(client: DurableFunctionsClient, run_id: str) -> bool:
    """Send the run its cancel event; False when it has ended meanwhile."""
    try:
        await client.raise_orchestration_event(run_id, CANCEL_EVENT)
    except Exception as exc:
        if is_gone(exc):
            return False
        raise
    return True


async def find(req: func.HttpRequest, client: DurableFunctionsClient, *, fetch_payloads: bool = True) -> RunState:
    """The run that the route names; 404 also for instances that are no runs, such as branches.

    Without payloads there is neither result nor phase, and a poll costs the same however much the run holds.
    """
    run_id = req.route_params.get("id", "")
    state = None
    if RUN_ID.fullmatch(run_id):
        state = await client.get_orchestration_state(run_id, fetch_payloads=fetch_payloads)
    run = RunState.of(state)
    if run is None:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            "run_not_found",
            "There is no run with this id. Use the id or the status_url of the answer that started it.",
        )
    return run
