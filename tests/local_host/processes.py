"""What the tests know of other processes: whether one has ended, as an event and not as a guess."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_S = 15.0


def watch(pid: int) -> int:
    """Return a file descriptor that becomes readable when the process ends; close it."""
    return os.pidfd_open(pid)


def has_ended(watched: int, limit_s: float = LIMIT_S) -> bool:
    """Wait for the end of a watched process, whether its parent has taken notice or not."""
    try:
        return bool(select.select([watched], [], [], limit_s)[0])
    finally:
        os.close(watched)


async def until(condition: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Return the first true value of the condition."""
    async with asyncio.timeout(limit_s):
        while not (seen := condition()):  # noqa: ASYNC110 - nothing of it can be awaited
            await asyncio.sleep(0.01)
        return seen


def times_begun(path: Path) -> int:
    """How often a function of the app `mortal` has begun with this path."""
    began = Path(f"{path}.began")
    return len(began.read_text()) if began.exists() else 0
