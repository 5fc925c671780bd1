"""The activity that makes the files of a map."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.results import FinishMap
from shared.results_files import finished_map


async def finish_map(given: dict[str, Any]) -> dict[str, Any]:
    """Make the files of a map. Takes a `FinishMap`, returns a `FinishedMap`; raises if storage does not answer."""
    done = await finished_map(shared_blobs(), restored(FinishMap, given))
    return done.model_dump(mode="json")
