"""What holds for every run: random branches, latencies, failures, throttles, lost calls and policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from math import ceil
from random import Random
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

LATENCIES_S = (0.0, 0.05, 0.5, 1.0, 1.0, 3.0, 20.0)
REPORTS: Sequence[Report | None] = (
    succeeded(),
    succeeded(tokens=400, output_tokens=300),
    succeeded(tokens=60, output_tokens=20),
    failed(),
    failed(),
    failed(usage=SOME_COST),
    failed(retry_after_s=4.0, usage=SOME_COST),
    failed("call_timed_out"),
    failed("content_filtered", retriable=False, usage=SOME_COST),
    None,
)
THROTTLES = (throttled(), throttled(None), throttled(0.0), throttled(4.0), throttled(100.0))
CHOICES: dict[str, Sequence[Any]] = {
    "max_concurrency": (1, 2, 3, 5, 8),
    "attempts": (1, 2, 3, 6),
    "branch_timeout_s": (0.5, 10.0, 60.0, 60.0),
    "deadline_s": (1.0, 60.0, 300.0, 300.0),
    "min_successful": (None, None, None, None, 1, 4),
    "tolerated_failure_count": (None, None, None, None, 0, 3),
    "tolerated_failure_percentage": (None, None, None, None, 30.0, 100.0),
    "stop_early": (False, True),
    "hedge_after_s": (None, 0.7, 2.0),
    "hedge": (None, None, "p95"),
    "max_hedge_percentage": (1.0, 20.0, 100.0),
    "max_total_tokens": (None, None, None, 1, 1_500, 5_000),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run and its model: the calls get these answers, one after the other, again and again."""

    branches: int
    policy: RunPolicy
    answers: Sequence[Answer]
    late_s: float

    @classmethod
    def of(cls, seed: int) -> Scenario:
        """Any one, well spread over what may be."""
        random = Random(seed)
        policy = RunPolicy(**{name: random.choice(values) for name, values in CHOICES.items()})
        shares = [random.random() for _ in range(3)]  # of throttles, of hangs, of successes among the others
        answers = [_answer(random, shares[0] / 2, shares[1] / 5, shares[2]) for _ in range(60)]
        return cls(random.choice((1, 3, 8, 20)), policy.effective(), answers, random.choice((0.0, 0.0, 0.3)))

    def with_policy(self, **fields: Any) -> Scenario:
        """The same with another policy."""
        return replace(self, policy=self.policy.model_copy(update=fields))

    def without_throttles(self) -> Scenario:
        """The same with a model that never throttles."""
        others = [answer for answer in self.answers if answer.report not in THROTTLES]
        return replace(self, answers=others or [Answer(1.0, succeeded())])

    def run(self, observe: Callable[[Simulation], None] = lambda _: None) -> Simulation:
        """It, to its end."""
        fields = self.policy.model_dump(exclude={"deadline_s"})
        given_schedule = schedule(self.branches, deadline_s=self.policy.deadline_s, **fields)
        model = InTurn(cycle(self.answers))
        return Simulation(given_schedule, model, self.policy.deadline_s, self.late_s, observe).run()


def _answer(random: Random, throttled_share: float, hung_share: float, succeeded_share: float) -> Answer:
    fate = random.random()
    if fate < throttled_share:
        return Answer(random.choice((0.0, 0.05, 1.0)), random.choice(THROTTLES))
    if fate < throttled_share + hung_share:
        return Answer(FOREVER_S, succeeded())
    reports = REPORTS[:3] if random.random() < succeeded_share else REPORTS
    return Answer(random.choice(LATENCIES_S), random.choice(reports))


SCENARIOS = st.integers(0, 2**64).map(Scenario.of)


@dataclass(slots=True)
class InTurn:
    """Gives one answer after the other."""

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
        if len(run.in_flight) >= window.places(run.now) or self.policy.max_total_tokens is not None:
            return
        if window.opens_at(run.now, len(run.in_flight)) != run.now:
            assert run.alarm_s is not None, "nothing will wake the run when the window opens"
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


