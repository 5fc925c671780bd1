"""Once a day, what has been in the task hub for longer than it should be is purged."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import azure.functions as func

from shared.errors import SettingsError
from shared.settings import load_retention_days

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.retention")

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
"""No instance is older; Azure Storage wants a lower bound."""
ROUND = timedelta(minutes=5)
"""How long a task hub may take for one answer; what is left over is for the next round."""
MOST_ROUNDS = 12
"""Of one day: an hour, which is less than `functionTimeout`."""


async def purge_old_runs(timer: func.TimerRequest, client: DurableFunctionsClient) -> None:
    """Purge as `CHORUS_RETENTION_DAYS` says; without it, or if it is wrong, nothing is purged."""
    del timer
    try:
        days = load_retention_days(os.environ)
    except SettingsError as exc:
        LOG.warning("No run is purged: %s", exc)
        return
    if days is not None:
        count = await purged(client, before=datetime.now(UTC) - timedelta(days=days))
        LOG.info("Purged %d ended instances that were older than %d days", count, days)


async def purged(client: DurableFunctionsClient, *, before: datetime) -> int:
    """Purge what has ended and was created `before` then; return how many instances that were.

    Runs, their calls and shards, the deliveries of their callbacks and the claims on their keys are instances alike.
    No child is older than its parent, so a run that is purged leaves none behind but young ones, which follow. A child
    older than that, whose parent goes on, belongs to a run that somebody has suspended.
    """
    from durabletask.client import OrchestrationStatus

    ended = [OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED]
    count = 0
    for _ in range(MOST_ROUNDS):
        result = await client.purge_orchestrations_by(
            created_time_from=BEGINNING, created_time_to=before, runtime_status=ended, timeout=ROUND
        )
        count += result.deleted_instance_count
        if result.is_complete is not False:
            break
    return count
