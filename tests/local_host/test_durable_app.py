"""A whole durable app on the real worker library, the dispatcher and the engine."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.durable_functions.client import DurableFunctionsClient, SyncDurableFunctionsClient
from durabletask.client import OrchestrationStatus
from durabletask.entities import EntityInstanceId
from durabletask.scheduled import ScheduleCreationOptions, ScheduledTaskClient

from local_host.dispatch import Dispatcher
from local_host.durable_client import durable_client_config
from local_host.engine import LocalEngine
from local_host.in_process_worker import InProcessWorker
from local_host.settings import Limits

# The app uses the names of the 1.x package on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
APP = Path(__file__).parent / "apps" / "everything"


@dataclass
class Running:
    client: DurableFunctionsClient
    config: str

    async def start(self, name: str, argument: Any = None) -> str:
        return await self.client.schedule_new_orchestration(name, input=argument)

    async def end_of(self, instance_id: str) -> Any:
        state = await self.client.wait_for_orchestration_completion(instance_id, timeout=15)
        assert state is not None
        return state

    async def output(self, name: str, argument: Any = None) -> Any:
        state = await self.end_of(await self.start(name, argument))
        assert state.runtime_status == OrchestrationStatus.COMPLETED, state.failure_details
        return state.get_output()


@pytest.fixture
async def app(fresh_app_process: None) -> AsyncIterator[Running]:
    engine, worker = LocalEngine(), InProcessWorker()
    functions = await worker.load(str(APP))
    config = durable_client_config(engine.start(), "http://localhost:7071", "AHub")
    dispatcher = Dispatcher(engine, worker, functions, Limits(), config)
    await dispatcher.start()
    client = DurableFunctionsClient(config)
    yield Running(client, config)
    await client.close()
    await dispatcher.stop()
    await worker.close()
    engine.stop()


@pytest.fixture
def polled_server() -> Iterator[str]:
    """A server that answers 202 twice and then 200."""
    left = [2]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            left[0] -= 1
            self.send_response(202 if left[0] >= 0 else 200)
            if left[0] >= 0:
                self.send_header("Location", f"http://{self.headers['Host']}/again")
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"done")

        def log_message(self, *args: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/start"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_usual_patterns_run(app: Running) -> None:
    assert await app.output("chain") == ["Hello Tokyo!", "Hello Oslo!", None]
    assert await app.output("count") == 5
    assert await app.output("monitor", 0) == 4
    assert await app.output("retried") == 3
    assert await app.output("looks_itself_up") == "looks_itself_up"
    assert await app.output("transfers") == [-1, 1]
    assert await app.output("recovers") == ["boom", "Hello Oslo!"]


async def test_a_human_answers_in_time_or_not(app: Running) -> None:
    instance_id = await app.start("approval", 3600)
    await app.client.raise_orchestration_event(instance_id, "Approval", data={"by": "me"})
    assert (await app.end_of(instance_id)).get_output() == {"by": "me"}
    assert await app.output("approval", 0.01) == "timed out"


async def test_call_http_follows_a_202_until_it_is_done(app: Running, polled_server: str) -> None:
    assert await app.output("fetches", polled_server) == [200, "done"]


async def test_an_orchestrator_that_exits_fails_alone(app: Running) -> None:
    state = await app.end_of(await app.start("defective"))
    assert state.runtime_status == OrchestrationStatus.FAILED
    assert state.failure_details.error_type == "SystemExit"
    assert await app.output("chain")


async def test_schedules_start_orchestrations(app: Running) -> None:
    def create_and_wait() -> int:
        client = SyncDurableFunctionsClient(app.config)
        schedules = ScheduledTaskClient(client)
        schedule = schedules.create_schedule(
            ScheduleCreationOptions("every-second", "count", timedelta(seconds=1), start_immediately_if_late=True)
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            runs = [s for s in client.get_all_orchestration_states() if s.name == "count"]
            if any(s.runtime_status == OrchestrationStatus.COMPLETED for s in runs):
                break
            time.sleep(0.02)
        schedule.delete()
        client.close()
        return len(runs)

    assert await asyncio.to_thread(create_and_wait) >= 1


async def test_branches_run_in_parallel_with_little_on_top(app: Running) -> None:
    """20 children of 0.2 s and one call of 0.2 s after them: little more than 0.4 s."""
    await app.output("fan", {"n": 1, "seconds": 0})
    started = time.perf_counter()
    assert await app.output("fan", {"n": 20, "seconds": 0.2}) == 20
    assert time.perf_counter() - started < 2 * 0.4


async def test_an_entity_can_be_read_by_the_client(app: Running) -> None:
    entity = EntityInstanceId("counter", "read")
    await app.client.signal_entity(entity, "add", 5)
    async with asyncio.timeout(10):
        while (metadata := await app.client.get_entity(entity)) is None:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.005)
    assert metadata.get_state(int) == 5
