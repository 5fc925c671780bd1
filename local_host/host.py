"""`Host`: one app with its workers, engine, HTTP server and timers, started and stopped together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from socket import socket
from typing import Any

from local_host.app_functions import AppFunctions, binding_type, describe, sort_functions
from local_host.cors import CorsPolicy
from local_host.dispatch import Dispatcher
from local_host.durable_client import durable_client_config
from local_host.engine import LocalEngine
from local_host.host_pages import HostPages
from local_host.http_server import HttpServer
from local_host.invoker import Invoker
from local_host.management_on_demand import ManagementOnDemand
from local_host.settings import HostSettings, resolve_placeholders
from local_host.timer_triggers import TimerTriggers
from local_host.worker_pool import WorkerPool

_LOGGER = logging.getLogger(__name__)
_STEP_LIMIT_S = 0.8


class Host:
    """Serves one app. `stop` takes down whatever `start` got to set up, in the reverse order, and the workers."""

    def __init__(
        self,
        app_dir: Path,
        settings: HostSettings,
        workers: WorkerPool,
        base_url: str,
        *,
        started: float,
        keep_ended: int | None = None,
    ) -> None:
        self._app_dir = app_dir
        self._workers = workers
        self._settings = settings
        self._base_url = base_url
        self._started = started
        self._keep_ended = keep_ended
        self._timers: TimerTriggers | None = None
        self._stops: list[Callable[[], Awaitable[object]]] = []

    async def start(self, listener: socket) -> list[str]:
        """Load the app and serve it on the bound socket; return the lines that list its functions."""
        engine = LocalEngine(keep_ended=self._keep_ended, default_version=self._settings.default_version)
        address = engine.start()
        # The engine stops after the workers: functions that they cut off would fail without it, and say so.
        self._stops += [lambda: asyncio.to_thread(engine.stop), self._workers.close]
        app = sort_functions(await self._workers.load(str(self._app_dir)), self._settings)

        client_config = self._client_config(address)
        dispatcher = Dispatcher(engine, self._workers, app.durable, self._settings.limits, client_config)
        await dispatcher.start()
        self._stops.append(dispatcher.stop)

        invoker = Invoker(self._workers, client_config)
        self._timers = TimerTriggers(invoker)
        app.errors |= self._timers.read(app.timers, os.environ)
        await self._serve(listener, app, invoker, client_config({}), address)
        return describe(app, self._base_url, self._settings.route_prefix)

    def start_timers(self) -> None:
        """Begin to run the timer functions."""
        if self._timers is not None:
            self._timers.start()
            self._stops.append(self._timers.stop)

    async def stop(self) -> None:
        """Stop every part; a part that does not stop in time is left behind."""
        self._workers.expect_the_end()
        while self._stops:
            stop = self._stops.pop()
            try:
                async with asyncio.timeout(_STEP_LIMIT_S):
                    await stop()
            except TimeoutError:
                _LOGGER.warning("A part of the host did not stop in time: it is left behind")
            except Exception:
                _LOGGER.exception("A part of the host did not stop")

    async def _serve(
        self, listener: socket, app: AppFunctions, invoker: Invoker, client_config: str, address: str
    ) -> None:
        management = ManagementOnDemand(client_config, address, _orchestrator_names(app))
        self._stops.append(lambda: asyncio.to_thread(management.close))
        pages = HostPages(app, invoker, self._started)
        server = HttpServer(app, invoker, management, pages, CorsPolicy(self._settings.cors))
        self._stops.append(server.stop)
        await server.start(listener)

    def _client_config(self, engine_address: str) -> Callable[[Mapping[str, Any]], str]:
        def config(binding: Mapping[str, Any]) -> str:
            hub = str(binding.get("taskHub") or self._settings.task_hub)
            return durable_client_config(engine_address, self._base_url, resolve_placeholders(hub, os.environ))

        return config


def _orchestrator_names(app: AppFunctions) -> list[str]:
    return [
        str(function.trigger.get("orchestration") or function.name)
        for function in app.durable
        if binding_type(function.trigger) == "orchestrationtrigger"
    ]
