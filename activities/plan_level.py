"""The activity that plans the next calls of a reduction in storage."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.stored_reduction import PlanLevel
from shared.stored_reduction import planning


async def plan_level(given: dict[str, Any]) -> dict[str, Any]:
    """Plan a level or step. Takes a `PlanLevel`, returns a `LevelPlan`; raises if storage does not answer."""
    plan = await planning.plan_level(shared_blobs(), restored(PlanLevel, given))
    return plan.model_dump(mode="json")
