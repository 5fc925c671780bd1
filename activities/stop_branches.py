"""Stops branches that nobody waits for any more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.branches")

STOPPED_OUTPUT = "stopped: the run ended before this branch did"


async def stop_branches(instances: list[str], client: DurableFunctionsClient) -> int:
    """Terminate the child orchestrations with these instance ids; return how many could be told.

    A branch may have ended meanwhile, which is as good: nothing here fails the run.
    """
    answers = await asyncio.gather(
        *(client.terminate_orchestration(instance, output=STOPPED_OUTPUT) for instance in instances),
        return_exceptions=True,
    )
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if failures:
        LOG.warning("Could not stop %d of %d branches: %r", len(failures), len(instances), failures[0])
    return len(instances) - len(failures)
