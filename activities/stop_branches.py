"""Stops branches that nobody waits for any more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.task_hub import is_gone

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.branches")

STOPPED_OUTPUT = "stopped: the run ended before this branch did"


async def stop_branches(instances: list[str], client: DurableFunctionsClient) -> int:
    """Terminate the child orchestrations with these instance ids; return how many have ended or could be told.

    A branch that could not be told runs on to its own timeout: nothing here fails the run.
    """
    answers = await asyncio.gather(
        *(client.terminate_orchestration(instance, output=STOPPED_OUTPUT) for instance in instances),
        return_exceptions=True,
    )
    failures = [answer for answer in answers if isinstance(answer, BaseException) and not is_gone(answer)]
    if failures:
        LOG.warning("Could not stop %d of %d branches: %r", len(failures), len(instances), failures[0])
    return len(instances) - len(failures)
