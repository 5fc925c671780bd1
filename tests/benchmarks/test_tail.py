"""The figures of the tail's benchmark."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def tail(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which is a script and finds its neighbours beside itself."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("tail")


def samples(tail: Any, times_s: list[int], calls: int) -> list[Any]:
    spans = [
        {"started_at": "2026-01-01T00:00:00Z", "ended_at": f"2026-01-01T00:{s // 60:02}:{s % 60:02}Z"} for s in times_s
    ]
    return [tail.Sample(tail.Measured(0.0, span), calls) for span in spans]


def test_p99_is_the_time_that_99_of_100_runs_kept(tail: Any) -> None:
    assert tail.p99_s(samples(tail, list(range(1, 101)), 50)) == 99
    assert tail.p99_s(samples(tail, list(range(1, 201)), 50)) == 198
    assert tail.p99_s(samples(tail, [3, 1, 2], 50)) == 3
    assert tail.p50_s(samples(tail, [3, 1, 2], 50)) == 2


def test_extra_calls_are_a_share_of_the_plain_ones(tail: Any) -> None:
    assert tail.extra_percent(samples(tail, [1, 1], 50), samples(tail, [1, 1], 53)) == pytest.approx(6.0)
