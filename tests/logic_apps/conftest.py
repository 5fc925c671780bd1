"""Logic apps against the real local host: its app and offline model in front of the relay, callbacks from behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest_asyncio

from tests.end_to_end.conftest import Chorus, running_chorus
from tests.logic_apps.callbacks import CallbackServer
from tests.logic_apps.relay import KEY, Relay
from tests.logic_apps.samples import workflow
from tests.logic_apps.sending import Wire
from tests.logic_apps.workflow import LogicApp, World

PACE = 0.02
"""Fifty times as fast as the real one."""
RUN_LIMIT_S = 60.0
CALLBACK_ENV = {
    "CHORUS_CALLBACK_SECRET": "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5",
    "CHORUS_CALLBACK_LOOPBACK": "true",
}


@dataclass
class Site:
    """An app behind a relay, and a world of Logic Apps in front of it."""

    chorus: Chorus
    relay: Relay
    world: World

    def app(self, sample: str, body: Any, name: str, **parameters: Any) -> LogicApp:
        """A run of a shipped workflow, with the parameters that its template would set."""
        given = {"chorus_url": f"{self.relay.base_url}/api", "chorus_key": KEY, **parameters}
        return LogicApp(self.world, workflow(sample), given, body, name)

    async def ended(self, app: LogicApp) -> LogicApp:
        """The run when it has ended."""
        async with asyncio.timeout(RUN_LIMIT_S):
            await app.run()
        return app


@asynccontextmanager
async def a_site(chorus: Chorus, *, polls_have_headers: bool = True) -> AsyncGenerator[Site]:
    """A relay and a world of their own for a running app."""
    async with Relay(chorus.base_url) as relay, CallbackServer() as callbacks, aiohttp.ClientSession() as session:
        yield Site(chorus, relay, World(Wire(session, PACE, polls_have_headers), callbacks))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chorus() -> AsyncIterator[Chorus]:
    async with running_chorus(**CALLBACK_ENV) as app:
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def site(chorus: Chorus) -> AsyncIterator[Site]:
    async with a_site(chorus) as found:
        yield found
