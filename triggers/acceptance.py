"""Accepting a run: starting its orchestration, once for each idempotency key, and saying where to look."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from shared.contracts.claim import Claim
from shared.contracts.run import Pattern, RunAccepted, RunInput
from shared.run_ids import CHANCE_BYTES, run_id_at
from triggers.answers import answer, api_root, polling
from triggers.callbacks import schedule_delivery
from triggers.idempotency import Held, appears, claimed, created, fingerprint_of, key_of, tell_started
from triggers.results import result_json
from triggers.waiting import ended_within, wait_of

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient


async def accepted(
    req: func.HttpRequest, client: DurableFunctionsClient, pattern: Pattern, given: RunInput, route: str
) -> func.HttpResponse:
    """Start an orchestration, whose name is the pattern, and say where to look; `route` is the request's own.

    The answer is 202 with a `RunAccepted`, or 200 with the `RunResult` where the caller waits and the run has ended
    in time. A replayed answer says so in a header.
    """
    wait_s, key, root = wait_of(req), key_of(req), api_root(req, route)
    ours = Claim(
        fingerprint=await asyncio.to_thread(fingerprint_of, route, req.get_body()) if key else "",
        run_id=run_id_at(datetime.now(UTC), secrets.token_bytes(CHANCE_BYTES)),
        pattern=pattern,
        recipe=given.recipe,
        redrive_of=given.redrive.run_id if given.redrive else None,
    )
    held = Held(ours) if key is None else await claimed(client, key, ours)
    first = held.claim
    is_ours = first.run_id == ours.run_id
    url = f"{root}/runs/{first.run_id}"
    if is_ours or not (held.is_started or await appears(client, first.run_id)):
        await _start(client, first, given, url)
        if key is not None:
            await tell_started(client, key)
    return await _told(client, first, url, wait_s, **({} if is_ours else {"Idempotency_Replayed": "true"}))


async def _start(client: DurableFunctionsClient, run: Claim, given: RunInput, url: str) -> None:
    """Start the run that a claim names; others may be about to do the same."""
    if given.callback is not None:
        await schedule_delivery(client, run.run_id, given.callback, url)
    await created(client, run.pattern, run.run_id, given, only_new=True)


async def _told(
    client: DurableFunctionsClient, run: Claim, url: str, wait_s: float, **headers: str
) -> func.HttpResponse:
    if wait_s and (ended := await ended_within(client, run.run_id, wait_s)):
        return answer(HTTPStatus.OK, await result_json(client, ended), Location=url, Content_Location=url, **headers)
    body = RunAccepted(
        id=run.run_id,
        pattern=run.pattern,
        recipe=run.recipe,
        redrive_of=run.redrive_of,
        status_url=url,
        view_url=f"{url}/view",
        cancel_url=url,
    )
    return answer(HTTPStatus.ACCEPTED, body, **polling(url), **headers)
