"""What holds for every run: random branches, latencies, failures, throttles, lost calls and policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.branch import Usage
from shared.contracts.policy import RunPolicy
from shared.scheduling.accounts import outcome_of
from shared.scheduling.hedging import MAX_HEDGES_PER_BRANCH
from shared.scheduling.record import Call, Record, Report
from shared.scheduling.schedule import Schedule
from tests.shared.scheduling.given import at, failed, schedule, succeeded, throttled
from tests.shared.scheduling.models import FOREVER_S
from tests.shared.scheduling.simulation import Answer, Simulation

SOME_COST = Usage(model_calls=1, input_tokens=40, output_tokens=0, total_tokens=40)

LATENCIES_S = st.sampled_from([0.0, 0.05, 0.5, 1.0, 3.0, 20.0])
QUIET_REPORTS = st.sampled_from(
    [
        succeeded(),
        succeeded(tokens=400, output_tokens=300),
        failed(),
        failed(retry_after_s=4.0, usage=SOME_COST),
        failed("call_timed_out"),
        failed("content_filtered", retriable=False, usage=SOME_COST),
        None,
    ]
)
THROTTLES = st.sampled_from([throttled(), throttled(None), throttled(0.0), throttled(100.0)])
HANGS = st.just(Answer(FOREVER_S, succeeded()))
QUIET_ANSWERS = st.builds(Answer, LATENCIES_S, QUIET_REPORTS) | HANGS
ANSWERS = QUIET_ANSWERS | st.builds(Answer, st.sampled_from([0.0, 0.05, 1.0]), THROTTLES)

HEDGING = st.sampled_from([{}, {"hedge_after_s": 0.7}, {"hedge_after_s": 2.0}, {"hedge": "p95"}])
POLICIES = st.builds(
    lambda hedging, **fields: RunPolicy(**hedging, **fields).effective(),
    hedging=HEDGING,
    max_concurrency=st.integers(1, 6),
    attempts=st.integers(1, 4),
    branch_timeout_s=st.sampled_from([0.5, 2.0, 10.0, 60.0]),
    deadline_s=st.sampled_from([1.0, 8.0, 60.0]),
    min_successful=st.none() | st.integers(1, 12),
    tolerated_failure_count=st.none() | st.integers(0, 12),
    tolerated_failure_percentage=st.none() | st.sampled_from([0.0, 30.0, 100.0]),
    stop_early=st.booleans(),
    max_hedge_percentage=st.sampled_from([1.0, 20.0, 100.0]),
    max_total_tokens=st.none() | st.sampled_from([1, 300, 1_500, 5_000]),
)
COUNTS = st.integers(1, 12)


@dataclass(slots=True)
class Scripted:
    """Gives one answer after the other, again and again."""

    answers: Iterator[Answer]

    def answer(self, call: Call, now_s: float) -> Answer:
        return next(self.answers)

    def released(self, call: Call) -> None:
        pass


@dataclass(slots=True)
class Observed:
    """A run under observation."""

    policy: RunPolicy
    started: set[Call] = field(default_factory=set[Call])
    decided: dict[str, tuple[Report | None, str | None]] = field(
        default_factory=dict[str, tuple[Report | None, str | None]]
    )

    def check(self, run: Simulation) -> None:
        """What holds at every moment."""
        assert len(run.in_flight) <= self.policy.max_concurrency
        self._check_starts(run)
        self._check_decisions(run)
        if not run.is_over:
            self._check_that_no_place_is_idle(run)

    def _check_starts(self, run: Simulation) -> None:
        for call in run.calls:
            if call not in self.started:
                self.started.add(call)
                assert not self._is_spent(run), "a call started although the budget was spent"
                assert call.started_at < call.deadline <= at(self.policy.deadline_s)
                self._check_waits(call)

    def _check_waits(self, call: Call) -> None:
        """A retry comes no earlier than the wait that its branch was asked for."""
        if call.is_hedge or call.number == 1:
            return
        assert call.record.not_before is not None
        assert call.started_at >= call.record.not_before

    def _check_decisions(self, run: Simulation) -> None:
        for name, record in run.schedule.records.items():
            if record.decided:
                found = (record.last, record.lost)
                assert self.decided.setdefault(name, found) == found, "a branch was decided twice"
            else:
                assert name not in self.decided

    def _check_that_no_place_is_idle(self, run: Simulation) -> None:
        window = run.schedule._window  # type: ignore[reportPrivateUsage]
        if len(run.in_flight) >= window.size or self.policy.max_total_tokens is not None:
            return
        if window.is_closed(run.now):
            assert run.alarm_s is not None
            return
        for record in waiting(run.schedule):
            assert record.not_before is not None, "a place is idle while a branch has not begun"
            assert record.not_before > run.now or run.late_s, "a place is idle while a retry is due"
            assert run.alarm_s is not None, "nothing will wake the run for a retry"
            assert at(run.alarm_s) <= record.not_before

    def _is_spent(self, run: Simulation) -> bool:
        limit = self.policy.max_total_tokens
        return limit is not None and tokens_of(run.schedule) >= limit


def waiting(given_schedule: Schedule) -> list[Record]:
    """Branches that are neither decided nor called at the moment."""
    return [record for record in given_schedule.records.values() if not record.decided and not record.in_flight]


def tokens_of(given_schedule: Schedule) -> int:
    """What the calls that have ended cost together."""
    reports = [report for record in given_schedule.records.values() for report in record.reports]
    return sum(report["usage"]["total_tokens"] for report in reports)


def simulated(
    count: int, policy: RunPolicy, answers: list[Answer], late_s: float, observe: Callable[[Simulation], None]
) -> Simulation:
    """A run to its end."""
    fields = policy.model_dump(exclude={"deadline_s"})
    given_schedule = schedule(count, deadline_s=policy.deadline_s, **fields)
    model = Scripted(cycle(answers))
    return Simulation(given_schedule, model, deadline_s=policy.deadline_s, late_s=late_s, observe=observe).run()


def observed(count: int, policy: RunPolicy, answers: list[Answer], late_s: float) -> Simulation:
    """A run that was checked at every step."""
    watch = Observed(policy)
    return simulated(count, policy, answers, late_s, watch.check)


RUNS: dict[str, st.SearchStrategy[Any]] = {
    "count": COUNTS,
    "policy": POLICIES,
    "answers": st.lists(ANSWERS, min_size=1, max_size=30),
    "late_s": st.sampled_from([0.0, 0.0, 0.3]),
}


@settings(max_examples=400)
@given(**RUNS)
def test_a_run_keeps_its_limits_at_every_moment_and_ends(
    count: int, policy: RunPolicy, answers: list[Answer], late_s: float
) -> None:
    run = observed(count, policy, answers, late_s)

    assert run.over_s <= policy.deadline_s


@settings(max_examples=200)
@given(**RUNS)
def test_attempts_and_hedges_are_bounded(count: int, policy: RunPolicy, answers: list[Answer], late_s: float) -> None:
    run = observed(count, policy, answers, late_s)
    records = run.schedule.records.values()

    assert all(record.attempts <= policy.attempts for record in records)
    assert all(record.hedges <= MAX_HEDGES_PER_BRANCH for record in records)
    allowed = ceil(count * policy.max_hedge_percentage / 100) if policy.hedges else 0
    assert sum(record.hedges for record in records) <= allowed


@settings(max_examples=200)
@given(**RUNS)
def test_every_branch_has_an_outcome_and_every_call_is_counted_once(
    count: int, policy: RunPolicy, answers: list[Answer], late_s: float
) -> None:
    run = observed(count, policy, answers, late_s)
    outcomes = [
        outcome_of(record, run_deadline=at(policy.deadline_s), cut_by="cancelled", now=run.now)
        for record in run.schedule.records.values()
    ]

    assert [outcome.name for outcome in outcomes] == list(run.schedule.records)
    assert sum(outcome.succeeded for outcome in outcomes) == run.succeeded
    assert all((outcome.error is None) == outcome.succeeded for outcome in outcomes)
    assert sum(outcome.attempts + outcome.hedges for outcome in outcomes) == len(run.calls)
    assert sum(outcome.usage.total_tokens for outcome in outcomes) == tokens_of(run.schedule)
    assert sum(outcome.usage.model_calls for outcome in outcomes) == len(run.calls)


@settings(max_examples=200)
@given(**RUNS)
def test_a_run_ends_for_a_reason(count: int, policy: RunPolicy, answers: list[Answer], late_s: float) -> None:
    ended: list[str] = []

    def note(run: Simulation) -> None:
        if run.schedule.finished:
            undecided = [record for record in run.schedule.records.values() if not record.decided]
            ended.append("withheld" if undecided else "finished")
            assert bool(undecided) == run.schedule.withheld
        elif run.is_over:
            ended.append(run.schedule.certain or "deadline")

    simulated(count, policy, answers, late_s, note)

    assert len(ended) == 1


@settings(max_examples=200)
@given(count=COUNTS, policy=POLICIES, answers=st.lists(QUIET_ANSWERS, min_size=1, max_size=30))
def test_without_throttles_and_a_budget_every_place_is_taken_while_a_branch_waits(
    count: int, policy: RunPolicy, answers: list[Answer]
) -> None:
    free = policy.model_copy(update={"max_total_tokens": None})

    def check(run: Simulation) -> None:
        if any(not record.calls for record in run.schedule.records.values()) and not run.is_over:
            assert len(run.in_flight) == free.max_concurrency

    simulated(count, free, answers, 0.0, check)


@settings(max_examples=100)
@given(**RUNS)
def test_the_same_events_lead_to_the_same_calls(
    count: int, policy: RunPolicy, answers: list[Answer], late_s: float
) -> None:
    first, second = (observed(count, policy, answers, late_s) for _ in range(2))

    def decisions(run: Simulation) -> list[tuple[Any, ...]]:
        return [
            (call.record.branch.name, call.number, call.is_hedge, call.started_at, call.deadline) for call in run.calls
        ]

    assert decisions(first) == decisions(second)
    assert (first.over_s, first.succeeded) == (second.over_s, second.succeeded)
