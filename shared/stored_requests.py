"""The requests of runs in storage, as far as the calls of their map need them, each read once a process."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict

from shared.blobs import Blobs
from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import Contract, restored
from shared.contracts.storage import BlobSource
from shared.contracts.work import RunFolder
from shared.stored_names import request_blob

MAX_KEPT = 8
"""Requests that a process keeps: a run's calls come one after the other."""


class StoredRequest(Contract):
    """What request.json says of the map."""

    map: AgentSpec
    defaults: AgentDefaults = AgentDefaults()
    source: BlobSource | None = None

    @property
    def agent(self) -> AgentSpec:
        """The agent that reads each document."""
        return self.map.with_defaults(self.defaults)

    @property
    def container(self) -> str | None:
        """Where the documents are, unless they came with the request."""
        return None if self.source is None else self.source.container


async def stored_request(blobs: Blobs, folder: RunFolder) -> StoredRequest:
    """The request in a run's folder."""
    return restored(StoredRequest, json.loads(await blobs.read(folder.container, request_blob(folder))))


class StoredRequests:
    """Requests by their folders, the most recent ones. Calls that ask at the same time wait for one reading."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[str, StoredRequest] = OrderedDict()
        self._pending: dict[str, asyncio.Task[StoredRequest]] = {}

    async def of(self, blobs: Blobs, folder: RunFolder) -> StoredRequest:
        """The request of the run that works in `folder`."""
        key = f"{folder.container}/{folder.name}"
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._pending.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._pending[key] = asyncio.ensure_future(self._read(blobs, folder, key))
        return await asyncio.shield(task)  # a call that is given up leaves the others theirs

    async def _read(self, blobs: Blobs, folder: RunFolder, key: str) -> StoredRequest:
        try:
            self._kept[key] = await stored_request(blobs, folder)
        finally:
            self._pending.pop(key, None)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]
