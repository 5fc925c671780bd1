"""The activity that writes the answer of a reduction in storage."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.stored_reduction import JoinOutputs
from shared.stored_reduction import joining


async def join_outputs(given: dict[str, Any]) -> dict[str, Any]:
    """Write the answer. Takes a `JoinOutputs`, returns a `StoredReduction`; raises if storage does not answer."""
    reduction = await joining.join_outputs(shared_blobs(), restored(JoinOutputs, given))
    return reduction.model_dump(mode="json")
