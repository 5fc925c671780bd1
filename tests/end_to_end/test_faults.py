"""Each fault of the model on each pattern: what a run says of it is what its branches went through and its policy make.

The expectations are worked out in `fates`, and the runs go side by side on one host.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from itertools import product
from typing import Any

import pytest
import pytest_asyncio

from local_host.offline.faults import DIRECTED_KINDS, RATE_KINDS, SLOW, Faults
from tests.end_to_end.conftest import JSON, Chorus
from tests.end_to_end.fates import (
    AGGREGATIONS,
    ATTEMPTS,
    BRANCH_TIMEOUT_S,
    GRACE_S,
    HUNG_BRANCH_TIMEOUT_S,
    MATERIAL,
    OUT_OF_TIME,
    PATTERNS,
    RETRIED,
    SLOW_S,
    UNHARMED,
    Case,
    Ordeal,
    Pattern,
    calls_of,
    check,
    check_consistency,
    ending_of,
    seconds,
    summary,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINDS = (*DIRECTED_KINDS, SLOW)
SIDE_BY_SIDE = 24
BURSTS_SIDE_BY_SIDE = 4
POLL_S = 0.1
MIXED_BRANCHES = 50
MIXED_RATE = 0.05
MIXED_SEEDS = (1, 2, 3)
TOLERATED_PERCENTAGES = {1: 38, 2: 42, 3: 33}
"""By seed, such that some of the runs fail, some do not, and some stand at the limit."""
MIXED_POLICY = {"branch_timeout_s": 6.0, "attempts": 2}
"""A branch that hangs costs all of its time; one retry, after a second at most, leaves the others most of it."""
HALF_WELL = ("first", "sick-1", "middle", "sick-2", "last")
ALL_SICK = ("sick-1", "sick-2", "sick-3")
COMPLAINT = re.compile(r"Traceback|ERROR|CRITICAL|exception", re.IGNORECASE)


# The matrix: each kind of fault x each pattern x who suffers it, and for how long


def branch_cases() -> Iterable[Case]:
    """Two of five branches suffer once, and no failure is tolerated; two of five always; every branch always."""
    variants: tuple[tuple[str, Sequence[str], bool, JSON], ...] = (
        ("once", HALF_WELL, False, {"tolerated_failure_count": 0}),
        ("always", HALF_WELL, True, {"min_successful": 3}),
        ("everywhere", ALL_SICK, True, {}),
    )
    for pattern, kind, (variant, names, always, policy) in product(PATTERNS, KINDS, variants):
        sick = Ordeal((kind,), always)
        yield Case(
            id=f"{pattern}-{kind}-{variant}",
            pattern=pattern,
            ordeals={name: sick if name.startswith("sick") else UNHARMED for name in names},
            structured=kind == "malformed",
            policy=policy,
        )


def aggregation_cases() -> Iterable[Case]:
    """The call that joins the branches suffers."""
    for pattern, kind, always in product(AGGREGATIONS, KINDS, (False, True)):
        yield Case(
            id=f"{pattern}-aggregation-{kind}-{'always' if always else 'once'}",
            pattern=pattern,
            ordeals={"a": UNHARMED, "b": UNHARMED},
            aggregator=Ordeal((kind,), always),
        )


def mixed_cases() -> Iterable[Case]:
    """Fifty branches whose calls meet each kind of fault at 5 %."""
    for pattern, seed in product(PATTERNS, MIXED_SEEDS):
        generator = random.Random(f"{pattern}:{seed}")
        yield Case(
            id=f"{pattern}-mixed-{seed}",
            pattern=pattern,
            ordeals={f"b{number:02}": drawn_ordeal(generator) for number in range(MIXED_BRANCHES)},
            structured=True,
            policy={
                **MIXED_POLICY,
                "tolerated_failure_percentage": TOLERATED_PERCENTAGES[seed],
            },
        )


def drawn_ordeal(generator: random.Random) -> Ordeal:
    """A draw for each call until one meets nothing."""
    kinds: list[str] = []
    while True:
        lot = int(generator.random() / MIXED_RATE)
        if lot >= len(KINDS) or (KINDS[lot] in kinds and kinds[-1] != KINDS[lot]) or (KINDS[lot] == SLOW and kinds):
            return Ordeal(tuple(kinds))
        kinds.append(KINDS[lot])
        if KINDS[lot] == SLOW:
            return Ordeal(tuple(kinds))


def deadline_cases() -> Iterable[Case]:
    """Branches or an aggregation that would hang for longer than the run may take."""
    hung, policy = Ordeal(("hang",), always=True), {"branch_timeout_s": BRANCH_TIMEOUT_S, "deadline_s": 2.5}
    for pattern, well in product(PATTERNS, (0, 2)):
        ordeals = {f"well-{number}": UNHARMED for number in range(well)}
        ordeals |= {f"hung-{number}": hung for number in range(3)}
        yield Case(id=f"{pattern}-deadline-{well}-well", pattern=pattern, ordeals=ordeals, policy=policy)
    for pattern in AGGREGATIONS:
        ordeals = {"a": UNHARMED, "b": UNHARMED}
        yield Case(
            id=f"{pattern}-deadline-aggregation", pattern=pattern, ordeals=ordeals, aggregator=hung, policy=policy
        )


MIXED = {case.id: case for case in mixed_cases()}
CASES = {case.id: case for case in (*MIXED.values(), *branch_cases(), *aggregation_cases())}
DEADLINE = {case.id: case for case in deadline_cases()}
ALL = CASES | DEADLINE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def results(chorus: Chorus, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, asyncio.Task[JSON]]]:
    """The runs of all cases that are asked for, under way side by side."""
    chosen = [item.callspec.params["case_id"] for item in request.session.items if is_case(item)]
    places, bursts = asyncio.Semaphore(SIDE_BY_SIDE), asyncio.Semaphore(BURSTS_SIDE_BY_SIDE)
    crowd = asyncio.Semaphore(1)

    async def run(case: Case) -> JSON:
        if case.id in MIXED:
            return await run_of(chorus, case, crowd)
        async with places:
            return await run_of(chorus, case, bursts)

    tasks = {case_id: asyncio.create_task(run(ALL[case_id])) for case_id in dict.fromkeys(chosen)}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


def is_case(item: Any) -> bool:
    return item.path.name == "test_faults.py" and "case_id" in getattr(getattr(item, "callspec", None), "params", {})


async def run_of(
    chorus: Chorus, case: Case, bursts: asyncio.Semaphore | None = None, prompt: int | None = None
) -> JSON:
    """The case's result, in the time that its policy allows as a caller sees it.

    With `bursts` the run starts when it may, and lets the next start when `prompt` of its branches have ended (by
    default those that wait for nothing): so a slow machine takes longer, and no branch runs out of time because of
    the runs beside its own.
    """
    prompt = case.prompt_branches if prompt is None else prompt
    async with bursts or nullcontext():
        began = time.monotonic()
        run_id = await chorus.start(case.pattern, case.request)
        if bursts:
            await chorus.until(run_id, lambda view: view["progress"]["done"] >= prompt, POLL_S)
    result = await chorus.result(run_id, POLL_S)
    assert time.monotonic() - began <= case.effective_policy["deadline_s"] + GRACE_S
    return result


async def test_the_mixed_runs_are_of_both_kinds() -> None:
    statuses = Counter(ending_of(case)[0] for case in MIXED.values())
    assert min(statuses["failed"], statuses["partial"]) >= 3


@pytest.mark.parametrize("case_id", CASES)
async def test_a_run_is_what_its_branches_went_through(results: dict[str, asyncio.Task[JSON]], case_id: str) -> None:
    case, result = CASES[case_id], await results[case_id]
    check(case, result)
    slow = [outcome for outcome in result["outcomes"] if SLOW in case.ordeals[outcome["name"]].kinds]
    assert all(seconds(outcome) >= SLOW_S for outcome in slow), summary(result)


# Time


@pytest.mark.parametrize("case_id", DEADLINE)
async def test_nothing_that_hangs_outlives_the_runs_deadline(
    results: dict[str, asyncio.Task[JSON]], case_id: str
) -> None:
    case, result = DEADLINE[case_id], await results[case_id]
    check_consistency(result, list(case.ordeals))
    well = [name for name in case.ordeals if not name.startswith("hung")]
    assert result["completion_reason"] == "deadline_exceeded", summary(result)
    assert result["status"] == ("partial" if well else "failed"), summary(result)
    assert [outcome["name"] for outcome in result["outcomes"] if outcome["status"] == "succeeded"] == well
    hung = [outcome for outcome in calls_of(result) if outcome["name"] not in well]
    assert hung
    assert {outcome["status"] for outcome in hung} == {"timed_out"}
    assert {outcome["error"]["code"] for outcome in hung} <= {"deadline_exceeded", *OUT_OF_TIME}
    assert (result["aggregation"] is None) == (not case.aggregator.kinds)
    assert (result["output"] is None) == (not well)


async def test_branches_slower_than_their_time_time_out(chorus: Chorus) -> None:
    cases = [healthy_case(f"{pattern}-too-slow", pattern, 3, branch_timeout_s=1.0) for pattern in PATTERNS]
    async with weather(chorus, Faults(latency_s=30.0)):
        outcomes = [outcome for result in await side_by_side(chorus, cases) for outcome in calls_of(result)]
    assert [outcome["status"] for outcome in outcomes] == ["timed_out"] * 9
    assert all(1.0 <= seconds(outcome) <= 1.0 + GRACE_S for outcome in outcomes)


# Faults of the whole service: by rate, by capacity, by requests a second


@asynccontextmanager
async def weather(chorus: Chorus, faults: Faults) -> AsyncIterator[Counter[str]]:
    """The service under these faults, counted from zero; yields the counter of what was suffered."""
    chorus.model.faults = faults
    chorus.model.reset()
    try:
        yield chorus.model.statistics.faults
    finally:
        chorus.model.faults = Faults()


def healthy_case(case_id: str, pattern: Pattern, branches: int, **policy: object) -> Case:
    ordeals = {f"b{number:02}": UNHARMED for number in range(branches)}
    return Case(id=case_id, pattern=pattern, ordeals=ordeals, structured=True, policy=policy)


async def side_by_side(chorus: Chorus, cases: Sequence[Case], bursts: asyncio.Semaphore | None = None) -> list[JSON]:
    """The results of these runs, each consistent in itself; with `bursts` the next starts when half of one is done."""
    half = [len(case.ordeals) // 2 for case in cases]
    runs = [run_of(chorus, case, bursts, prompt) for case, prompt in zip(cases, half, strict=True)]
    results = await asyncio.gather(*runs)
    for case, result in zip(cases, results, strict=True):
        check_consistency(result, list(case.ordeals))
        assert (result["status"], result["completion_reason"]) == ending_by_outcomes(result), summary(result)
    return results


def ending_by_outcomes(result: JSON) -> tuple[str, str]:
    """What must have become of a run with the default tolerance, by what became of its branches."""
    statuses = {outcome["status"] for outcome in result["outcomes"]}
    if "succeeded" not in statuses:
        return "failed", "failure_tolerance_exceeded"
    if result["aggregation"] and result["aggregation"]["status"] != "succeeded":
        return "partial", "aggregation_failed"
    return ("succeeded" if statuses == {"succeeded"} else "partial"), "all_completed"


@pytest.mark.parametrize("seed", MIXED_SEEDS[:2])
async def test_every_fault_that_the_service_drew_is_in_some_outcome(chorus: Chorus, seed: int) -> None:
    rates: dict[str, float] = {f"{kind.replace('-', '_')}_rate": MIXED_RATE for kind in RATE_KINDS}
    faults = Faults(**rates, straggler_rate=MIXED_RATE, latency_s=0.02, retry_after_s=0.05, seed=seed)
    cases = [healthy_case(f"{pattern}-drawn-{seed}", pattern, MIXED_BRANCHES, **MIXED_POLICY) for pattern in PATTERNS]
    async with weather(chorus, faults) as suffered:
        results = await side_by_side(chorus, cases, asyncio.Semaphore(1))
        outcomes = [outcome for result in results for outcome in calls_of(result)]
        calls = chorus.model.calls
    ended = Counter(outcome["status"] for outcome in outcomes)
    codes = Counter(outcome["error"]["code"] for outcome in outcomes if outcome["error"])
    assert codes["refused"] == suffered["refusal"]
    assert ended["timed_out"] == codes["call_timed_out"] + codes["branch_timed_out"] == suffered["hang"]
    assert set(codes) <= {"refused", "invalid_output", *OUT_OF_TIME, *(code for code, _ in RETRIED.values())}
    assert sum(map(failed_attempts, outcomes)) == sum(suffered[kind] for kind in RETRIED)
    counted = sum(outcome["usage"]["model_calls"] for outcome in outcomes)
    assert calls - suffered["hang"] <= counted <= calls  # a call that hung in a repair hides the one before


def failed_attempts(outcome: JSON) -> int:
    """How many attempts a fault ended after which another may follow."""
    used_up = outcome["status"] == "failed" and outcome["error"]["retriable"]
    return outcome["attempts"] - (0 if used_up else 1)


async def test_stragglers_are_waited_for(chorus: Chorus) -> None:
    cases = [healthy_case(f"{pattern}-stragglers", pattern, 8) for pattern in PATTERNS]
    async with weather(chorus, Faults(latency_s=0.05, straggler_rate=0.3, straggler_factor=20, seed=4)) as suffered:
        outcomes = [outcome for result in await side_by_side(chorus, cases) for outcome in calls_of(result)]
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert sum(seconds(outcome) >= 1.0 for outcome in outcomes) >= suffered["straggler"] >= 1


async def test_a_service_that_is_full_serves_all_in_the_end(chorus: Chorus) -> None:
    cases = [healthy_case(f"{pattern}-full", pattern, 20, attempts=10) for pattern in PATTERNS]
    async with weather(chorus, Faults(capacity=8, latency_s=0.05, retry_after_s=0.2)):
        outcomes = [outcome for result in await side_by_side(chorus, cases) for outcome in calls_of(result)]
        statistics = chorus.model.statistics
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert statistics.highest_served <= 8
    assert sum(map(failed_attempts, outcomes)) == statistics.refused["capacity"] > 0
    assert sum(outcome["usage"]["model_calls"] for outcome in outcomes) == statistics.calls


async def test_a_service_that_stays_full_fails_every_branch(chorus: Chorus) -> None:
    cases = [healthy_case(f"{pattern}-stays-full", pattern, 3) for pattern in PATTERNS]
    async with weather(chorus, Faults(capacity=1, retry_after_s=0.05)), holding_a_place(chorus):
        results = await side_by_side(chorus, cases)
    assert [result["status"] for result in results] == ["failed"] * 3
    outcomes = [outcome for result in results for outcome in calls_of(result)]
    assert [outcome["attempts"] for outcome in outcomes] == [ATTEMPTS] * 9
    errors = {(outcome["error"]["code"], outcome["error"]["http_status"]) for outcome in outcomes}
    assert errors == {("rate_limited", 429)}


@asynccontextmanager
async def holding_a_place(chorus: Chorus) -> AsyncIterator[None]:
    """A call of somebody else that takes a place of the service and never ends."""
    body = {"model": "m", "input": f"{MATERIAL} [[fault:hang]]"}
    url, headers = f"{chorus.model.base_url}/responses", {"Authorization": "Bearer other"}
    call = asyncio.create_task(chorus.session.post(url, json=body, headers=headers))
    try:
        async with asyncio.timeout(GRACE_S):
            while not chorus.model.statistics.served:  # noqa: ASYNC110 - the model has no event to wait on
                await asyncio.sleep(0.01)
        yield
    finally:
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


async def test_a_service_of_so_many_requests_a_second_serves_all_in_the_end(chorus: Chorus) -> None:
    cases = [healthy_case(f"{pattern}-rated", pattern, 12, attempts=10) for pattern in PATTERNS]
    async with weather(chorus, Faults(requests_per_s=15.0)):
        outcomes = [outcome for result in await side_by_side(chorus, cases) for outcome in calls_of(result)]
        statistics = chorus.model.statistics
    assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
    assert sum(map(failed_attempts, outcomes)) == statistics.refused["requests_per_s"] > 0
    assert sum(outcome["usage"]["model_calls"] for outcome in outcomes) == statistics.calls


async def test_a_throttled_branch_comes_back_no_earlier_than_it_was_told_to(chorus: Chorus) -> None:
    told_s = 2.5  # longer than a retry takes that nobody told to wait, on a host that is not warm yet
    sections = [{"name": "s", "instructions": f"Summarise. [[fault:throttle:{told_s}*1]]"}]
    body = {"input": f"{MATERIAL} Told to wait.", "sections": sections, "aggregation": "concatenate"}
    result = await chorus.run("sectioning", body)
    (outcome,) = result["outcomes"]
    assert (outcome["status"], outcome["attempts"]) == ("succeeded", 2)
    assert told_s <= seconds(outcome) <= told_s + 1.0 + GRACE_S


@pytest.mark.parametrize("pattern", PATTERNS)
async def test_who_is_told_to_come_back_after_its_time_does_not_wait_for_it(chorus: Chorus, pattern: Pattern) -> None:
    case = healthy_case(f"{pattern}-too-late", pattern, 3)
    async with weather(chorus, Faults(requests_per_s=0.001)):
        (result,) = await side_by_side(chorus, [case])
    ended = [(outcome["status"], outcome["attempts"]) for outcome in result["outcomes"]]
    assert sorted(ended) == [("failed", 1), ("failed", 1), ("succeeded", 1)]
    assert seconds(result) < HUNG_BRANCH_TIMEOUT_S


# What the host said


async def test_the_hosts_log_tells_of_no_exception(chorus: Chorus) -> None:
    assert [line for line in chorus.host.lines if COMPLAINT.search(line)] == []
