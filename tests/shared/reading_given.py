"""What the tests of reading share: a worker process's model and requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local_host.offline_model import OfflineModel
from shared.contracts.work import UnitCall, UnitReply
from shared.model_client import OpenAIModel
from shared.reading import read_unit
from shared.settings import ModelSettings
from shared.stored_requests import StoredRequests
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_runs import TEXTS

ALL = tuple(TEXTS)


class Reader:
    """What a worker process has: a model, and the requests that it has read."""

    def __init__(self, offline: OfflineModel, model: OpenAIModel) -> None:
        self.offline = offline
        self._model = model
        self._requests = StoredRequests()

    async def __call__(self, blobs: MemoryBlobs, given: UnitCall) -> UnitReply:
        async with asyncio.timeout(20):
            return await read_unit(blobs, self._model, self._requests, given)


@asynccontextmanager
async def reader() -> AsyncIterator[Reader]:
    async with OfflineModel(directed_faults=True, directed_answers=True) as offline:
        model = OpenAIModel(ModelSettings("compatible", "offline", "responses", offline.base_url))
        yield Reader(offline, model)
        await model.close()


def code_of(reply: UnitReply) -> str:
    assert reply.error is not None
    return reply.error.code
