"""Runs in storage on the whole app: Azurite, real HTTP, real engine, and what the tests put into it and look at."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from azure.storage.blob import BlobServiceClient

from local_host.azurite import running_azurite
from tests.end_to_end.conftest import JSON, Chorus, running_chorus

SOURCE, EMPTY, SINK = "documents", "nothing-in-it", "results"
RUN_LIMIT_S = 180.0
"""A thousand documents take a quarter of it on two cores, and more beside other work."""
MAP = {"instructions": "State the cause."}


@dataclass
class Stored:
    """The app, and the storage that it works in."""

    chorus: Chorus
    azurite: running_azurite
    client: BlobServiceClient

    def put(self, name: str, data: str | bytes, container: str = SOURCE) -> None:
        """Write a blob."""
        self._container(container).upload_blob(name, data.encode() if isinstance(data, str) else data, overwrite=True)

    def delete(self, name: str, container: str = SOURCE) -> None:
        """Delete a blob."""
        self._container(container).delete_blob(name)

    def make(self, container: str) -> None:
        """Make a container, with nothing in it."""
        self._container(container)

    def get(self, name: str, container: str = SINK) -> bytes:
        """Read a blob."""
        return self._container(container).download_blob(name).readall()

    def lines(self, result: JSON, file: str) -> list[JSON]:
        """The lines of `results` or `failures`."""
        return [json.loads(line) for line in self.get(result["files"][file]).splitlines()]

    def manifest(self, result: JSON) -> JSON:
        return json.loads(self.get(result["files"]["manifest"]))

    async def run(self, prefix: str, **more: Any) -> JSON:
        """Run over the blobs under `prefix`, which is the test's own."""
        run_id = await self.chorus.start("map-reduce", request(prefix, **more))
        return await self.chorus.result(run_id, limit_s=RUN_LIMIT_S)

    async def redriven(self, run_id: str, body: JSON | None = None) -> JSON:
        status, accepted, _ = await self.chorus.post(f"runs/{run_id}/redrive", body)
        assert status == 202, accepted
        return await self.chorus.result(accepted["id"], limit_s=RUN_LIMIT_S)

    def _container(self, name: str) -> Any:
        container = self.client.get_container_client(name)
        if not container.exists():
            container.create_container()
        return container


def request(prefix: str, source: Mapping[str, Any] | None = None, **more: Any) -> JSON:
    """A request over all blobs under `prefix`, whose outputs are concatenated unless `more` says otherwise."""
    return {
        "source": {"container": SOURCE, "prefix": prefix, **(source or {})},
        "map": MAP,
        "reduce": "concatenate",
        **more,
    }


def counts(result: JSON) -> JSON:
    """The counts of documents and works."""
    return {name: count for name, count in result["counts"].items() if name != "pages"}


@asynccontextmanager
async def running_stored(*, in_memory: bool = True, **env: str) -> AsyncGenerator[Stored]:
    """The app with storage; `documents` may be read and `results` written. In memory it is lost by a stop."""
    with running_azurite(in_memory=in_memory) as azurite:
        settings = {
            "CHORUS_STORAGE": azurite.connection_string,
            "CHORUS_SOURCE_CONTAINERS": f"{SOURCE},{EMPTY}",
            "CHORUS_SINK_CONTAINERS": SINK,
        }
        async with running_chorus(**settings, **env) as chorus:
            with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
                yield Stored(chorus, azurite, client)
