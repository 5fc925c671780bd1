"""What holds for every relay: random pages, durations, failures, latencies and repeated events, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.policy import RunPolicy
from shared.contracts.work import Account, RunFolder, Stage
from shared.scheduling.page_schedule import PageSchedule
from shared.scheduling.record import Call, Report
from shared.scheduling.unit_job import UnitJob
from tests.shared.scheduling.given import START, at, failed, throttled
from tests.shared.scheduling.given import succeeded as answered
from tests.shared.scheduling.test_page_schedule import unit_of

FOLDER = RunFolder(container="runs", name="run/", run_id="run")
DEADLINE_S = 80_000.0


@dataclass(slots=True)
class Runner:
    """A shard of the relay."""

    schedule: PageSchedule
    received: int
    passed: int = 0
    told: int | None = None
    alarm_s: float | None = None


@dataclass(slots=True)
class Relay:
    """Shards that pass their places as `orchestrators/shard.py` does, with events that take time and may come twice."""

    random: Random
    policy: RunPolicy
    pages: list[list[int]]
    throttles: bool
    now_s: float = 0.0
    most: int = 0
    runners: list[Runner] = field(default_factory=list[Runner])
    calls: list[Call[UnitJob]] = field(default_factory=list[Call[UnitJob]])
    _queue: list[tuple[float, int, Callable[[], None]]] = field(
        default_factory=list[tuple[float, int, Callable[[], None]]]
    )
    _order: int = 0

    @classmethod
    def of(cls, seed: int) -> Relay:
        random = Random(seed)
        policy = RunPolicy(
            max_concurrency=random.choice((1, 2, 3, 7, 20)),
            attempts=random.choice((1, 2, 3)),
            branch_timeout_s=random.choice((60.0, 600.0)),
            deadline_s=DEADLINE_S,
            hedge_after_s=random.choice((None, None, 2.0)),
        )
        sizes = random.choice(((1,), (1, 3, 5)))
        pages = [[random.choice(sizes) for _ in range(random.randint(1, 12))] for _ in range(random.randint(1, 6))]
        return cls(random, policy, pages, throttles=random.random() < 0.3)

    @property
    def places(self) -> int:
        return self.policy.max_concurrency

    @property
    def works(self) -> int:
        return sum(sum(page) for page in self.pages)

    @property
    def in_flight(self) -> int:
        return sum(runner.schedule.in_flight for runner in self.runners)

    def run(self) -> Relay:
        for number, sizes in enumerate(self.pages, start=1):
            stage = Stage(name="map", call="read", folder=FOLDER, pages=len(self.pages), works=self.works)
            schedule = PageSchedule(self.policy, stage, run_deadline=at(DEADLINE_S), spent_tokens=0, key=f"{number}")
            schedule.places = self.places if number == 1 else 0
            schedule.open([unit_of(number * 100 + place, size) for place, size in enumerate(sizes)], answered=0)
            self.runners.append(Runner(schedule, received=schedule.places))
        for number in range(len(self.runners)):
            self.turn(number)
        while self._queue:
            self.now_s, _, step = heappop(self._queue)
            step()
            self.check()
        return self

    def check(self) -> None:
        self.most = max(self.most, self.in_flight)
        assert self.in_flight <= self.places, "more calls than places"
        owned = sum(runner.schedule.places for runner in self.runners)
        on_the_way = sum(one.passed - two.received for one, two in zip(self.runners, self.runners[1:], strict=False))
        assert owned + on_the_way + self.runners[-1].passed == self.places, "a place is lost, or there is one too many"
        if not self.throttles:
            for runner in self.runners:
                if runner.schedule.has_waiting:
                    assert runner.schedule.in_flight == runner.schedule.places, "a place idles while a unit waits"

    def later(self, after_s: float, step: Callable[[], None]) -> None:
        self._order += 1
        heappush(self._queue, (round(self.now_s + after_s, 6), self._order, step))

    def turn(self, number: int) -> None:
        runner, now = self.runners[number], at(self.now_s)
        runner.schedule.expire(now)
        for call in runner.schedule.due(now):
            self.calls.append(call)
            self.start(number, call)
        for loser in runner.schedule.losers():
            self.later(0.05, lambda loser=loser: self.end(number, loser, failed("cancelled")))
        self.pass_places(number)
        wake = runner.schedule.wake_at(now)
        if wake is not None:
            self.later((wake - START).total_seconds() - self.now_s, lambda: self.wake(number))

    def wake(self, number: int) -> None:
        if self.runners[number].schedule.wants_turn(at(self.now_s), None):
            self.turn(number)

    def start(self, number: int, call: Call[UnitJob]) -> None:
        fate, seconds = self.random.random(), self.random.choice((0.1, 1.0, 1.0, 1.3, 20.0))
        works = [work.name for work in call.record.branch.unit.works]
        report: Report
        if fate < 0.02:
            return  # it never returns
        if fate < 0.2 and self.throttles:
            seconds, report = 0.05, throttled()
        elif fate < 0.3:
            report = failed()
        elif fate < 0.35:
            report = failed("content_filtered", retriable=False)
        elif len(works) > 1:
            report = {**answered(), "unanswered": [name for name in works if self.random.random() < 0.2]}
        else:
            report = {**answered(), "unanswered": []}
        left_s = (call.deadline - at(self.now_s)).total_seconds()
        if seconds > left_s:
            seconds, report = left_s, failed("call_timed_out")
        self.later(seconds, lambda: self.end(number, call, report))

    def end(self, number: int, call: Call[UnitJob], report: Report) -> None:
        if call.in_flight:
            self.runners[number].schedule.ended(call, report, at(self.now_s))
            self.turn(number)

    def pass_places(self, number: int) -> None:
        runner, schedule = self.runners[number], self.runners[number].schedule
        if number + 1 == len(self.runners) or schedule.has_waiting:
            return
        spare = schedule.spare
        if spare == 0 and runner.told == schedule.decided_works:
            return
        schedule.places -= spare
        runner.passed += spare
        runner.told = schedule.decided_works
        told = (runner.passed, schedule.account())
        for _ in range(self.random.choice((1, 1, 2))):
            self.later(self.random.choice((0.0, 0.03, 0.2)), lambda: self.receive(number + 1, *told))

    def receive(self, number: int, passed: int, account: Account) -> None:
        runner = self.runners[number]
        gained = max(0, passed - runner.received)
        runner.received += gained
        runner.schedule.places += gained
        runner.schedule.absorb(account)
        self.turn(number)


SEEDS = st.integers(0, 2**64)


@settings(deadline=None, max_examples=150)
@given(SEEDS)
def test_places_are_kept_and_every_work_is_decided_once(seed: int) -> None:
    relay = Relay.of(seed).run()
    last = relay.runners[-1].schedule
    assert all(runner.schedule.finished for runner in relay.runners)
    assert last.decided_works == relay.works, "the last shard knows what has become of all works"
    tallies = [runner.schedule.final_tally() for runner in relay.runners]
    missing = [failure.name for runner in relay.runners for failure in runner.schedule.failures(None)]
    assert len(missing) == len(set(missing)) == sum(tally.failed for tally in tallies)
    assert sum(tally.succeeded + tally.failed for tally in tallies) == relay.works
    assert sum(tally.usage.model_calls for tally in tallies) == len(relay.calls)
    assert relay.most <= relay.places


@settings(deadline=None, max_examples=50)
@given(SEEDS)
def test_all_places_reach_the_last_shard(seed: int) -> None:
    relay = Relay.of(seed).run()
    assert [runner.schedule.places for runner in relay.runners[:-1]] == [0] * (len(relay.runners) - 1)
    assert relay.runners[-1].schedule.places == relay.places
