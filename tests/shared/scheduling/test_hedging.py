from __future__ import annotations

from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.policy import RunPolicy
from shared.scheduling.hedging import LEAST_WAIT_S, MARGIN, Hedging


def hedging(branches: int = 20, **policy: Any) -> Hedging:
    made = Hedging(RunPolicy(**policy))
    made.add(branches)
    return made


def learning(started: int, durations_s: list[float], branches: int = 20) -> Hedging:
    """A hedging that has seen so many calls start, and these succeed."""
    learned = hedging(branches, hedge="p95")
    for _ in range(started):
        learned.started()
    for duration_s in durations_s:
        learned.succeeded(duration_s)
    return learned


def test_a_run_without_hedging_hedges_nothing() -> None:
    plain = hedging()
    plain.started()
    plain.succeeded(1.0)

    assert plain.after_s is None


def test_a_stated_time_holds_from_the_first_call_on() -> None:
    assert hedging(hedge_after_s=2.5).after_s == 2.5


@pytest.mark.parametrize(
    ("branches", "percentage", "allowed"),
    [(1, 20, 1), (5, 20, 1), (6, 20, 2), (50, 8, 4), (1_000, 0.1, 1), (3, 100, 3), (10, 33.3, 4)],
)
def test_extra_calls_are_a_share_of_the_branches_rounded_up(branches: int, percentage: float, allowed: int) -> None:
    bounded = hedging(branches, hedge_after_s=1, max_hedge_percentage=percentage)
    for _ in range(allowed):
        assert bounded.after_s == 1
        bounded.spend()

    assert bounded.after_s is None


# --- Learning ---


def test_nothing_is_learned_from_fewer_than_three_calls() -> None:
    assert learning(2, [1.0, 1.0]).after_s is None
    assert learning(3, [1.0, 1.0, 1.0]).after_s == MARGIN


def test_a_hedge_is_hedged_without_the_margin() -> None:
    durations_s = [float(second) for second in range(1, 21)]
    learned = learning(20, durations_s)

    assert learned.again_after_s == pytest.approx(19.0)
    assert learning(4, [0.001] * 4).again_after_s == LEAST_WAIT_S
    assert learning(2, [1.0]).again_after_s is None


def learning_of_both(calls: list[tuple[float, float]], *, hedges_sooner: bool = True) -> Hedging:
    """A hedging that has seen calls: how long the run waited for each, and how long the worker was at it."""
    learned = Hedging(RunPolicy(hedge="p95"), hedges_sooner=hedges_sooner)
    learned.add(len(calls))
    for seen_s, worked_s in calls:
        learned.started()
        learned.succeeded(seen_s, worked_s)
    return learned


def test_the_margin_is_one_of_the_calls_and_not_of_the_host_around_them() -> None:
    crowded = learning_of_both([(3.0, 1.0)] * 20)

    assert crowded.after_s == pytest.approx(3.0 + (MARGIN - 1) * 1.0)


def test_a_hedge_waits_for_no_crowd_that_first_calls_have_started_in() -> None:
    calls = [(1.0 + number / 10, 1.0) for number in range(1, 21)]
    crowded = learning_of_both(calls)

    assert crowded.after_s == pytest.approx(2.9 + (MARGIN - 1))
    assert crowded.again_after_s == pytest.approx(1.0 + 0.5), "as the fifth of twenty was under way"


def test_slow_calls_in_the_worker_are_slow_for_hedges_too() -> None:
    calls = [(number + 0.5, float(number)) for number in range(1, 21)]

    assert learning_of_both(calls).again_after_s == pytest.approx(19.5)


def test_a_worker_s_clock_that_is_wrong_takes_no_time_off_a_call() -> None:
    wrong = learning_of_both([(1.0, 60.0)] * 20)

    assert wrong.after_s == pytest.approx(MARGIN)
    assert wrong.again_after_s == pytest.approx(1.0)


def test_runs_from_before_2_hedge_hedges_as_late_as_first_calls() -> None:
    before = learning_of_both([(2.0, 1.0)] * 4, hedges_sooner=False)

    assert before.after_s == before.again_after_s == 2.5


def test_a_stated_time_is_that_of_hedges_too() -> None:
    stated = hedging(5, hedge_after_s=1)
    assert stated.again_after_s == 1

    stated.spend()
    assert stated.again_after_s is None


def test_nothing_is_learned_before_three_quarters_have_succeeded() -> None:
    assert learning(20, [1.0] * 14).after_s is None
    assert learning(20, [1.0] * 15).after_s == MARGIN


def test_the_wait_is_the_margin_times_the_95th_percentile() -> None:
    durations_s = [float(second) for second in range(1, 21)]

    assert learning(20, durations_s).after_s == pytest.approx(MARGIN * 19.0)


def test_the_order_in_which_calls_succeed_does_not_matter() -> None:
    durations_s = [3.0, 1.0, 2.0, 5.0, 4.0]

    assert learning(5, durations_s).after_s == learning(5, sorted(durations_s)).after_s


def test_one_slow_call_of_twenty_does_not_raise_the_wait() -> None:
    assert learning(20, [1.0] * 19 + [60.0]).after_s == MARGIN


def test_the_quickest_calls_are_no_reason_for_a_second_one_at_once() -> None:
    assert learning(4, [0.001] * 4).after_s == LEAST_WAIT_S


def test_calls_that_have_failed_are_not_waited_for() -> None:
    learned = learning(20, [1.0] * 12)
    assert learned.after_s is None
    for _ in range(4):
        learned.failed(is_hedge=False)

    assert learned.after_s == MARGIN


def test_the_failure_of_a_hedge_is_no_failure_of_the_call_beside_it() -> None:
    learned = learning(20, [1.0] * 12)
    for _ in range(20):
        learned.failed(is_hedge=True)

    assert learned.after_s is None


@given(st.lists(st.floats(0.001, 1_000), min_size=3, max_size=60))
def test_at_least_95_of_100_calls_are_not_slower_than_the_percentile(durations_s: list[float]) -> None:
    after_s = learning(len(durations_s), durations_s).after_s

    assert after_s is not None
    slower = sum(duration_s * MARGIN > after_s + 1e-9 for duration_s in durations_s)
    assert slower <= len(durations_s) - ceil(0.95 * len(durations_s))
