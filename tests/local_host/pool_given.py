"""What the pool's tests share: a pool with an app, and waits for what becomes of it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from local_host.messages import (
    HttpRequestValue,
    HttpResponseValue,
    Invocation,
    InvocationLost,
    InvocationResult,
    LoadedFunction,
    Value,
)
from local_host.worker_pool import WorkerPool
from tests.local_host.processes import until

APP = Path(__file__).parent / "apps" / "mortal"
HEAD = "import os, time\nimport azure.durable_functions as df\napp = df.DFApp()\n"
FUNCTION = "@app.activity_trigger(input_name='value')\ndef {0}(value):\n    return '{0}'\n"


class App:
    """A pool that has loaded an app, its functions callable by name."""

    def __init__(self, pool: WorkerPool, functions: list[LoadedFunction]) -> None:
        self.pool = pool
        self.functions = {function.name: function for function in functions}

    def invocation(self, name: str, value: Any, losses: int = 0) -> Invocation:
        function = self.functions[name]
        inputs = ((str(function.trigger["name"]), value),)
        return Invocation(str(uuid.uuid4()), function.function_id, inputs, losses=losses)

    async def result(self, name: str, argument: Any = None, *, losses: int = 0) -> InvocationResult:
        return await self.pool.invoke(self.invocation(name, Value("json", json.dumps(argument)), losses))

    async def call(self, name: str, argument: Any = None, *, losses: int = 0) -> Any:
        result = await self.result(name, argument, losses=losses)
        assert isinstance(result.return_value, Value), result
        return json.loads(result.return_value.data)

    async def http(self, name: str, body: bytes = b"", **query: str) -> HttpResponseValue:
        request = HttpRequestValue("POST", f"http://localhost/api/{name}", {}, query, {}, body)
        result = await self.pool.invoke(self.invocation(name, request))
        assert isinstance(result.return_value, HttpResponseValue), result
        return result.return_value

    def begin(self, name: str, argument: Any, *, losses: int = 0) -> asyncio.Task[Any]:
        return asyncio.create_task(self.call(name, argument, losses=losses))


@asynccontextmanager
async def running(count: int = 1, folder: Path = APP) -> AsyncIterator[App]:
    pool = WorkerPool(count, {}, verbose=False)
    try:
        yield App(pool, await pool.load(str(folder)))
    finally:
        await pool.close()


def replaced(app: App, pid: int) -> Any:
    return until(lambda: pid not in app.pool.pids and app.pool.pids)


async def lost(call: asyncio.Task[Any]) -> InvocationLost:
    with pytest.raises(InvocationLost) as error:
        await call
    return error.value


def written(folder: Path, code: str) -> Path:
    (folder / "function_app.py").write_text(HEAD + code)
    return folder
