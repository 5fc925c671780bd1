"""Looks whether a run has ended, for the delivery of its callback."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.contracts.base import restored
from shared.contracts.callback import LookForEnd, RunEnd
from shared.task_hub import ENDED

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

BETWEEN_LOOKS_S = 0.1


async def look_for_end(given: dict[str, Any], client: DurableFunctionsClient) -> RunEnd:
    """Takes a `LookForEnd`; returns at once what there is, or the end of the run if it comes in time."""
    asked = restored(LookForEnd, given)
    loop = asyncio.get_running_loop()
    until = loop.time() + asked.patience_s
    while True:
        run = await client.get_orchestration_state(asked.run_id, fetch_payloads=False)
        if run is not None and run.runtime_status.name in ENDED:
            return "ended"
        if loop.time() >= until:
            return "absent" if run is None else "going"
        await asyncio.sleep(BETWEEN_LOOKS_S)
