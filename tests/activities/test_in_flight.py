"""Calls that nobody waits for any more are given up."""

from __future__ import annotations

import asyncio

import pytest

from activities.in_flight import CallGivenUpError, CallsInFlight

LIMIT_S = 10.0


class Work:
    """A call to the model that ends when it is told, or is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.end = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self) -> str:
        self.begun.set()
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        return "answer"


async def wanted() -> bool:
    return True


async def test_an_answer_comes_through() -> None:
    work = Work()
    work.end.set()
    assert await CallsInFlight().answer("a", work(), wanted) == "answer"


async def test_a_failure_comes_through() -> None:
    async def fail() -> str:
        raise LookupError("no such model")

    with pytest.raises(LookupError):
        await CallsInFlight().answer("a", fail(), wanted)


async def test_a_call_that_is_given_up_is_cancelled_and_the_others_go_on() -> None:
    calls, first, second = CallsInFlight(), Work(), Work()
    async with asyncio.timeout(LIMIT_S):
        given_up = asyncio.create_task(calls.answer("a", first(), wanted))
        kept = asyncio.create_task(calls.answer("b", second(), wanted))
        await first.begun.wait()
        await second.begun.wait()
        calls.give_up(["a", "unknown"])
        with pytest.raises(CallGivenUpError, match="'a'"):
            await given_up
        second.end.set()
        assert await kept == "answer"
    assert (first.was_cancelled, second.was_cancelled) == (True, False)


async def test_a_call_that_takes_long_asks_whether_it_is_wanted() -> None:
    work, asked = Work(), 0

    async def wanted_twice() -> bool:
        nonlocal asked
        asked += 1
        return asked < 3

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(CallGivenUpError):
            await CallsInFlight(ask_every_s=0.01).answer("a", work(), wanted_twice)
    assert (asked, work.was_cancelled) == (3, True)


async def test_a_quick_call_asks_nobody() -> None:
    async def never() -> bool:
        raise AssertionError("asked")

    async def quick() -> int:
        return 1

    assert await CallsInFlight().answer("a", quick(), never) == 1


async def test_when_the_process_stops_the_call_stops_with_it() -> None:
    calls, work = CallsInFlight(), Work()
    async with asyncio.timeout(LIMIT_S):
        outer = asyncio.create_task(calls.answer("a", work(), wanted))
        await work.begun.wait()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        await asyncio.sleep(0)
    assert work.was_cancelled


async def test_a_call_that_has_ended_can_be_given_up_again_and_again() -> None:
    calls, work = CallsInFlight(), Work()
    work.end.set()
    await calls.answer("a", work(), wanted)
    calls.give_up(["a"])


async def test_a_shard_that_is_given_up_gives_up_all_of_its_calls_and_no_other_shard_s() -> None:
    calls = CallsInFlight()
    names = {name: Work() for name in ("run:~map-00001/3.1~1", "run:~map-00001/3.2~2", "run:~map-00011/1.1~1")}
    async with asyncio.timeout(LIMIT_S):
        tasks = [asyncio.create_task(calls.answer(name, work(), wanted)) for name, work in names.items()]
        for work in names.values():
            await work.begun.wait()
        calls.give_up(["run:~map-00001"])
        for task in tasks[:2]:
            with pytest.raises(CallGivenUpError):
                await task
        assert not tasks[2].done()
        calls.give_up_under("run:~map-")
        with pytest.raises(CallGivenUpError):
            await tasks[2]
