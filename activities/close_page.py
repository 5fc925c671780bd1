"""The activity that writes what came of a page."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.work import ClosePage
from shared.results_files import closed_page


async def close_page(given: dict[str, Any]) -> dict[str, Any]:
    """Write what came of a page. Takes a `ClosePage`, returns a `Tally`; raises if storage does not answer."""
    done = await closed_page(shared_blobs(), restored(ClosePage, given))
    return done.model_dump(mode="json")
