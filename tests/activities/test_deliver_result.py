"""The activities of a delivery, with a client that knows one run."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from activities import deliver_result as delivering
from activities.announce_end import announce_end
from activities.deliver_result import deliver_result
from activities.look_for_end import look_for_end
from shared.callbacks.sealing import sealed
from tests.shared.callbacks.given import (
    OLD_SECRET,
    RESULT_URL,
    RUN_ID,
    SECRET,
    SIGNATURE,
    URL,
    result_of_run,
    run_that,
    settings,
)

JSON = dict[str, Any]
ENDED = run_that("COMPLETED", result_of_run())


class Client:
    """A durable client that finds these states one after the other; the last one stays."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.raised: list[tuple[str, str]] = []

    async def get_orchestration_state(self, instance_id: str, *, fetch_payloads: bool = True) -> Any:
        assert instance_id == RUN_ID
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def raise_orchestration_event(self, instance_id: str, event_name: str) -> None:
        if self.states == ["away"]:
            raise OSError("the task hub is away")
        self.raised.append((instance_id, event_name))


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_CALLBACK_SECRET", SECRET)
    monkeypatch.setenv("CHORUS_CALLBACK_HOSTS", "hooks.example.com")
    monkeypatch.setenv("CHORUS_CALLBACK_LOOPBACK", "true")


async def delivered(client: Client, url: str = URL, secret: str = SECRET) -> JSON:
    callback = {"sealed": sealed(url, settings(secret)), "host": "hooks.example.com"}
    given = {"run_id": RUN_ID, "callback": callback, "result_url": RESULT_URL, "number": 1}
    return await deliver_result(given, cast(Any, client))


async def test_the_end_of_a_run_is_posted_signed_and_logged_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[JSON] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(Webhook(SECRET).verify(await request.read(), dict(request.headers)))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://localhost:{runner.addresses[0][1]}/hook?{SIGNATURE}"
    with caplog.at_level(logging.DEBUG):
        given = {"run_id": RUN_ID, "result_url": RESULT_URL, "number": 3}
        callback = {"sealed": sealed(url, settings()), "host": "localhost"}
        reply = await deliver_result({**given, "callback": callback}, cast(Any, Client(ENDED)))
    await runner.cleanup()

    assert reply == {"status": 202, "error": None, "retry_after_s": None}
    assert seen[0]["data"]["result"] == result_of_run()
    assert f"Callback of run {RUN_ID}, attempt 3: 202" in caplog.text
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiohttp.access")
    assert SIGNATURE not in ours


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"CHORUS_CALLBACK_SECRET": "", "CHORUS_CALLBACK_HOSTS": ""}, "sends no callbacks any more"),
        ({"CHORUS_CALLBACK_SECRET": OLD_SECRET}, "cannot be read any more"),
        ({"CHORUS_CALLBACK_HOSTS": "other.example.com"}, "may not call"),
        ({"CHORUS_CALLBACK_HOSTS": "*"}, "host 1 in CHORUS_CALLBACK_HOSTS"),
    ],
)
async def test_what_the_settings_of_now_do_not_allow_is_not_sent(
    env: JSON, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def post(*_: Any, **__: Any) -> Any:
        raise AssertionError("sent")

    monkeypatch.setattr(delivering, "post", post)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    reply = await delivered(Client(ENDED))

    assert reply["status"] is None
    assert told in reply["error"]
    assert SIGNATURE not in reply["error"]


async def test_a_run_that_was_purged_is_told_to_be_so() -> None:
    assert "purged" in (await delivered(Client(None)))["error"]


@pytest.mark.parametrize(
    ("status", "found"),
    [("COMPLETED", "ended"), ("FAILED", "ended"), ("TERMINATED", "ended"), ("RUNNING", "going"), ("PENDING", "going")],
)
async def test_a_look_says_at_once_how_the_run_stands(status: str, found: str) -> None:
    assert await look_for_end({"run_id": RUN_ID}, cast(Any, Client(run_that(status)))) == found


async def test_a_look_says_that_there_is_no_run() -> None:
    assert await look_for_end({"run_id": RUN_ID}, cast(Any, Client(None))) == "absent"


async def test_a_patient_look_waits_for_the_end() -> None:
    client = Client(run_that("RUNNING"), run_that("RUNNING"), ENDED)
    async with asyncio.timeout(5):
        assert await look_for_end({"run_id": RUN_ID, "patience_s": 60}, cast(Any, client)) == "ended"


async def test_an_end_is_announced_to_the_delivery() -> None:
    client = Client(None)
    assert await announce_end({"run_id": RUN_ID}, cast(Any, client))
    assert client.raised == [(f"~callback:{RUN_ID}", "run_ended")]


async def test_an_end_that_cannot_be_announced_fails_nobody() -> None:
    assert await announce_end({"run_id": RUN_ID}, cast(Any, Client("away"))) is False