@settings(max_examples=400)
@given(SCENARIOS)
def test_a_run_keeps_its_limits_at_every_moment_and_ends(scenario: Scenario) -> None:
    run = scenario.run(Observed(scenario.policy).check)

    assert run.over_s <= scenario.policy.deadline_s


@settings(max_examples=200)
@given(SCENARIOS)
def test_attempts_and_hedges_are_bounded(scenario: Scenario) -> None:
    policy, records = scenario.policy, scenario.run().schedule.records.values()

    assert all(record.attempts <= policy.attempts for record in records)
    assert all(record.hedges <= MAX_HEDGES_PER_BRANCH for record in records)
    allowed = ceil(scenario.branches * policy.max_hedge_percentage / 100) if policy.hedges else 0
    assert sum(record.hedges for record in records) <= allowed


@settings(max_examples=200)
@given(SCENARIOS)
def test_every_branch_has_an_outcome_and_every_call_is_counted_once(scenario: Scenario) -> None:
    run = scenario.run()
    outcomes = [
        outcome_of(record, run_deadline=at(scenario.policy.deadline_s), cut_by="cancelled", now=run.now)
        for record in run.schedule.records.values()
    ]

    assert [outcome.name for outcome in outcomes] == list(run.schedule.records)
    assert sum(outcome.succeeded for outcome in outcomes) == run.succeeded
    assert all((outcome.error is None) == outcome.succeeded for outcome in outcomes)
    assert sum(outcome.attempts + outcome.hedges for outcome in outcomes) == len(run.calls)
    assert sum(outcome.usage.total_tokens for outcome in outcomes) == tokens_of(run.schedule)
    assert sum(outcome.usage.model_calls for outcome in outcomes) == len(run.calls)


@settings(max_examples=200)
@given(SCENARIOS)
def test_a_run_ends_for_one_reason(scenario: Scenario) -> None:
    run = scenario.run()
    decided = [record.decided for record in run.schedule.records.values()]
    reasons = {
        "all decided": all(decided) and run.schedule.certain is None,
        "withheld": run.schedule.finished and run.schedule.withheld,
        "certain": run.schedule.certain is not None,
        "deadline": run.over_s >= scenario.policy.deadline_s,
    }

    assert any(reasons.values()), reasons
    assert not (reasons["certain"] and reasons["withheld"]), "nothing is certain of a run that is finished"


@settings(max_examples=200)
@given(SCENARIOS)
def test_without_throttles_and_a_budget_every_place_is_taken_while_a_branch_has_not_begun(scenario: Scenario) -> None:
    free = scenario.without_throttles().with_policy(max_total_tokens=None)

    def check(run: Simulation) -> None:
        if any(not record.calls for record in run.schedule.records.values()) and not run.is_over:
            assert len(run.in_flight) == free.policy.max_concurrency

    free.run(check)


@settings(max_examples=100)
@given(SCENARIOS)
def test_the_same_events_lead_to_the_same_calls(scenario: Scenario) -> None:
    first, second = scenario.run(), scenario.run()

    def decisions(run: Simulation) -> list[tuple[Any, ...]]:
        return [
            (call.record.branch.name, call.number, call.is_hedge, call.started_at, call.deadline) for call in run.calls
        ]

    assert decisions(first) == decisions(second)
    assert (first.over_s, first.succeeded) == (second.over_s, second.succeeded)


def test_the_scenarios_are_of_every_kind() -> None:
    runs = [Scenario.of(seed).run() for seed in range(400)]
    records = [record for run in runs for record in run.schedule.records.values()]

    def some(kind: Callable[[Record], bool]) -> int:
        return sum(map(kind, records))

    assert some(lambda record: record.attempts > 1) > 100
    assert some(lambda record: record.attempts > 2) > 20
    assert some(lambda record: record.hedges > 0) > 20
    assert some(lambda record: record.hedges > 0 and len(record.reports) > record.attempts) > 15, "losers end"
    assert some(lambda record: record.lost is not None) > 20
    assert some(lambda record: record.late_for_attempt is not None) > 15
    assert sum(run.schedule.withheld for run in runs) > 15
    assert sum(run.schedule.certain is not None for run in runs) > 50
    assert sum(run.schedule.finished for run in runs) > 100
