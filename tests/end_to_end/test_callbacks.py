"""Callbacks over real HTTP: a receiver, the app in its processes, and everything that the app keeps."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from standardwebhooks import Webhook

from activities.names import attempt_instance_id, delivery_instance_id
from local_host.azurite import azurite_settings, running_azurite
from local_host.testing import ROOT
from tests.end_to_end.conftest import JSON, RUN_LIMIT_S, Chorus, running_chorus
from tests.shared.callbacks.given import OLD_SECRET, SECRET

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIGNATURE = "sig=do-not-tell-AbC123"
SECTIONS: JSON = {
    "input": "The disk was full.",
    "sections": [{"name": "a", "instructions": "Summarise."}],
    "aggregation": "concatenate",
}
HANGING: JSON = SECTIONS | {"sections": [{"name": "a", "instructions": "Summarise. [[fault:hang]]"}]}


@dataclass
class Receiver:
    """A server that answers with these statuses, one after the other; the last one stays."""

    statuses: Sequence[int]
    url: str = ""
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list[tuple[dict[str, str], bytes]])
    hold: asyncio.Event | None = None
    """The first call is answered when it is set."""

    async def answer(self, request: web.Request) -> web.Response:
        assert request.raw_path == f"/hook?sp=%2Fruns&{SIGNATURE}"
        self.calls.append((dict(request.headers), await request.read()))
        number = len(self.calls)
        if self.hold is not None and number == 1:
            await self.hold.wait()
        return web.Response(status=self.statuses[min(number, len(self.statuses)) - 1])

    async def called(self, times: int = 1) -> list[JSON]:
        """Wait for so many calls, and return their events, whose signatures hold."""
        async with asyncio.timeout(RUN_LIMIT_S):
            while len(self.calls) < times:  # noqa: ASYNC110 - it has no event for it
                await asyncio.sleep(0.02)
        return [Webhook(SECRET).verify(body, headers) for headers, body in self.calls]


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses)
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://localhost:{runner.addresses[0][1]}/hook?sp=%2Fruns&{SIGNATURE}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["without storage", "with storage"])
async def app(request: pytest.FixtureRequest, azurite: running_azurite) -> AsyncIterator[Chorus]:
    """With storage for large payloads the SDK calls activities in another way."""
    storage = azurite_settings(azurite.connection_string, {}) if request.param == "with storage" else {}
    secrets = {"CHORUS_CALLBACK_SECRET": f"{SECRET} {OLD_SECRET}", "CHORUS_CALLBACK_HOSTS": ""}
    async with running_chorus(**secrets, **storage) as chorus:
        yield chorus


def ended(view: JSON) -> bool:
    return view["callback"]["state"] in {"delivered", "failed"}


async def test_a_run_is_told_to_its_callback_once_with_its_result(app: Chorus) -> None:
    async with receiving(204) as receiver:
        run_id = await app.start("sectioning", SECTIONS | {"callback_url": receiver.url})
        [event] = await receiver.called()
        view = await app.until(run_id, ended)
        result = await app.result(run_id)

    assert event["type"] == "run.completed"
    assert event["timestamp"] == result["ended_at"]
    assert event["data"]["result"] == result
    assert event["data"]["result_url"].endswith(f"/api/runs/{run_id}")
    assert len(receiver.calls) == 1
    headers, body = receiver.calls[0]
    assert headers["webhook-id"] == f"msg_{run_id}"
    assert Webhook(OLD_SECRET).verify(body, headers)
    shown = view["callback"]
    assert (shown["state"], shown["attempts"], shown["last_status"], shown["last_error"]) == ("delivered", 1, 204, None)
    assert shown["host"] == receiver.url.split("/")[2]
    async with app.session.get(event["data"]["result_url"]) as answer:
        assert await answer.json() == result


async def test_nothing_that_the_app_keeps_or_says_has_the_url(app: Chorus) -> None:
    async with receiving(503, 200) as receiver:
        run_id = await app.start("voting", {"question": "Is it safe?", "voters": 2, "callback_url": receiver.url})
        first, second = await receiver.called(2)
        view = await app.until(run_id, ended)
        said = [await text_of(app, f"api/runs/{run_id}{path}") for path in ("", "/view")]
        instances = "runtime/webhooks/durabletask/instances"
        history = "showHistory=true&showHistoryOutput=true&showInput=true"
        kept = [
            await text_of(app, f"{instances}/{instance}?{history}")
            for instance in (run_id, delivery_instance_id(run_id), attempt_instance_id(run_id, "voter-1", 1))
        ]
        kept.append(await text_of(app, f"{instances}?showInput=true"))

    assert first == second
    assert {headers["webhook-id"] for headers, _ in receiver.calls} == {f"msg_{run_id}"}
    assert (view["callback"]["state"], view["callback"]["attempts"]) == ("delivered", 2)
    assert "sealed" in kept[0]
    assert "sealed" in kept[1]
    for text in [*said, *kept, app.host.output]:
        assert "do-not-tell" not in text
        assert "/hook" not in text
        assert SECRET not in text
    assert f"Callback of run {run_id}, attempt 1: the receiver answered 503" in app.host.output


async def text_of(app: Chorus, path: str) -> str:
    async with app.session.get(f"{app.base_url}/{path}") as answer:
        assert answer.status in {200, 202}, await answer.text()
        return await answer.text()


async def test_a_cancelled_run_and_a_terminated_one_are_told_as_cancelled(app: Chorus) -> None:
    async with receiving(200) as receiver, receiving(200) as other:
        cancelled = await app.start("sectioning", HANGING | {"callback_url": receiver.url})
        terminated = await app.start("sectioning", HANGING | {"callback_url": other.url})
        view = await app.until(cancelled, lambda view: view["progress"]["running"] == 1)
        await app.until(terminated, lambda view: view["progress"]["running"] == 1)
        await app.delete(f"runs/{cancelled}")
        await app.terminate(terminated)
        [first], [second] = await receiver.called(), await other.called()

    assert view["callback"]["state"] == "waiting"
    assert (first["data"]["status"], first["data"]["result"]["id"]) == ("cancelled", cancelled)
    assert (second["data"]["status"], second["data"]["summary"]["error"]["code"]) == ("cancelled", "terminated")
    assert "result" not in second["data"]


async def test_a_receiver_that_is_gone_is_not_called_again_and_a_redirect_leads_nowhere(app: Chorus) -> None:
    async with receiving(410) as gone, receiving(307) as moved:
        first = await app.start("sectioning", SECTIONS | {"callback_url": gone.url})
        second = await app.start("sectioning", SECTIONS | {"callback_url": moved.url})
        failed = await app.until(first, ended)
        waiting = await app.until(second, lambda view: view["callback"]["attempts"] == 1)

    assert (failed["callback"]["state"], failed["callback"]["last_status"], len(gone.calls)) == ("failed", 410, 1)
    assert (waiting["callback"]["state"], waiting["callback"]["last_status"]) == ("delivering", 307)
    assert waiting["callback"]["next_attempt_at"] is not None
    assert waiting["status"] == "succeeded"


async def test_a_callback_survives_the_death_of_the_worker_that_sends_it() -> None:
    async with running_chorus(CHORUS_CALLBACK_SECRET=SECRET) as app, receiving(200) as receiver:
        receiver.hold = asyncio.Event()
        run_id = await app.start("sectioning", SECTIONS | {"callback_url": receiver.url})
        await receiver.called(1)
        for pid in app.host.worker_pids:
            await asyncio.to_thread(app.host.kill_worker, pid)
        first, second = await receiver.called(2)
        await settled(app, run_id)

    assert first == second
    assert {headers["webhook-id"] for headers, _ in receiver.calls} == {f"msg_{run_id}"}


async def settled(app: Chorus, run_id: str) -> None:
    """Wait until the delivery has ended; a request that was in the killed worker is asked again."""
    async with asyncio.timeout(RUN_LIMIT_S):
        while True:
            status, view, _ = await app.get(f"runs/{run_id}/view")
            if status == 200 and ended(view):
                assert view["callback"]["state"] == "delivered"
                return
            await asyncio.sleep(0.05)


async def test_the_sample_receiver_believes_the_app_and_nobody_else(app: Chorus) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "samples/callback_receiver.py", str(port), cwd=ROOT,
        env={**os.environ, "CHORUS_CALLBACK_SECRET": SECRET}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = f"http://127.0.0.1:{port}/"
        assert await until_served(lambda: posted(app, url, b'{"data": {}}')) == 401
        run_id = await app.start("sectioning", SECTIONS | {"callback_url": url})
        view = await app.until(run_id, ended)
        line = await process.stdout.readline()
    finally:
        process.kill()
        await process.wait()

    assert view["callback"]["last_status"] == 204
    assert re.fullmatch(rf"msg_{run_id} succeeded http://\S+/api/runs/{run_id}\n", line.decode())


async def posted(app: Chorus, url: str, body: bytes) -> int:
    async with app.session.post(url, data=body) as answer:
        return answer.status


async def until_served(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until somebody listens."""
    async with asyncio.timeout(RUN_LIMIT_S):
        while True:
            try:
                return await ask()
            except OSError:
                await asyncio.sleep(0.05)
