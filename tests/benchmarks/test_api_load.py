"""The figures of the load benchmark."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def api_load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which is a script and finds its neighbours beside itself."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("api_load")


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("load_clients").Record()


def test_p99_is_the_time_that_99_of_100_requests_kept(api_load: Any) -> None:
    assert api_load.percentile(list(range(1, 101)), 99) == 99
    assert api_load.percentile(list(range(1, 201)), 99) == 198
    assert api_load.percentile([3, 1, 2], 50) == 2
    assert api_load.percentile([7], 50) == 7


def test_growth_compares_the_last_quarter_with_the_second(api_load: Any) -> None:
    assert api_load.growth([1] * 10 + [100] * 10 + [500] * 10 + [110] * 10) == pytest.approx(1.1)
    assert api_load.growth([100] * 60) == 1.0
    with pytest.raises(SystemExit, match="--seconds"):
        api_load.growth([1, 2, 3])


def test_starts_with_and_without_a_key_are_starts(api_load: Any, record: Any) -> None:
    record.seconds["start"] += [0.1] * 6
    record.seconds["start with a key"] += [0.1] * 2
    record.seconds["status"] += [0.2] * 12
    record.ended.update({"succeeded": 5, "cancelled": 1})
    rates = {name: (a_second, in_all) for name, a_second, in_all in api_load.rates(record, 4.0)}
    assert rates == {
        "starts, re-sends among them": ("2.0", "8"),
        "runs completed": ("1.5", "6"),
        "requests": ("5.0", "20"),
    }


def test_defects_are_counted_by_their_kind_with_a_few_examples(monkeypatch: pytest.MonkeyPatch, record: Any) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    unexpected = importlib.import_module("load_clients").Unexpected
    for number in range(5):
        record.defect(unexpected(f"status answered 500: GET /runs/{number}"))
    record.defect(TimeoutError())
    assert record.defects == {"status answered 500": 5, "TimeoutError": 1}
    assert len(record.examples["status answered 500"]) == 3
    assert record.examples["TimeoutError"] == ["TimeoutError()"]


@pytest.mark.parametrize(("growth", "code"), [(1.04, 0), (1.2, 1)])
def test_growth_above_the_limit_fails(api_load: Any, capsys: Any, growth: float, code: int) -> None:
    memory = [100] * 20 + [int(100 * growth)] * 20
    processes = {"host": api_load.Process(1, memory), "clients": api_load.Process(2, [1] * 20 + [9] * 20)}
    assert api_load.grown(processes, 1.1) == code
    assert ("host" in capsys.readouterr().err) == bool(code)
