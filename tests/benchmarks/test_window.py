"""The figures of the window's benchmark agree with schedules whose idle time is known."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which is a script and finds its neighbours beside itself."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("window")


def scheduled(window: Any, times_s: list[float], change_s: float) -> list[Any]:
    """The calls of a scheduler that takes `change_s` to fill a place again."""
    free_at, spans = [0.0] * window.PLACES, []
    for took_s in times_s:
        place = free_at.index(min(free_at))
        begun_s = free_at[place] + (change_s if free_at[place] else 0.0)
        spans.append(window.Span(begun_s, begun_s + took_s))
        free_at[place] = begun_s + took_s
    return spans


@pytest.mark.parametrize("change_s", [0.0, 0.05])
def test_idle_and_busy_time_are_all_the_time_that_the_places_had(window: Any, change_s: float) -> None:
    generator = random.Random(1)
    spans = scheduled(window, [generator.lognormvariate(-1.7, 0.5) for _ in range(100)], change_s)
    places = window.in_places(spans)
    until_s = max(span.begun_s for span in spans)
    idle_s, gap_s = window.idle(places, until_s)
    busy_s = sum(min(span.ended_s, until_s) - span.begun_s for span in spans)
    assert (len(places), window.changes(places)) == (10, 90)
    assert idle_s + busy_s == pytest.approx(10 * until_s)
    assert gap_s == pytest.approx(change_s)


def test_a_scheduler_that_costs_nothing_takes_the_least_makespan(window: Any) -> None:
    times_s = [random.Random(2).uniform(0.1, 2.0) for _ in range(50)]
    assert max(span.ended_s for span in scheduled(window, times_s, 0.0)) == window.least_makespan_s(times_s)


def test_waves_show_as_idle_places(window: Any) -> None:
    spans = [window.Span(0, 20 if place == 5 else 1) for place in range(10)]
    for wave in range(20, 29):
        spans += [window.Span(wave, wave + 1) for _ in range(10)]
    assert window.idle(window.in_places(spans), 28) == (9 * 19, 19)
