"""Statistics: what the offline model was asked, what it answered and which faults it injected."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Statistics:
    """Counts that tests and benchmarks read; `reset` starts them again, the call number too."""

    def __init__(self) -> None:
        self.active = 0
        self.reset()

    def reset(self) -> None:
        """Back to zero. Calls that are under way stay counted as active."""
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.highest_concurrency = self.active
        self.answers: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()

    def begin(self) -> int:
        """Counts one more model call under way and gives its number, from 1."""
        self.calls += 1
        self.active += 1
        self.highest_concurrency = max(self.highest_concurrency, self.active)
        return self.calls

    def end(self) -> None:
        """One model call is over, however it went."""
        self.active -= 1

    def as_json(self) -> dict[str, Any]:
        """The body of `GET /admin/stats`."""
        by_route: dict[str, dict[str, int]] = {}
        for (route, status), count in sorted(self.answers.items()):
            by_route.setdefault(route, {})[status] = count
        return {
            "calls": self.calls,
            "active": self.active,
            "highest_concurrency": self.highest_concurrency,
            "by_route": by_route,
            "faults": dict(sorted(self.faults.items())),
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "total": self.input_tokens + self.output_tokens,
            },
        }
