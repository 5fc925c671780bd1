"""Storms on a virtual clock, of a service that cannot serve what comes at once: how a run fares, and a naive one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, override

import pytest

from shared.scheduling import schedule as schedule_module
from shared.scheduling.window import AdaptiveWindow
from tests.shared.scheduling.given import schedule
from tests.shared.scheduling.models import Crowded, Fickle, Metered
from tests.shared.scheduling.simulation import Model, Simulation

SLOT_S = 0.1
"""Calls that start within so long of each other come together."""
FIRST_WAVE_S = 0.001


class Indifferent(AdaptiveWindow):
    """A window that stays as wide as it may be."""

    @override
    def throttled(self, number: int, in_flight: int, now: datetime, wait_s: float) -> None:
        self.ended()


def to_the_second(attempt: int, retry_after_s: float | None, key: str) -> float:
    """The wait of a client that takes `Retry-After` at its word."""
    return retry_after_s if retry_after_s is not None else 2.0 ** (attempt - 1)


Runner = Callable[..., Simulation]


def run(model: Model, *, branches: int, window: int, key: str = "run", **policy: Any) -> Simulation:
    return Simulation(schedule(branches, max_concurrency=window, key=key, **policy), model).run()


@pytest.fixture
def run_naively(monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Like `run`, without an adaptive window and without jitter."""

    def naively(model: Model, **given: Any) -> Simulation:
        with monkeypatch.context() as patched:
            patched.setattr(schedule_module, "AdaptiveWindow", Indifferent)
            patched.setattr(schedule_module, "retry_delay_s", to_the_second)
            return run(model, **given)

    return naively


@pytest.mark.parametrize("attempts", [3, 5])
@pytest.mark.parametrize("service_s", [0.2, 2.0])
def test_a_hundred_branches_at_once_get_through_a_service_for_ten(
    run_naively: Runner, service_s: float, attempts: int
) -> None:
    storm = run(Crowded(10, service_s), branches=100, window=100, attempts=attempts)
    naive = run_naively(Crowded(10, service_s), branches=100, window=100, attempts=attempts)

    assert storm.succeeded >= 99
    assert naive.succeeded <= storm.succeeded / 2
    assert len(storm.calls) <= 2.1 * 100, "the first wave, and each branch that it threw back little more than once"
    assert len(storm.calls) < len(naive.calls)


@pytest.mark.parametrize("service_s", [0.2, 2.0])
def test_branches_that_were_thrown_back_together_come_back_spread(run_naively: Runner, service_s: float) -> None:
    storm = run(Crowded(10, service_s), branches=100, window=100)
    naive = run_naively(Crowded(10, service_s), branches=100, window=100)

    together = storm.most_starts_within(SLOT_S, after_s=FIRST_WAVE_S)
    assert naive.most_starts_within(SLOT_S, after_s=FIRST_WAVE_S) == 90, "all that were thrown back"
    assert together <= 90 / 5


def test_a_storm_leaves_no_capacity_unused_for_long() -> None:
    least_s = 100 / 10 * 2.0

    assert run(Crowded(10, 2.0), branches=100, window=100).over_s <= 1.2 * least_s


@pytest.mark.parametrize(("branches", "window", "places"), [(1_000, 100, 10), (1_000, 1_000, 10), (200, 100, 50)])
def test_a_storm_of_any_size_is_weathered(branches: int, window: int, places: int) -> None:
    storm = run(Crowded(places, 0.2), branches=branches, window=window)

    assert storm.succeeded >= 0.99 * branches
    assert storm.over_s <= 1.3 * branches / places * 0.2 + 2.0, "the capacity's own time, and one Retry-After"


def test_an_outage_costs_a_few_calls_and_no_branch(run_naively: Runner) -> None:
    storm = run(Crowded(10, 2.0, outage_s=10.0), branches=100, window=100)
    naive = run_naively(Crowded(10, 2.0, outage_s=10.0), branches=100, window=100)

    assert storm.succeeded == 100
    assert naive.succeeded == 0
    assert len(storm.calls) <= 230, "the first wave, one call for each second, and the answers"


def test_an_outage_without_retry_after_is_waited_out_too() -> None:
    storm = run(Crowded(10, 2.0, retry_after_s=None, outage_s=10.0), branches=100, window=100)

    assert storm.succeeded == 100


def test_after_an_outage_a_service_with_places_for_all_is_soon_used_again() -> None:
    assert run(Crowded(1_000, 2.0, outage_s=10.0), branches=100, window=100).over_s <= 10 + 8 * 2.0


@pytest.mark.parametrize(("branches", "window", "quota", "span_s"), [(100, 20, 20, 10.0), (1_000, 50, 300, 60.0)])
def test_a_quota_of_calls_per_minute_is_used_up_and_waited_for(
    run_naively: Runner, branches: int, window: int, quota: int, span_s: float
) -> None:
    metered = run(Metered(quota, span_s, 0.2), branches=branches, window=window, branch_timeout_s=600)
    naive = run_naively(Metered(quota, span_s, 0.2), branches=branches, window=window, branch_timeout_s=600)
    least_s = (branches // quota - (branches % quota == 0)) * span_s

    assert metered.succeeded >= 0.99 * branches
    assert metered.over_s <= 1.1 * least_s
    assert len(metered.calls) - branches < len(naive.calls) - naive.succeeded, "fewer calls in vain"


@pytest.mark.parametrize(("share", "window", "ratio"), [(0.01, 50, 1.1), (0.05, 50, 1.15), (0.05, 10, 1.15)])
def test_stray_throttles_do_not_cripple_a_long_run(share: float, window: int, ratio: float) -> None:
    ratios: list[float] = []
    for seed in range(3):
        undisturbed = run(Fickle(0.0, 1.0, Random(seed)), branches=1_000, window=window)
        disturbed = run(Fickle(share, 1.0, Random(seed)), branches=1_000, window=window, key=f"run-{seed}")
        assert disturbed.succeeded >= 998
        ratios.append(disturbed.over_s / undisturbed.over_s)

    assert sum(ratios) / len(ratios) <= ratio
