"""Callbacks in requests and in views: accepted, refused, and never shown."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from activities.names import delivery_instance_id
from shared.callbacks.sealing import opened
from shared.contracts.callback import MAX_CALLBACK_URL_CHARS, Callback
from tests.shared.callbacks.given import SECRET, SIGNATURE, URL, settings
from tests.triggers.handlers import ask
from tests.triggers.hub import Hub, keyed
from tests.triggers.requests import (
    HOST,
    JSON,
    RUN_ID,
    FakeClient,
    json_of,
    orchestration,
    outcome,
    post,
    problem_of,
    sections,
)
from tests.triggers.requests import run_input as given_of
from tests.triggers.test_start import BODIES, ESTIMATES, STARTS
from triggers.callbacks import schedule_delivery
from triggers.runs import start_sectioning

REPORT = {
    "state": "delivering", "attempts": 2, "last_status": 503, "last_error": "the receiver answered 503",
    "next_attempt_at": "2026-01-01T12:00:35Z", "delivered_at": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_CALLBACK_SECRET", SECRET)
    monkeypatch.setenv("CHORUS_CALLBACK_HOSTS", "hooks.example.com, *.logic.azure.com")
    monkeypatch.delenv("CHORUS_CALLBACK_LOOPBACK", raising=False)


def with_callback(route: str, url: Any = URL) -> JSON:
    return BODIES[route] | {"callback_url": url}


# Accepted


@pytest.mark.parametrize("route", STARTS)
async def test_a_delivery_is_started_before_the_run_and_neither_holds_the_url(route: str) -> None:
    client = FakeClient()

    answer = await STARTS[route](post(route, with_callback(route)), client)

    assert answer.status_code == 202
    run_id = json_of(answer)["id"]
    (delivery, given, delivery_id), (_, run, started_id) = client.started
    assert (delivery, delivery_id, started_id) == ("delivery", f"~callback:{run_id}", run_id)
    assert given["result_url"] == f"{HOST}/api/runs/{run_id}"
    assert given["callback"] == run["callback"]
    assert opened(given["callback"]["sealed"], settings()) == URL
    assert given["callback"]["host"] == "hooks.example.com"
    assert SIGNATURE not in json.dumps(client.started) + answer.get_body().decode()
    assert "callback_url" not in run["request"]


async def test_re_sends_with_a_key_deliver_the_callback_of_one_run() -> None:
    hub = Hub.of()

    answers = await asyncio.gather(
        *(start_sectioning(keyed("a-key", with_callback("sectioning")), hub) for _ in range(5))
    )

    [run_id] = {json_of(answer)["id"] for answer in answers}
    assert [state.instance_id for state in hub.created if state.name == "delivery"] == [f"~callback:{run_id}"]


@pytest.mark.parametrize("route", STARTS)
async def test_a_run_without_a_callback_has_the_same_input_as_ever(route: str) -> None:
    client = FakeClient()

    await STARTS[route](post(route, BODIES[route]), client)

    [(_, given, _)] = client.started
    assert given.keys() == {"request", "redrive"}


async def test_a_redrive_has_a_callback_of_its_own_or_none() -> None:
    result = {
        "id": RUN_ID, "pattern": "sectioning", "status": "partial", "completion_reason": "all_completed",
        "outcomes": [outcome("a"), outcome("b", "failed")], "started_at": "2026-01-01T12:00:00Z",
        "ended_at": "2026-01-01T12:00:05Z",
    }  # fmt: skip
    given = given_of(sections("a", "b")) | {"callback": {"sealed": "S", "host": "hooks.example.com"}}
    run = orchestration("COMPLETED", given=given, output=result)
    without, with_one = FakeClient([run]), FakeClient([run])

    await ask("REDRIVE", client=without)
    await ask("REDRIVE", client=with_one, body={"callback_url": URL})

    assert [name for name, _, _ in without.started] == ["sectioning"]
    assert "callback" not in without.started[0][1]
    assert [name for name, _, _ in with_one.started] == ["delivery", "sectioning"]


async def test_a_delivery_that_is_under_way_is_left_as_it_is() -> None:
    class Exists(Exception):
        def code(self) -> Any:
            return type("Code", (), {"name": self.args[0]})

    class Refusing(FakeClient):
        async def schedule_new_orchestration(self, *_: Any, **__: Any) -> str:
            raise Exists("ALREADY_EXISTS" if not self.states else "UNAVAILABLE")

    callback = Callback(sealed="S", host="hooks.example.com")
    await schedule_delivery(cast(Any, Refusing()), RUN_ID, callback, HOST)
    away = Refusing([orchestration("RUNNING")])
    with pytest.raises(Exists):
        await schedule_delivery(cast(Any, away), RUN_ID, callback, HOST)


# Refused


async def refusal(body: JSON, code: str, route: str = "voting") -> JSON:
    """The problem with a body, of a start and of an estimate alike, without the URL; nothing was started."""
    client = FakeClient()
    answer = await STARTS[route](post(route, body), client)
    estimate = await ESTIMATES[route](post(f"{route}/estimate", body))
    assert client.started == []
    assert json_of(estimate) == json_of(answer)
    assert SIGNATURE not in answer.get_body().decode()
    problem = problem_of(answer, 400, code)
    assert [error["path"] for error in problem["errors"]] == ["callback_url"]
    return problem


@pytest.mark.parametrize("route", STARTS)
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://hooks.example.com/?{SIGNATURE}", "must begin with https://"),
        (f"https://other.example/?{SIGNATURE}", "add that to CHORUS_CALLBACK_HOSTS"),
        (f"https://me@hooks.example.com/?{SIGNATURE}", "user name"),
        (f"http://localhost:8080/?{SIGNATURE}", "development"),
        (f"https://hooks.example.com/?{SIGNATURE}{'x' * MAX_CALLBACK_URL_CHARS}", "at most 2000"),
        ("", "at least 1"),
        (7, "string"),
    ],
)
async def test_a_url_that_may_not_be_called_is_refused_at_its_path(route: str, url: Any, reason: str) -> None:
    problem = await refusal(with_callback(route, url), "invalid_request", route)

    assert reason in problem["errors"][0]["message"]


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [("CHORUS_CALLBACK_SECRET", "", "is not set"), ("CHORUS_CALLBACK_SECRET", "guess-me-not", "secret 1")],
)
async def test_an_app_without_its_settings_says_which(
    setting: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)

    problem = await refusal(with_callback("voting"), "callbacks_not_configured")

    assert told in problem["detail"]
    assert "CHORUS_CALLBACK_SECRET" in problem["detail"]
    assert "guess-me-not" not in problem["detail"]


async def test_an_app_with_nothing_set_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHORUS_CALLBACK_SECRET")
    monkeypatch.delenv("CHORUS_CALLBACK_HOSTS")

    problem = await refusal(with_callback("voting"), "callbacks_not_configured")

    assert "Set CHORUS_CALLBACK_SECRET and CHORUS_CALLBACK_HOSTS" in problem["detail"]


# Seen


def run_with_callback() -> Any:
    given = given_of(sections("a")) | {"callback": {"sealed": "SEALED", "host": "hooks.example.com"}}
    return orchestration("RUNNING", given=given, custom_status={"phase": "branches", "total": 1})


def delivery(status: str, **fields: Any) -> Any:
    return orchestration(status, instance_id=delivery_instance_id(RUN_ID), name="delivery", **fields)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], {"state": "waiting", "attempts": 0}),
        ([delivery("PENDING")], {"state": "waiting", "attempts": 0}),
        ([delivery("RUNNING", custom_status=REPORT)], REPORT),
        ([delivery("COMPLETED", custom_status=REPORT, output=REPORT | {"state": "delivered"})], {"state": "delivered"}),
        ([delivery("TERMINATED", custom_status=REPORT)], {"state": "failed", "attempts": 2, "next_attempt_at": None}),
        ([delivery("RUNNING", custom_status={"state": "of a later version"})], {"state": "waiting"}),
    ],
)
async def test_the_view_tells_how_far_the_callback_has_come(states: list[Any], expected: JSON) -> None:
    answer = await ask("VIEW", run_with_callback(), *states)

    shown = json_of(answer)["callback"]
    assert shown["host"] == "hooks.example.com"
    assert shown | expected == shown
    assert "SEALED" not in answer.get_body().decode()


async def test_the_view_of_a_run_without_a_callback_says_nothing_of_one() -> None:
    run = orchestration("RUNNING", given=given_of(sections("a")), custom_status={"phase": "branches", "total": 1})

    assert "callback" not in json_of(await ask("VIEW", run))
