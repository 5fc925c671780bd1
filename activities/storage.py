"""The storage that activities use: one client for each worker process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import StorageForbidden

if TYPE_CHECKING:
    from shared.blobs import Blobs


def shared_blobs() -> Blobs:
    """The blobs that the environment configures."""
    raise StorageForbidden("the app has no storage")
