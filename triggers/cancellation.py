"""Cancelling a run by the idempotency key of its start, for who has no answer to that: a webhook of Logic Apps, say."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from shared.contracts.run import RunPending
from triggers.answers import answer, answering_problems, api_root, polling
from triggers.idempotency import digest_of, run_claimed_by
from triggers.parameters import misfit_parameter, query_of
from triggers.problems import Problem
from triggers.run_list import listed
from triggers.runs import told_to_cancel
from triggers.views import RunState

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

KEY = "idempotency_key"


@answering_problems
async def cancel_run_of_key(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`DELETE /api/runs?idempotency_key=…`: 202 if the run is told to end; 200 with a `ListedRun` if it has ended.

    Unlike a cancel by id it is no error that there is nothing left to cancel: who unsubscribes does not ask before.
    """
    key = query_of(req).get(KEY)
    if key is None:
        raise misfit_parameter(KEY, "", "name the run by the key of its start; there is no way to cancel all runs")
    run_id, root = await run_claimed_by(client, digest_of(key, KEY)), api_root(req, "runs")
    run = await _state_of(client, run_id)
    if run is not None and not run.ended and await told_to_cancel(client, run.id):
        url = f"{root}/runs/{run.id}"
        pending = RunPending(id=run.id, pattern=run.pattern, status="cancelling", status_url=url)
        return answer(HTTPStatus.ACCEPTED, pending, **polling(url))
    ended = run and await _state_of(client, run.id)
    for listing in await listed(client, [ended.state] if ended else [], root):
        return answer(HTTPStatus.OK, listing)
    raise Problem(
        HTTPStatus.NOT_FOUND,
        "run_not_found",
        "No run was started with this idempotency key within the time for which keys are kept.",
    )


async def _state_of(client: DurableFunctionsClient, run_id: str | None) -> RunState | None:
    return RunState.of(await client.get_orchestration_state(run_id, fetch_payloads=False)) if run_id else None
