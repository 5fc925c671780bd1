"""Calls to a model as long as somebody waits for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from activities.in_flight import IN_FLIGHT, CallGivenUpError
from activities.names import CALL_GIVEN_UP
from shared.contracts.branch import AgentReply, BranchError
from shared.contracts.work import UnitReply
from shared.fault_place import place_of
from shared.kept_client import kept_client
from shared.task_hub import ENDED, is_unreachable

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.agent")


async def while_wanted[T](client: str, run_id: str, instance: str, work: Awaitable[T], *, call: str | None = None) -> T:
    """What `work` comes to for the orchestration `instance` of a run; `CallGivenUpError` once nobody waits for it.

    `call` is its id among the calls in flight, if the orchestration waits for several. `client` is the configuration
    of a durable client, which only a call that takes long needs.
    """
    return await IN_FLIGHT.answer(call or instance, work, lambda: is_wanted(client, run_id, instance))


def given_up(error: CallGivenUpError) -> BranchError:
    """The error of a call that was given up, as its reply has it."""
    return BranchError(code=CALL_GIVEN_UP, message=str(error), retriable=True)


def timed[R: (AgentReply, UnitReply)](reply: R, began_s: float) -> R:
    """The reply, and how long the worker was at it since `began_s` of `time.monotonic`."""
    return reply.model_copy(update={"worked_s": round(time.monotonic() - began_s, 3)})


async def is_wanted(client: str, run_id: str, instance: str) -> bool:
    """Whether the run and the orchestration that a call is for still go on; if the task hub cannot be asked, they do.

    The run is asked too because telling its calls to stop takes a free place for another activity.
    """
    durable = kept_client(client)
    try:
        return await goes_on(durable, run_id) and await goes_on(durable, instance)
    except Exception as exc:  # noqa: BLE001 - a call in doubt goes on
        if not is_unreachable(exc):
            LOG.warning("Could not ask whether %r still waits for its call: %s", instance, place_of(exc))
        return True


async def goes_on(client: DurableFunctionsClient, instance: str) -> bool:
    """Whether an orchestration is there and has not ended."""
    state = await client.get_orchestration_state(instance, fetch_payloads=False)
    return state is not None and state.runtime_status.name not in ENDED
