"""Waiting for a run's end within one request (`?wait=SECONDS`)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import azure.functions as func

from triggers.parameters import misfit_parameter, query_of
from triggers.views import RunState

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

WAIT = "wait"
MAX_WAIT_S = 100.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
PAUSE_GROWTH = 1.5

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,20})?", re.ASCII)


def wait_of(req: func.HttpRequest) -> float:
    """For how many seconds the caller wants to wait for the result; 0 where it does not say."""
    told = query_of(req).get(WAIT)
    if told is None:
        return 0.0
    if _SECONDS.fullmatch(told) is None or float(told) > MAX_WAIT_S:
        raise misfit_parameter(WAIT, told, f"send a number of seconds from 0 to {MAX_WAIT_S:g}, such as 30 or 2.5")
    return float(told)


async def ended_within(client: DurableFunctionsClient, run_id: str, wait_s: float) -> RunState | None:
    """The run with its payloads, once it has ended; None when that takes longer than `wait_s` seconds.

    The task hub is asked at growing intervals, without payloads: its client's own wait holds a thread of the local
    engine, and asks Azure Storage every two seconds.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + wait_s
    pause_s = FIRST_PAUSE_S
    while (left_s := give_up_at - loop.time()) > 0:
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * PAUSE_GROWTH, LONGEST_PAUSE_S)
        run = RunState.of(await client.get_orchestration_state(run_id, fetch_payloads=False))
        if run is not None and run.ended:
            return RunState.of(await client.get_orchestration_state(run_id))
    return None
