"""`MemoryBlobs`: containers of blobs in memory, for tests in which storage is only a means.

It is held to the same tests as `AzureBlobs` against Azurite: tests/shared/test_azure_blobs.py.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from shared.blobs import BlobInfo, BlobPage
from shared.errors import CallFailed, DocumentChanged, DocumentGone, StorageForbidden

PIECE_BYTES = 4 * 1024 * 1024


@dataclass
class Stored:
    """A blob. `committed` are the blocks that it was made of, which a repeated commit may name again."""

    data: bytes
    etag: str
    committed: dict[int, bytes] = field(default_factory=dict[int, bytes])


class MemoryBlobs:
    """Blobs in memory: `MemoryBlobs({"documents": {"a.txt": b"text"}})`.

    `calls` has what was asked for, as (operation, blob or prefix). Every operation lets other tasks run first, as one
    over the network does. Containers in `forbidden` are there but may not be used.
    """

    def __init__(self, containers: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self._etags = count(1)
        self._staged: dict[tuple[str, str], dict[int, bytes]] = {}
        self.containers: dict[str, dict[str, Stored]] = {}
        self.forbidden: set[str] = set()
        self.calls: list[tuple[str, str]] = []
        for container, blobs in (containers or {}).items():
            self.containers[container] = {name: self._stored(data) for name, data in blobs.items()}

    def contents(self, container: str, prefix: str = "") -> dict[str, bytes]:
        """The blobs of a container by name, in the order of their names, for a test to look at."""
        blobs = self.containers.get(container, {})
        return {name: blobs[name].data for name in sorted(blobs) if name.startswith(prefix)}

    async def listed(self, container: str, prefix: str, *, after: str | None = None, most: int = 5_000) -> BlobPage:
        """See `Blobs`."""
        await self._begin("listed", container, prefix)
        blobs = self._container(container)
        names = sorted(name for name in blobs if name.startswith(prefix))
        start = bisect_right(names, after) if after is not None else 0
        chosen = names[start : start + most]
        is_end = start + most >= len(names)
        found = [BlobInfo(name, len(blobs[name].data), blobs[name].etag) for name in chosen]
        return BlobPage(found, None if is_end else chosen[-1])

    async def read(
        self, container: str, name: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """See `Blobs`."""
        await self._begin("read", container, name)
        data = self._blob(container, name, etag).data
        return data[offset:] if length is None else data[offset : offset + length]

    async def stream(self, container: str, name: str, *, etag: str | None = None) -> AsyncIterator[bytes]:
        """See `Blobs`."""
        await self._begin("stream", container, name)
        data = self._blob(container, name, etag).data
        for start in range(0, len(data), PIECE_BYTES):
            yield data[start : start + PIECE_BYTES]

    async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Blobs`."""
        await self._begin("write", container, name)
        blobs = self.containers.setdefault(container, {})
        if only_new and name in blobs:
            return False
        blobs[name] = self._stored(data)
        self._staged.pop((container, name), None)
        return True

    async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
        """See `Blobs`."""
        await self._begin("stage", container, name)
        self.containers.setdefault(container, {})
        self._staged.setdefault((container, name), {})[block] = data

    async def close(self) -> None:
        """Nothing is open."""

    async def commit(self, container: str, name: str, blocks: Sequence[int]) -> None:
        """See `Blobs`."""
        await self._begin("commit", container, name)
        blobs = self.containers.setdefault(container, {})
        earlier = blobs[name].committed if name in blobs else {}
        known = {**earlier, **self._staged.get((container, name), {})}
        if missing := [block for block in blocks if block not in known]:
            raise CallFailed(f"{name!r} has no staged blocks {missing!r}")
        self._staged.pop((container, name), None)
        chosen = {block: known[block] for block in blocks}
        blobs[name] = Stored(b"".join(known[block] for block in blocks), self._next_etag(), chosen)

    async def _begin(self, operation: str, container: str, name: str) -> None:
        self.calls.append((operation, name))
        await asyncio.sleep(0)
        if container in self.forbidden:
            raise StorageForbidden(f"the app may not use the container {container!r}")

    def _container(self, container: str) -> dict[str, Stored]:
        if container not in self.containers:
            raise StorageForbidden(f"there is no container {container!r}")
        return self.containers[container]

    def _blob(self, container: str, name: str, etag: str | None) -> Stored:
        blob = self._container(container).get(name)
        if blob is None:
            raise DocumentGone(f"there is no blob {name!r} in {container!r}")
        if etag is not None and etag != blob.etag:
            raise DocumentChanged(f"the blob {name!r} in {container!r} was written again")
        return blob

    def _stored(self, data: bytes) -> Stored:
        return Stored(bytes(data), self._next_etag())

    def _next_etag(self) -> str:
        return f'"0x{next(self._etags):016X}"'
