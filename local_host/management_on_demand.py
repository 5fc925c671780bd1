"""`ManagementOnDemand`: the management API, imported when it is first called.

It brings the durable SDK into the host's process: a quarter of what the host imports, which a start need not wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from local_host.management import ManagementApi


class ManagementOnDemand:
    """Answers the requests under the management path."""

    def __init__(self, client_config: str, engine_address: str, orchestrators: Collection[str]) -> None:
        self._client_config = client_config
        self._engine_address = engine_address
        self._orchestrators = orchestrators
        self._making = asyncio.Lock()
        self._api: ManagementApi | None = None

    async def handle(self, request: web.Request, path: Sequence[str]) -> web.StreamResponse:
        """Answer one request; `path` is what follows the management path, decoded."""
        if self._api is None:
            async with self._making:
                self._api = self._api or await asyncio.to_thread(self._make)
        return await self._api.handle(request, path)

    def close(self) -> None:
        """Give up the connections to the engine."""
        if self._api is not None:
            self._api.close()

    def _make(self) -> ManagementApi:
        from local_host.management import ManagementApi

        return ManagementApi(self._client_config, self._engine_address, self._orchestrators)
