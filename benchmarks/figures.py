"""What the benchmarks share: medians, tables, and fresh processes to time."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))  # a script finds its own folder, and needs the app's


@dataclass(frozen=True, slots=True)
class Figures:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest one."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The largest one."""
        return max(self.values)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [headings, ["-" * width for width in widths], *rows]
    )


def verdict(name: str, ratio: float, limit: float | None) -> int:
    """The exit code: 1, and a line on stderr, when `ratio` misses `limit`."""
    if limit is None or ratio <= limit:
        return 0
    print(f"{name} is {ratio:.3f}, above the limit of {limit:g}.", file=sys.stderr)
    return 1
