"""Starting runs, looking at them, cancelling them."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import azure.functions as func

from activities.names import CANCEL_EVENT
from shared.contracts.base import Contract
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import Pattern, RunAccepted, RunInput, RunPending
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.task_hub import is_gone, is_unreachable
from triggers.bodies import parsed
from triggers.problems import Problem
from triggers.views import RunState, child_states, result_json, view_of

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

Handler = Callable[[func.HttpRequest, "DurableFunctionsClient"], Awaitable[func.HttpResponse]]

LOG = logging.getLogger("chorus.triggers")

RETRY_AFTER_S = 2
TASK_HUB_UNAVAILABLE = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "task_hub_unavailable",
    "The store of all runs does not answer for now. Try again later; whether a run was started is not known.",
)
RUN_ID = re.compile(r"[0-9a-f]{32}")


def answering_problems(handler: Handler) -> Handler:
    """`handler`, with its `Problem`s as answers."""

    @functools.wraps(handler)
    async def answering(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
        try:
            return await handler(req, client)
        except Problem as problem:
            return problem.response()
        except Exception as exc:
            if not is_unreachable(exc):
                raise
            LOG.exception("The task hub did not answer")
            return TASK_HUB_UNAVAILABLE.response()

    return answering


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
        return answer(HTTPStatus.OK, result_json(await find(req, client)))
    url = f"{api_root(req, 'runs')}/runs/{run.id}"
    pending = RunPending(id=run.id, pattern=run.pattern, status=run.stage, status_url=url)
    return answer(HTTPStatus.ACCEPTED, pending, **polling(url))


@answering_problems
async def view_run(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`GET /api/runs/{id}/view`: the run as it is now, always 200."""
    run = await find(req, client)
    children = [] if run.ended else await child_states(client, run.id)
    return answer(HTTPStatus.OK, view_of(run, children))


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
    contract: type[Contract],
    route: str,
) -> func.HttpResponse:
    """Check the request, start its orchestration, and say where to look. The pattern is the orchestration's name."""
    request = await asyncio.to_thread(parsed, req, contract)  # a megabyte of schemas takes seconds to check
    run_id = uuid.uuid4().hex
    given = RunInput(request=request.model_dump(mode="json"))
    await client.schedule_new_orchestration(pattern, input=given.model_dump(mode="json"), instance_id=run_id)
    url = f"{api_root(req, route)}/runs/{run_id}"
    accepted = RunAccepted(id=run_id, pattern=pattern, status_url=url, view_url=f"{url}/view", cancel_url=url)
    return answer(HTTPStatus.ACCEPTED, accepted, **polling(url))


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


def answer(status: HTTPStatus, body: Contract | str, **headers: str) -> func.HttpResponse:
    """A JSON answer that nobody caches."""
    text = body if isinstance(body, str) else body.model_dump_json()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpResponse(
        text, status_code=status.value, mimetype="application/json", headers={"Cache-Control": "no-store", **named}
    )


def polling(url: str) -> dict[str, Any]:
    """The headers that tell a client where and when to ask again."""
    return {"Location": url, "Retry_After": str(RETRY_AFTER_S)}


def api_root(req: func.HttpRequest, route: str) -> str:
    """The absolute URL under which our routes hang, whatever the app's route prefix; `route` is the request's own."""
    url = urlsplit(req.url)
    path = url.path.rstrip("/")
    position = path.lower().rfind(f"/{route.lower()}")
    return f"{url.scheme}://{url.netloc}{path[:position] if position >= 0 else ''}"
