"""Begins the folder of a redrive."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.take_over import TakeOver
from shared.taking_over import take_over as taken_over


async def take_over(given: dict[str, Any]) -> dict[str, Any]:
    """Take over the plan of an earlier run: takes a `TakeOver`, returns a `TakenOver`."""
    answer = await taken_over(shared_blobs(), restored(TakeOver, given))
    return answer.model_dump(mode="json")
