"""What holds for every order of events.

Nothing is lost, order is kept, every call is counted, the window is never exceeded, and every run ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.names import CANCEL_EVENT, STOP_EVENT
from orchestrators.agent_attempt import agent_attempt
from orchestrators.fan_out import STOP_GRACE_S
from orchestrators.map_reduce import map_reduce
from shared.scheduling.hedging import MAX_HEDGES_PER_BRANCH
from tests.orchestrators.fake_context import JSON, START, Drive, FakeContext
from tests.orchestrators.given import (
    EVERYONE,
    USAGE,
    branch_names,
    documents_request,
    failed,
    instances,
    outcome,
    refused,
    replied,
    start_fan_out,
    start_run,
    start_sections,
    statuses,
    stops,
    succeeded,
    throttled,
    timed_out,
    told_to_stop,
)

# A busy machine makes an example slow, not wrong.
WHATEVER_IT_TAKES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ENDINGS = ("succeeded", "failed", "timed_out", "raised")
Step = tuple[int, str]
"""Which of the running children ends (an index, taken modulo their number), and how."""

steps = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(ENDINGS)), min_size=14, max_size=14)
counts = st.integers(1, 14)
windows = st.integers(1, 16)
DEADLINE_S = 100


def end(drive: Drive, step: Step) -> tuple[str, str]:
    """Let a running child end for good; return its branch and the status that it must have in the result."""
    index, ending = step
    child = drive.running[index % len(drive.running)]
    if ending == "raised":
        drive.fail(child)
        return child.branch, "failed"
    makers = {"succeeded": succeeded, "failed": failed, "timed_out": timed_out}
    drive.complete(child, makers[ending](child.branch))
    return child.branch, ending


def names(count: int) -> list[str]:
    return [f"s{number}" for number in range(count)]


def start(count: int, window: int) -> Drive:
    return start_fan_out(*names(count), max_concurrency=window, deadline_s=DEADLINE_S)


# --- One call a branch ---


@settings(WHATEVER_IT_TAKES)
@given(counts, windows, steps)
def test_every_outcome_is_there_in_branch_order_whatever_ends_when_and_how(
    count: int, window: int, script: list[Step]
) -> None:
    drive = start(count, window)
    expected: dict[str, str] = {}
    for number, step in enumerate(script[:count]):
        waiting = count - number - len(drive.running)
        assert len(drive.running) == window if waiting else len(drive.running) <= window
        branch, status = end(drive, step)
        expected[branch] = status
    assert list(statuses(drive.ended).items()) == [(name, expected[name]) for name in names(count)]
    assert branch_names(drive.context.children) == names(count)
    told = sum(step[1] in {"succeeded", "failed"} for step in script[:count])
    usage = {key: told * value for key, value in USAGE.items()}
    assert drive.ended["usage"] == {**usage, "model_calls": count}
    succeeded_names = [name for name in names(count) if expected[name] == "succeeded"]
    assert drive.ended["missing"] == [name for name in names(count) if name not in succeeded_names]
    if drive.ended["output"] is not None:
        headings = [line[3:] for line in drive.ended["output"]["content"].splitlines() if line.startswith("## ")]
        assert headings == succeeded_names


@settings(WHATEVER_IT_TAKES)
@given(
    count=counts,
    window=windows,
    script=steps,
    before=st.integers(0, 13),
    by_cancel=st.booleans(),
    data=st.data(),
)
def test_an_interruption_at_any_moment_loses_nothing_and_starts_nothing(
    *, count: int, window: int, script: list[Step], before: int, by_cancel: bool, data: st.DataObject
) -> None:
    before = min(before, count - 1)
    drive = start(count, window)
    expected = dict(end(drive, step) for step in script[:before])
    started = branch_names(drive.context.children)
    assert stops(drive) == []

    interrupt(drive, by_cancel=by_cancel)
    assert stops(drive) == [EVERYONE]

    cut = "cancelled" if by_cancel else "timed_out"
    expected |= {name: cut for name in names(count) if name not in expected}
    expected |= end_late(drive, data, cut)
    if drive.result is None:
        drive.pass_time(STOP_GRACE_S)

    assert list(statuses(drive.ended).items()) == [(name, expected[name]) for name in names(count)]
    assert branch_names(drive.context.children) == started
    assert drive.ended["usage"]["model_calls"] == len(started)
    if cut in expected.values() or by_cancel:
        reason = "cancelled" if by_cancel else "deadline_exceeded"
        assert drive.ended["completion_reason"] == reason
    assert drive.pending_timers == []


def interrupt(drive: Drive, *, by_cancel: bool) -> None:
    if by_cancel:
        drive.raise_event(CANCEL_EVENT)
    else:
        drive.pass_time_until(START + timedelta(seconds=DEADLINE_S))


def end_late(drive: Drive, data: st.DataObject, cut: str) -> dict[str, str]:
    """Let some of the calls that have been told to stop end, each in its way; return what their branches come to."""
    late = data.draw(st.lists(st.sampled_from(drive.running), unique_by=id), label="these still end")
    expected: dict[str, str] = {}
    for child in late:
        how = data.draw(st.sampled_from(["stops", "terminated", "succeeds", "fails", "retriable"]), label=child.branch)
        name = child.branch
        if how == "terminated":
            drive.fail(child, "terminated")
        else:
            account = {
                "stops": told_to_stop(name),
                "succeeds": succeeded(name),
                "fails": failed(name),
                "retriable": failed(name, retriable=True),
            }[how]
            drive.complete(child, account)
        # After the deadline there is no time for a retry, so the last error stands; after a cancel it is not wanted.
        for_good = {"succeeds": "succeeded", "fails": "failed"} | (
            {"retriable": "failed"} if cut == "timed_out" else {}
        )
        expected[name] = for_good.get(how, cut)
    return expected


@settings(WHATEVER_IT_TAKES)
@given(st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(0, 20), min_size=9, max_size=9))
def test_the_reduction_reads_the_same_whatever_the_order(count: int, window: int, order: list[int]) -> None:
    def reduction_input(picks: list[int]) -> JSON:
        drive = start_run(map_reduce, documents_request(count, policy={"max_concurrency": window}))
        for pick in picks[:count]:
            end(drive, (pick, "succeeded"))
        return drive.child("~reduction").input

    assert reduction_input(order) == reduction_input([0] * 9)


# --- Several calls a branch ---

WAYS = ("succeeds", "fails", "is throttled", "fails for now", "runs out of time", "is lost", "nothing ends")
events = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(WAYS), st.floats(0, 15)), max_size=60)
policies = st.fixed_dictionaries(
    {"max_concurrency": st.integers(1, 8), "attempts": st.integers(1, 4)},
    optional={
        "branch_timeout_s": st.floats(5, 90),
        "hedge_after_s": st.floats(0.5, 4),
        "max_total_tokens": st.integers(1, 600),
        "tolerated_failure_count": st.integers(0, 4),
        "min_successful": st.just(1),
        "stop_early": st.just(True),
    },
).filter(lambda policy: "min_successful" in policy or "stop_early" not in policy)


def happen(drive: Drive, index: int, way: str, after_s: float) -> None:
    """Time passes, and then a running call ends in this way."""
    drive.pass_time(after_s)
    if way == "nothing ends" or not drive.running:
        return
    child = drive.running[index % len(drive.running)]
    ended_at = drive.context.current_utc_datetime.isoformat()
    if way == "is lost":
        drive.fail(child)
        return
    account = {
        "succeeds": succeeded(child.branch, ended_at=ended_at),
        "fails": failed(child.branch, ended_at=ended_at),
        "is throttled": throttled(child.branch, retry_after_s=after_s, ended_at=ended_at),
        "fails for now": failed(child.branch, retriable=True, ended_at=ended_at),
        "runs out of time": timed_out(child.branch, ended_at=ended_at),
    }[way]
    drive.complete(child, account)


def play(drive: Drive, script: list[tuple[int, str, float]]) -> None:
    """Let all of this happen, and then nothing more than time, until the run has ended."""
    for index, way, after_s in script:
        if drive.result is not None:
            return
        happen(drive, index, way, after_s)
        check_waits(drive)
    if drive.result is None:
        drive.pass_time(DEADLINE_S + STOP_GRACE_S)


def check_waits(drive: Drive) -> None:
    """A run that goes on waits for something, and for no more than it may."""
    policy = drive.context.input["request"]["policy"]
    branches = [child for child in drive.running if child.branch != "~synthesis"]
    assert len(branches) <= policy["max_concurrency"]
    if drive.result is None:
        assert len(drive.pending_timers) <= 2, "the deadline, and the alarm or the moment of grace"
        assert drive.running or len(drive.pending_timers) == 2, "nothing but the deadline would end it"


@settings(WHATEVER_IT_TAKES, max_examples=300)
@given(
    count=st.integers(1, 8),
    policy=policies,
    script=events,
    cancel_at=st.none() | st.integers(0, 60),
    aggregation=st.sampled_from(["concatenate", "synthesize"]),
)
def test_a_run_of_retries_and_hedges_ends_in_time_with_every_call_counted(
    *, count: int, policy: dict[str, Any], script: list[tuple[int, str, float]], cancel_at: int | None, aggregation: str
) -> None:
    policy = {"hedge_after_s": 2.0, **policy, "deadline_s": DEADLINE_S, "max_hedge_percentage": 50}
    drive = start_sections(*names(count), aggregation=aggregation, policy=policy)
    play(drive, script[:cancel_at])
    if cancel_at is not None and drive.result is None:
        drive.raise_event(CANCEL_EVENT)
    if drive.result is None:
        play(drive, script[cancel_at:])

    result, children = drive.ended, drive.context.children
    assert [told["name"] for told in result["outcomes"]] == names(count)
    assert result["usage"]["model_calls"] == len(children)
    assert drive.pending_timers == []
    assert datetime.fromisoformat(result["ended_at"]) <= START + timedelta(seconds=DEADLINE_S + STOP_GRACE_S)
    hedges = 0
    for told in result["outcomes"]:
        calls = [child for child in children if child.branch == told["name"]]
        assert [child.input["number"] for child in calls] == list(range(1, len(calls) + 1))
        assert told["attempts"] + told["hedges"] == len(calls) == told["usage"]["model_calls"]
        assert told["attempts"] <= policy["attempts"]
        assert told["hedges"] <= MAX_HEDGES_PER_BRANCH
        assert (told["error"] is None) == (told["status"] == "succeeded") == (told["output"] is not None)
        assert len({child.input["deadline"] for child in calls}) <= 1
        hedges += told["hedges"]
    assert hedges <= -(-count // 2)
    assert branch_names(children).count("~synthesis") <= policy["attempts"] + 1
    check_stops(drive)


def check_stops(drive: Drive) -> None:
    """Whoever is still out has been told to stop: by name, or with all others."""
    told = stops(drive)
    assert told.count(EVERYONE) <= 1
    named = [instance for stop in told for instance in stop["instances"]]
    if not drive.ended["policy"]["stop_early"]:  # an early stop names losers once more
        assert len(set(named)) == len(named), "a loser is told once"
    if EVERYONE not in told:
        assert {child.instance_id for child in drive.running} <= set(named)


@settings(WHATEVER_IT_TAKES)
@given(st.integers(1, 6), st.sets(st.integers(0, 5)), events)
def test_a_redrive_calls_what_is_not_reused_and_nothing_else(
    count: int, again: set[int], script: list[tuple[int, str, float]]
) -> None:
    reused = [outcome(name) for number, name in enumerate(names(count)) if number not in again]
    policy = {"deadline_s": DEADLINE_S, "max_concurrency": 3}
    drive = start_sections(*names(count), reused=reused, aggregation="concatenate", policy=policy)
    play(drive, script)
    kept = [told for told in drive.ended["outcomes"] if told["name"] in drive.ended["reused"]]
    assert kept == reused
    called = set(branch_names(drive.context.children))
    assert called.isdisjoint(told["name"] for told in reused)
    assert drive.ended["usage"]["model_calls"] == len(drive.context.children)
    assert [told["name"] for told in drive.ended["outcomes"]] == names(count)


@settings(WHATEVER_IT_TAKES)
@given(st.integers(1, 6), policies, events)
def test_the_same_events_lead_to_the_same_decisions(
    count: int, policy: dict[str, Any], script: list[tuple[int, str, float]]
) -> None:
    def decisions() -> tuple[list[str], list[JSON], JSON]:
        drive = start_fan_out(*names(count), **policy, deadline_s=DEADLINE_S)
        play(drive, script)
        return instances(drive.context.children), stops(drive), drive.ended

    assert decisions() == decisions()


# --- One call ---


@settings(WHATEVER_IT_TAKES, max_examples=200)
@given(
    st.sampled_from(["succeeds", "is refused", "is throttled", "is lost", "is stopped", "hangs"]),
    st.floats(0, 40),
    st.floats(-1, 60),
)
def test_a_call_gives_its_account_in_time(ends: str, after_s: float, within_s: float) -> None:
    deadline = START + timedelta(seconds=within_s)
    given_input = {
        "run_id": "r",
        "branch": {"name": "a", "agent": {"instructions": "Go."}, "prompt": "Material."},
        "number": 1,
        "deadline": deadline.isoformat(),
    }
    drive = Drive(agent_attempt, FakeContext(given_input, instance_id="r:a"))
    drive.pass_time(after_s)
    if drive.result is None:
        end_call(drive, ends)
    account = drive.ended
    assert account["usage"]["model_calls"] == len(drive.context.activities)
    assert (account["error"] is None) == (account["status"] == "succeeded")
    assert drive.pending_timers == []
    assert START <= datetime.fromisoformat(account["ended_at"]) <= max(deadline, START)


def end_call(drive: Drive, ends: str) -> None:
    [call] = drive.context.activities
    match ends:
        case "succeeds":
            drive.complete(call, replied())
        case "is refused":
            drive.complete(call, refused("content_filtered", retriable=False))
        case "is throttled":
            drive.complete(call, refused(retry_after_s=3.0))
        case "is lost":
            drive.fail(call)
        case "is stopped":
            drive.raise_event(STOP_EVENT)
        case _:
            drive.pass_time(10_000)
