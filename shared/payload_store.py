"""`BlobPayloads`: where large inputs and outputs of orchestrations and activities are kept, instead of in history.

The SDK replaces a payload by a token, `blob:v1:CONTAINER:NAME`, and a payload that is a token by what it stands for.
Its own store reads any blob that a token names, and cannot use an Entra identity in its two clients; this one knows the
tokens that it made, and no others: its own container, and names that nobody can guess.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import lru_cache
from typing import Any, override
from uuid import uuid4

from durabletask.payload.store import LargePayloadStorageOptions, PayloadStore

from shared.azure_blobs import AzureBlobs
from shared.blobs import Blobs
from shared.errors import DocumentGone
from shared.settings import PAYLOADS_CONTAINER, StorageSettings

LOG = logging.getLogger("chorus.payloads")

THRESHOLD_BYTES = 256 * 1024
MOST_BYTES = 100 * 1024 * 1024
TOKEN_PREFIX = f"blob:v1:{PAYLOADS_CONTAINER}:"
TOKEN = re.compile(re.escape(TOKEN_PREFIX) + r"(?P<name>([A-Za-z0-9_:~@-]{1,300}/)?[0-9a-f]{32})")
NOT_IN_A_FOLDER = re.compile(r"[^A-Za-z0-9_:~@-]")
FAST_COMPRESSION = 1


class BlobPayloads(PayloadStore):
    """Payloads as blobs, compressed, in the folder of their orchestration.

    The SDK calls from threads and from event loops alike, so the client has a loop of its own, begun at first use.
    """

    def __init__(self, blobs: Blobs, *, threshold_bytes: int = THRESHOLD_BYTES) -> None:
        self._blobs = blobs
        self._options = LargePayloadStorageOptions(threshold_bytes, MOST_BYTES, enable_compression=True)
        self._beginning = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    @override
    def options(self) -> LargePayloadStorageOptions:
        """From which size on a payload is stored, and up to which."""
        return self._options

    @override
    def upload(self, data: bytes, *, instance_id: str | None = None) -> str:
        """Store a payload; return its token."""
        return self._started(self._upload(data, instance_id)).result()

    @override
    async def upload_async(self, data: bytes, *, instance_id: str | None = None) -> str:
        """Store a payload; return its token."""
        return await asyncio.wrap_future(self._started(self._upload(data, instance_id)))

    @override
    def download(self, token: str) -> bytes:
        """Return the payload that a token stands for."""
        return self._started(self._download(token)).result()

    @override
    async def download_async(self, token: str) -> bytes:
        """Return the payload that a token stands for."""
        return await asyncio.wrap_future(self._started(self._download(token)))

    @override
    def is_known_token(self, value: str) -> bool:
        """Whether this store can have made the token."""
        return TOKEN.fullmatch(value) is not None

    async def _upload(self, data: bytes, instance_id: str | None) -> str:
        folder = f"{NOT_IN_A_FOLDER.sub('-', instance_id)[:300]}/" if instance_id else ""
        name = folder + uuid4().hex
        await self._blobs.write(PAYLOADS_CONTAINER, name, gzip.compress(data, FAST_COMPRESSION))
        return TOKEN_PREFIX + name

    async def _download(self, token: str) -> bytes:
        found = TOKEN.fullmatch(token)
        if found is None:
            raise ValueError("this is no token of this store")
        try:
            return gzip.decompress(await self._blobs.read(PAYLOADS_CONTAINER, found["name"]))
        except DocumentGone:
            # The token stays what it is, a text, and does not fit where a contract is wanted: the orchestration fails
            # once, and is not tried for ever.
            LOG.warning("The payload %r is not there any more, or never was", found["name"])
            return json.dumps(token).encode()

    def _started[T](self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._beginning:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="payloads", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)


@lru_cache(maxsize=1)
def payloads_in(settings: StorageSettings) -> BlobPayloads:
    """The process's one store; the SDK takes no second one."""
    return BlobPayloads(AzureBlobs(settings))
