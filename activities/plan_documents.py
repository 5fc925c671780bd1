"""The activity that plans a map in storage, a step at a time."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.planning import Plan, PlanInput
from shared.errors import StorageForbidden
from shared.planning import plan


async def plan_documents(given: dict[str, Any]) -> dict[str, Any]:
    """Plan one step. Takes a `PlanInput`, returns a `Plan`; raises if storage does not answer."""
    try:
        planned = await plan(shared_blobs(), restored(PlanInput, given))
    except StorageForbidden as exc:  # the app has no storage
        planned = Plan(problem=exc.message)
    return planned.model_dump(mode="json")
