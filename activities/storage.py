"""The storage that activities use: one client for each worker process."""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.azure_blobs import AzureBlobs
from shared.errors import SettingsError, StorageForbidden
from shared.read_ahead import ReadAhead
from shared.settings import CHORUS_STORAGE, StorageSettings, load_storage_settings
from shared.written_once import WrittenOnce

if TYPE_CHECKING:
    from shared.blobs import Blobs


def shared_blobs() -> Blobs:
    """The blobs that the environment configures; `StorageForbidden` if it does not, or not rightly.

    Call it where a loop runs: its connections belong to that loop.
    """
    try:
        settings = load_storage_settings(os.environ)
    except SettingsError as exc:
        raise StorageForbidden(str(exc)) from exc
    if settings is None:
        raise StorageForbidden(f"the app has no storage: {CHORUS_STORAGE} is not set")
    return _client(settings, asyncio.get_running_loop())


@lru_cache(maxsize=4)
def _client(settings: StorageSettings, loop: asyncio.AbstractEventLoop) -> Blobs:
    del loop
    return WrittenOnce(ReadAhead(AzureBlobs(settings)))
