from __future__ import annotations

import asyncio

import pytest

from shared.concurrency import at_once


async def test_what_is_made_of_items_is_in_their_order() -> None:
    async def slower_first(number: int) -> int:
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return number

    assert await at_once(slower_first, range(10), 3) == list(range(10))


@pytest.mark.parametrize("most", [1, 3, 32])
async def test_no_more_than_so_many_are_worked_on_at_a_time(most: int) -> None:
    under_way: set[int] = set()
    highest = 0

    async def work(number: int) -> None:
        nonlocal highest
        under_way.add(number)
        highest = max(highest, len(under_way))
        await asyncio.sleep(0)
        under_way.discard(number)

    await at_once(work, range(40), most)

    assert highest == most


async def test_an_error_ends_the_others() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise LookupError("one")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    with pytest.raises(LookupError):
        async with asyncio.timeout(10):
            await at_once(work, range(10), 2)
    await asyncio.sleep(0)

    assert len(begun) < 10
    assert sorted([1, *ended]) == begun
