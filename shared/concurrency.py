"""Work on many things at a time, but not on all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

AT_ONCE = 32
"""Operations on storage at a time, of one activity."""


async def at_once[T, R](function: Callable[[T], Awaitable[R]], items: Iterable[T], most: int = AT_ONCE) -> list[R]:
    """What `function` makes of each of the `items`, in their order; the first error ends the others."""
    places = asyncio.Semaphore(most)

    async def made(item: T) -> R:
        async with places:
            return await function(item)

    tasks = [asyncio.ensure_future(made(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
