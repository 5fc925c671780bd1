"""Starts that wait for their result."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import triggers.waiting
from tests.triggers.hub import Hub, keyed
from tests.triggers.requests import HOST, json_of, paths_of, problem_of, result
from triggers.runs import start_sectioning


async def start(hub: Any, wait: str) -> Any:
    return await start_sectioning(keyed(None, query={"wait": wait}), hub)


def ending_when_asked(times: int) -> Any:
    """A hub whose one run ends once it has been asked for so often."""
    hub = Hub.of()
    hub.meanwhile[times] = lambda: hub.end(hub.runs[0], result())
    return hub


async def test_a_run_that_ends_in_time_is_answered_with_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers.waiting, "FIRST_PAUSE_S", 0.001)
    hub = ending_when_asked(3)

    answer = await start(hub, "30")

    url = f"{HOST}/api/runs/{hub.runs[0]}"
    assert (answer.status_code, json_of(answer)) == (200, result())
    assert answer.headers["Location"] == answer.headers["Content-Location"] == url
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Retry-After" not in answer.headers


async def test_a_run_that_takes_longer_is_answered_as_ever() -> None:
    hub = Hub.of()

    answer = await start(hub, "0.01")

    assert (answer.status_code, json_of(answer)["id"]) == (202, hub.runs[0])
    assert answer.headers["Location"] == json_of(answer)["status_url"]
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("wait", ["0", "0.0"])
async def test_who_does_not_wait_costs_no_question(wait: str) -> None:
    hub = Hub.of()

    assert (await start(hub, wait)).status_code == 202
    assert hub.asked == []


async def test_the_longer_the_wait_the_longer_the_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    hub = Hub.of()

    async def sleep(seconds: float) -> None:
        if seconds:
            pauses.append(seconds)
        if len(pauses) == 20:
            hub.end(hub.runs[0], result())

    monkeypatch.setattr(asyncio, "sleep", sleep)

    assert (await start(hub, "100")).status_code == 200
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (triggers.waiting.FIRST_PAUSE_S, triggers.waiting.LONGEST_PAUSE_S)


@pytest.mark.parametrize("wait", ["", "-1", "101", "100.5", "1e1", "nan", "inf", "ten", "5,5", " 5", "١", "9" * 400])
async def test_a_wait_that_makes_no_sense_is_refused_by_its_name_and_starts_nothing(wait: str) -> None:
    hub = Hub.of()

    body = problem_of(await start(hub, wait), 400, "invalid_parameter")

    assert paths_of(body) == ["wait"]
    assert hub.created == []


@pytest.mark.parametrize("wait", ["100", "100.0", "0.5"])
async def test_a_wait_within_bounds_is_taken(wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers.waiting, "FIRST_PAUSE_S", 0.001)
    assert (await start(ending_when_asked(1), wait)).status_code == 200
