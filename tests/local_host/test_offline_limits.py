"""Limits: a service that takes so many calls at a time, or a second, and refuses the rest at the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from local_host.offline.admission import Admission, OverLimit, TokenBucket
from local_host.offline.faults import Faults
from local_host.offline_model import OfflineModel
from tests.local_host.offline_calls import Caller, caller_of, start_process, until

HANGING = "The disk was full. [[fault:hang]]"


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def served(faults: Faults) -> AsyncIterator[tuple[OfflineModel, Caller]]:
    async with OfflineModel(faults=faults, directed_faults=True) as model, caller_of(model.base_url) as caller:
        yield model, caller


# Capacity


async def test_calls_beyond_the_capacity_are_refused_at_once_and_told_when_to_come_back() -> None:
    async with served(Faults(capacity=2, retry_after_s=0.25)) as (model, caller):
        hanging = [asyncio.create_task(caller.ask(HANGING)) for _ in range(2)]
        await until(lambda: model.statistics.faults["hang"] == 2)
        status, refused = await caller.ask()
        assert status == 429
        assert (await refused.json())["error"]["code"] == "rate_limit_exceeded"
        assert (refused.headers["retry-after"], refused.headers["retry-after-ms"]) == ("0.25", "250")
        for task in hanging:
            task.cancel()
        await until(lambda: not model.statistics.active)
        assert (await caller.ask())[0] == 200
        stats = await caller.stats()
        assert stats["refused"] == {"capacity": 1, "requests_per_s": 0}
        assert stats["faults"] == {"hang": 2}


async def test_of_a_storm_just_the_capacity_is_served() -> None:
    async with served(Faults(capacity=5, latency_s=0.5)) as (model, caller):
        statuses = [status for status, _ in await asyncio.gather(*(caller.ask() for _ in range(40)))]
        assert (statuses.count(200), statuses.count(429)) == (5, 35)
        assert (await caller.stats())["refused"]["capacity"] == 35
        assert model.statistics.highest_served == 5


async def test_a_refused_call_uses_up_no_turn_of_a_counted_marker() -> None:
    async with served(Faults(capacity=1)) as (model, caller):
        hanging = asyncio.create_task(caller.ask(HANGING))
        await until(lambda: model.statistics.faults["hang"])
        prompt = "The disk was full. [[fault:error*1]]"
        assert (await caller.ask(prompt))[0] == 429
        hanging.cancel()
        await until(lambda: not model.statistics.active)
        assert [(await caller.ask(prompt))[0] for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("marker", ["throttle", "bad-request", "unauthorized", "cut", "error"])
async def test_a_call_that_fails_gives_its_place_back(marker: str) -> None:
    async with served(Faults(capacity=1)) as (_, caller):
        for _ in range(2):
            try:
                status, _ = await caller.ask(f"Text. [[fault:{marker}]]")
            except aiohttp.ClientError:
                status = 0
            assert status == {"throttle": 429, "bad-request": 400, "unauthorized": 401, "cut": 0, "error": 500}[marker]
        assert (await caller.ask())[0] == 200
        assert (await caller.stats())["refused"]["capacity"] == 0


# Requests a second


def test_a_bucket_holds_a_seconds_worth_and_says_when_the_next_place_is_free() -> None:
    clock = Clock()
    bucket = TokenBucket(4.0, clock)
    assert [bucket.take() for _ in range(4)] == [0.0] * 4
    assert bucket.take() == pytest.approx(0.25)
    clock.now_s += 0.1
    assert bucket.take() == pytest.approx(0.15)
    clock.now_s += 0.15
    assert bucket.take() == 0.0
    assert bucket.take() == pytest.approx(0.25)
    clock.now_s += 3600
    assert [bucket.take() for _ in range(5)] == [0.0] * 4 + [pytest.approx(0.25)]


def test_a_bucket_of_less_than_one_a_second_still_holds_one() -> None:
    clock = Clock()
    bucket = TokenBucket(0.5, clock)
    assert (bucket.take(), bucket.take()) == (0.0, pytest.approx(2.0))
    clock.now_s += 2.0
    assert bucket.take() == 0.0


def test_who_comes_back_when_told_to_finds_a_place() -> None:
    clock = Clock()
    admission = Admission(Faults(requests_per_s=3.0), clock)
    for _ in range(50):
        try:
            with admission.place():
                pass
        except OverLimit as exc:
            clock.now_s += float(exc.headers["retry-after"])
            with admission.place():
                pass


async def test_requests_beyond_the_rate_are_refused_with_the_time_of_the_next_place() -> None:
    async with served(Faults(requests_per_s=2.0)) as (_, caller):
        answers = await asyncio.gather(*(caller.ask() for _ in range(6)))
        refused = [answer for status, answer in answers if status == 429]
        assert 2 <= 6 - len(refused) < 6  # more than 2 where the machine took half a second over it
        assert all(0 < float(answer.headers["retry-after"]) <= 0.5 for answer in refused)
        assert (await caller.stats())["refused"] == {"capacity": 0, "requests_per_s": len(refused)}


async def test_a_call_without_room_takes_nothing_from_the_rate() -> None:
    clock = Clock()
    admission = Admission(Faults(capacity=1, requests_per_s=2.0), clock)
    with admission.place():
        for _ in range(5):
            with pytest.raises(OverLimit) as caught, admission.place():
                pass
            assert caught.value.limit == "capacity"
    with admission.place():
        pass


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"capacity": 0}, "capacity is 0: give a whole number of at least 1"),
        ({"capacity": 1.5}, "capacity is 1.5: give a whole number of at least 1"),
        ({"requests_per_s": 0.0}, "requests_per_s is 0.0: give a number above 0"),
        ({"requests_per_s": float("nan")}, "requests_per_s is nan: give a number above 0"),
    ],
)
def test_impossible_limits_are_refused_by_name(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Faults(**settings)


# What the server tells


async def test_the_command_line_has_both_limits() -> None:
    process, base_url = await start_process("--capacity", "1", "--requests-per-second", "2", "--latency", "0.5")
    try:
        async with caller_of(base_url) as caller:
            together = [status for status, _ in await asyncio.gather(*(caller.ask() for _ in range(4)))]
            assert sorted(together) == [200, 429, 429, 429]
            assert (await caller.stats())["refused"] == {"capacity": 3, "requests_per_s": 0}
    finally:
        process.terminate()
        await process.wait()


async def test_every_call_is_told_with_its_times_and_what_it_met() -> None:
    async with served(Faults(latency_s=0.05, capacity=1)) as (_, caller):
        assert (await caller.ask())[0] == 200
        assert sorted([status for status, _ in await asyncio.gather(caller.ask(), caller.ask())]) == [200, 429]
        calls = await caller.calls()
        assert [call["number"] for call in calls] == [1, 2, 3]
        assert [call["refused_by"] for call in calls] == [None, None, "capacity"]
        assert all(before["arrived_s"] <= after["arrived_s"] for before, after in pairwise(calls))
        served_s = [call["ended_s"] - call["arrived_s"] for call in calls if not call["refused_by"]]
        assert all(0.05 <= seconds < 1.0 for seconds in served_s)
        stats = await caller.stats()
        assert stats["busy_s"] == pytest.approx(sum(served_s), abs=0.001)
        assert sum(stats["arrivals_per_100_ms"].values()) == 3
        assert stats["arrivals_per_100_ms"]["0.0"] >= 1


async def test_a_call_under_way_has_no_end_yet() -> None:
    async with served(Faults()) as (model, caller):
        hanging = asyncio.create_task(caller.ask(HANGING))
        await until(lambda: model.statistics.faults["hang"])
        assert [call["ended_s"] for call in await caller.calls()] == [None]
        hanging.cancel()
        await until(lambda: not model.statistics.active)
        assert [call["ended_s"] is None for call in await caller.calls()] == [False]


async def test_a_reset_may_name_another_seed_and_fills_the_bucket() -> None:
    faults = Faults(error_rate=0.5, requests_per_s=8.0, seed=1)

    async def eight(caller: Caller) -> list[int]:
        return [(await caller.ask())[0] for _ in range(8)]

    async with served(faults) as (model, caller):
        first = await eight(caller)
        assert (await caller.post("/admin/reset?seed=2"))[0] == 200
        second = await eight(caller)
        assert (await caller.post("/admin/reset?seed=1"))[0] == 200
        assert await eight(caller) == first != second
        assert set(first) == set(second) == {200, 500}
        status, problem = await caller.post("/admin/reset?seed=x")
        assert (status, problem["error"]["param"]) == (400, "seed")
        assert model.faults == faults


async def test_limits_can_be_changed_while_the_model_serves() -> None:
    async with served(Faults()) as (model, caller):
        assert (await caller.ask())[0] == 200
        model.faults = Faults(requests_per_s=0.01)
        assert [(await caller.ask())[0] for _ in range(2)] == [200, 429]


# Stragglers


async def test_a_second_call_for_the_same_prompt_has_a_draw_of_its_own() -> None:
    faults = Faults(latency_s=0.02, straggler_rate=0.3, straggler_factor=10, seed=5)
    expected = [faults.draw(number).straggles for number in range(1, 13)]
    assert {True, False} == set(expected)
    async with served(faults) as (_, caller):
        for _ in expected:
            await caller.ask("The same prompt each time.")
        took = [call["ended_s"] - call["arrived_s"] for call in await caller.calls()]
    assert [seconds >= 0.19 for seconds in took] == expected
