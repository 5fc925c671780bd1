"""What hedging does to the slowest runs: simulated with calls of about a second, of which some straggle or hang."""

from __future__ import annotations

from functools import cache
from random import Random
from statistics import mean
from typing import Any

import pytest

from tests.shared.scheduling.given import schedule
from tests.shared.scheduling.models import Straggling
from tests.shared.scheduling.simulation import Simulation

BRANCHES = 50
SEEDS = range(300)


def run(sigma: float, seed: int, *, hung_share: float = 0.0, **policy: Any) -> Simulation:
    model = Straggling(sigma, Random(seed), hung_share=hung_share)
    return Simulation(schedule(BRANCHES, key=f"run-{seed}", **policy), model).run()


@cache
def plain_runs(sigma: float) -> list[Simulation]:
    return [run(sigma, seed) for seed in SEEDS]


@cache
def hedged_runs(sigma: float) -> list[Simulation]:
    return [run(sigma, seed, hedge="p95") for seed in SEEDS]


def p99_s(runs: list[Simulation]) -> float:
    """The time that all but one run of a hundred are within."""
    return sorted(run.over_s for run in runs)[len(runs) * 99 // 100 - 1]


def extra_calls(runs: list[Simulation]) -> float:
    """Calls beside the necessary ones, as a share of the branches."""
    return mean(len(run.calls) / BRANCHES - 1 for run in runs)


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.3])
def test_hedging_more_than_halves_the_time_of_the_slowest_runs(sigma: float) -> None:
    assert p99_s(hedged_runs(sigma)) <= 0.4 * p99_s(plain_runs(sigma))


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.3])
def test_hedging_costs_few_calls(sigma: float) -> None:
    assert all(run.succeeded == BRANCHES for run in hedged_runs(sigma))
    assert 0.03 <= extra_calls(hedged_runs(sigma)) <= 0.08, "five of a hundred calls straggle"


def test_a_host_that_first_calls_crowd_does_not_make_hedges_late() -> None:
    """The last of fifty calls of 0.3 s waits for 0.6 s: learned from what the run sees alone, the share is 0.55."""

    def crowded(seed: int, **policy: Any) -> Simulation:
        model = Straggling(0.1, Random(seed), ordinary_s=0.3, host_s=0.012)
        return Simulation(schedule(BRANCHES, key=f"run-{seed}", **policy), model).run()

    plain, hedged = [crowded(seed) for seed in SEEDS], [crowded(seed, hedge="p95") for seed in SEEDS]

    assert p99_s(hedged) <= 0.45 * p99_s(plain)
    assert extra_calls(hedged) <= 0.08


def test_calls_that_hang_cost_hedged_runs_no_branch() -> None:
    policy = {"hung_share": 0.02, "branch_timeout_s": 30.0}
    plain = [run(0.2, seed, **policy) for seed in SEEDS]
    hedged = [run(0.2, seed, hedge="p95", **policy) for seed in SEEDS]

    assert mean(run.succeeded == BRANCHES for run in plain) <= 0.5
    assert mean(run.succeeded == BRANCHES for run in hedged) >= 0.99
    assert extra_calls(hedged) <= 0.1


def test_a_stated_time_hedges_as_well_as_it_was_chosen() -> None:
    hedged = [run(0.2, seed, hedge_after_s=2.0) for seed in SEEDS]

    assert p99_s(hedged) <= 0.4 * p99_s(plain_runs(0.2))
    assert extra_calls(hedged) <= 0.08
