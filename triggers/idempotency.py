"""`Idempotency-Key`: a request that is sent again with its key is answered as the first one was, and starts nothing.

The first request with a key makes a claim, a small orchestration whose instance id is made of the key. Of any number
that try at once, one gets its claim into the task hub; each reads back which, and answers with the run that it names.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from activities.names import CLAIM, RUN_STARTED_EVENT, claim_instance_id
from shared.contracts.base import Contract, restored
from shared.contracts.claim import STARTED, Claim
from shared.task_hub import ENDED, status_of
from triggers.parameters import header_of, misfit_parameter
from triggers.problems import FieldError, Problem

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.triggers")

IDEMPOTENCY_KEY = "Idempotency-Key"
APPEARS_WITHIN_S = 5.0
"""How long the run of another request's claim is waited for, before that request counts as lost."""
FIRST_PAUSE_S = 0.05
CLAIM_TRIES = 5

_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Held:
    """What a key stands for; `is_started` where the run is known to have been started, also if it is gone by now."""

    claim: Claim
    is_started: bool = False


def key_of(req: func.HttpRequest) -> str | None:
    """The digest of the request's idempotency key; None where it has none."""
    key = header_of(req, IDEMPOTENCY_KEY)
    return None if key is None else digest_of(key, IDEMPOTENCY_KEY)


def digest_of(key: str, place: str) -> str:
    """What is kept of a key; a problem, with the `place` that it came in, if it cannot be one."""
    if _KEY.fullmatch(key) is None:
        raise misfit_parameter(place, key, "send 1 to 255 visible ASCII characters, such as a UUID")
    return hashlib.sha256(key.encode()).hexdigest()


def fingerprint_of(route: str, body: bytes) -> str:
    """What tells one request from another: its route and the JSON of its body, however that is spaced and ordered.

    Query parameters are no part of it: none says what to start.
    """
    return hashlib.sha256(f"{route.lower()}\n".encode() + _canonical(body)).hexdigest()


def _canonical(body: bytes) -> bytes:
    try:
        return json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return body


async def claimed(client: DurableFunctionsClient, key: str, ours: Claim) -> Held:
    """The claim that holds for the key: `ours`, or that of the request which came first.

    Raise the problem when that was another request. On Azure Storage several requests may be told that they have
    made the claim. One row says who has, so it is read back.
    """
    instance = claim_instance_id(key)
    for _ in range(CLAIM_TRIES):
        await created(client, CLAIM, instance, ours)
        state = await client.get_orchestration_state(instance)
        if state is None or state.runtime_status.name in ENDED:
            continue  # it has just come to the end of its time: the next try takes its place
        first = restored(Claim, json.loads(state.serialized_input or "null"))
        if first.fingerprint != ours.fingerprint:
            raise _reused()
        return Held(first, is_started=json.loads(state.serialized_custom_status or "null") == STARTED)
    raise Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "task_hub_unavailable",
        f"The {IDEMPOTENCY_KEY} could not be claimed. Nothing was started; send the request again.",
    )


async def tell_started(client: DurableFunctionsClient, key: str) -> None:
    """Let the claim know that its run was started: from then on nobody takes a run that was purged for a lost one."""
    try:
        await client.raise_orchestration_event(claim_instance_id(key), RUN_STARTED_EVENT)
    except Exception as exc:  # noqa: BLE001 - the run is started, which is what was asked for
        LOG.warning("A claim was not told that its run was started: %s", status_of(exc) or type(exc).__name__)


async def run_claimed_by(client: DurableFunctionsClient, key: str) -> str | None:
    """The run that was started with a key, once it is there; None if there is none, or not any more."""
    state = await client.get_orchestration_state(claim_instance_id(key))
    if state is None or state.runtime_status.name in ENDED:
        return None
    run_id = restored(Claim, json.loads(state.serialized_input or "null")).run_id
    return run_id if await appears(client, run_id) else None


async def appears(client: DurableFunctionsClient, run_id: str) -> bool:
    """Whether the run of another request's claim is there, or comes; else that request was lost in between."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + APPEARS_WITHIN_S
    pause_s = FIRST_PAUSE_S
    while await client.get_orchestration_state(run_id, fetch_payloads=False) is None:
        if loop.time() >= give_up_at:
            return False
        await asyncio.sleep(pause_s)
        pause_s *= 2
    return True


async def created(
    client: DurableFunctionsClient, name: str, instance: str, given: Contract, *, only_new: bool = False
) -> None:
    """Start an orchestration unless one with this id goes on, or, `only_new`, unless there has been one.

    The second is a wish: the Functions host follows its own setting and replaces what has ended.
    """
    from durabletask.internal import orchestrator_service_pb2 as pb

    never = pb.OrchestrationIdReusePolicy(replaceableStatus=[pb.ORCHESTRATION_STATUS_CANCELED])
    try:
        await client.schedule_new_orchestration(
            name, input=given.model_dump(mode="json"), instance_id=instance, reuse_id_policy=never if only_new else None
        )
    except Exception as exc:
        if status_of(exc) != "ALREADY_EXISTS":
            raise


def _reused() -> Problem:
    message = (
        "this key came before with another request; send a key of its own with each request, and the same key only "
        "to send the same request again"
    )
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        f"{IDEMPOTENCY_KEY}: {message}. Nothing was started.",
        [FieldError(IDEMPOTENCY_KEY, message)],
    )
