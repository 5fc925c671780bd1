"""Tells the delivery of a run's callback that the run is about to end."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from activities.names import RUN_ENDED_EVENT, delivery_instance_id
from shared.contracts.base import restored
from shared.contracts.callback import AnnounceEnd
from shared.task_hub import status_of

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

LOG = logging.getLogger("chorus.callbacks")


async def announce_end(given: dict[str, Any], client: DurableFunctionsClient) -> bool:
    """Send the event. Takes an `AnnounceEnd`; returns False if it could not be sent: the delivery looks by itself."""
    run_id = restored(AnnounceEnd, given).run_id
    try:
        await client.raise_orchestration_event(delivery_instance_id(run_id), RUN_ENDED_EVENT)
    except Exception as exc:  # noqa: BLE001 - a run never fails for its callback
        why = status_of(exc) or type(exc).__name__
        LOG.warning("The end of run %s was not announced: %s", run_id, why, extra={"run_id": run_id})
        return False
    return True
