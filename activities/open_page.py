"""The activity that opens a page of a stage for its shard."""

from __future__ import annotations

from typing import Any

from activities.storage import shared_blobs
from shared.contracts.base import restored
from shared.contracts.work import OpenPage
from shared.opened_pages import opened_page


async def open_page(given: dict[str, Any]) -> dict[str, Any]:
    """Say what is to be called. Takes an `OpenPage`, returns an `OpenedPage`; raises if storage does not answer."""
    done = await opened_page(shared_blobs(), restored(OpenPage, given))
    return done.model_dump(mode="json")
