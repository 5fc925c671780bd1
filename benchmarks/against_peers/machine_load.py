"""How busy the machine is, because a busy one makes times that say nothing about the libraries."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

STATISTICS = Path("/proc/stat")
IDLE_FIELDS = (4, 5)
"""Idle, and waiting for disks, in the line of all processors."""
SECONDS_A_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds of all processors together since the machine started."""

    total_s: float
    idle_s: float

    @classmethod
    def now(cls) -> Self | None:
        """The time until now; None where the system does not tell it so."""
        if not STATISTICS.exists():
            return None
        fields = STATISTICS.read_text().splitlines()[0].split()
        ticks = [int(field) for field in fields[1:9]]  # what follows is contained in these
        return cls(sum(ticks) * SECONDS_A_TICK, sum(int(fields[each]) for each in IDLE_FIELDS) * SECONDS_A_TICK)


def busy_share(before: ProcessorTime | None) -> float | None:
    """How much of the processors' time was used since `before`, by anybody, from 0 to 1; None when it is not told."""
    now = ProcessorTime.now()
    if before is None or now is None:
        return None
    return 1 - (now.idle_s - before.idle_s) / max(now.total_s - before.total_s, SECONDS_A_TICK)
