"""The worker process's one client of Blob Storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import StorageForbidden

if TYPE_CHECKING:
    from shared.blobs import Blobs


def shared_blobs() -> Blobs:
    """The client for the current settings."""
    raise StorageForbidden("storage is not configured")
