"""What holds for every order of events: nothing is lost, order is kept, the window is never exceeded, branches end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.names import CANCEL_EVENT, STOP_BRANCHES
from orchestrators.agent_branch import agent_branch
from orchestrators.map_reduce import map_reduce
from orchestrators.sectioning import sectioning
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext
from tests.orchestrators.given import (
    USAGE,
    branch_names,
    documents_request,
    failed,
    refused,
    replied,
    sections_request,
    statuses,
    succeeded,
    timed_out,
)

# A busy machine makes an example slow, not wrong.
WHATEVER_IT_TAKES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ENDINGS = ("succeeded", "failed", "timed_out", "raised")
Step = tuple[int, str]
"""Which of the running children ends (an index, taken modulo their number), and how."""

steps = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(ENDINGS)), min_size=14, max_size=14)
counts = st.integers(1, 14)
windows = st.integers(1, 16)


def end(drive: Drive, step: Step) -> tuple[str, str]:
    """Let a running child end; return its branch and the status that it must have in the result."""
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
    request = sections_request(
        *names(count), aggregation="concatenate", policy={"max_concurrency": window, "deadline_s": 100}
    )
    return Drive(sectioning, FakeContext(request))


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
    told = sum(step[1] != "raised" for step in script[:count])
    lost = min(count, len(script)) - told
    usage = {key: told * value for key, value in USAGE.items()}
    assert drive.ended["usage"] == {**usage, "model_calls": usage["model_calls"] + lost}
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
    started, unfinished = branch_names(drive.context.children), branch_names(drive.running)

    if by_cancel:
        drive.raise_event(CANCEL_EVENT)
    else:
        drive.pass_time(100)
    stops = [call for call in drive.context.activities if call.name == STOP_BRANCHES]
    assert [call.input for call in stops] == [[f"run-1:{name}" for name in unfinished]]

    cut = "cancelled" if by_cancel else "timed_out"
    expected |= {name: cut for name in names(count) if name not in expected}
    late = data.draw(st.lists(st.sampled_from(unfinished), unique=True), label="these still end while they are stopped")
    expected |= end_late(drive, late, data, cut)
    finish(drive, stops[0], data)

    assert list(statuses(drive.ended).items()) == [(name, expected[name]) for name in names(count)]
    assert branch_names(drive.context.children) == started
    if cut in expected.values() or by_cancel:
        reason = "cancelled" if by_cancel else "deadline_exceeded"
        assert drive.ended["completion_reason"] == reason
    assert drive.pending_timers == []


def end_late(drive: Drive, late: Iterable[str], data: st.DataObject, cut: str) -> dict[str, str]:
    """End children that have been told to stop: on their own account, or terminated."""
    expected: dict[str, str] = {}
    for name in late:
        if data.draw(st.booleans(), label=f"{name} was terminated"):
            drive.fail(drive.child(name), "terminated")
            expected[name] = cut
        else:
            drive.complete(drive.child(name), succeeded(name))
            expected[name] = "succeeded"
    return expected


def finish(drive: Drive, stop: Call, data: st.DataObject) -> None:
    if data.draw(st.booleans(), label="the stop fails"):
        drive.fail(stop)
    else:
        drive.complete(stop, 0)


@settings(WHATEVER_IT_TAKES)
@given(st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(0, 20), min_size=9, max_size=9))
def test_the_reduction_reads_the_same_whatever_the_order(count: int, window: int, order: list[int]) -> None:
    def reduction_input(picks: list[int]) -> JSON:
        drive = Drive(map_reduce, FakeContext(documents_request(count, policy={"max_concurrency": window})))
        for pick in picks[:count]:
            end(drive, (pick, "succeeded"))
        return drive.child("~reduction").input

    assert reduction_input(order) == reduction_input([0] * 9)


# --- One branch ---

answers = st.lists(
    st.tuples(
        st.sampled_from(["succeeds", "is refused", "is throttled", "is lost", "hangs"]),
        st.floats(0, 40),
        st.one_of(st.none(), st.floats(0, 50)),
    ),
    min_size=10,
    max_size=10,
)


@settings(WHATEVER_IT_TAKES, max_examples=200)
@given(answers, st.integers(1, 10), st.floats(0.1, 200), st.floats(0.1, 200), st.sampled_from("abcdef"))
def test_a_branch_ends_in_time_with_every_call_counted(
    script: list[tuple[str, float, float | None]], attempts: int, timeout_s: float, run_s: float, name: str
) -> None:
    run_deadline = START + timedelta(seconds=run_s)
    given_input: dict[str, Any] = {
        "run_id": "r",
        "branch": {"name": name, "agent": {"instructions": "Go."}, "prompt": "Material."},
        "attempts": attempts,
        "timeout_s": timeout_s,
        "run_deadline": run_deadline.isoformat(),
    }
    drive = Drive(agent_branch, FakeContext(given_input, instance_id=f"r:{name}"))
    for number, (answer, after_s, retry_after_s) in enumerate(script, start=1):
        if drive.result is not None:
            break
        assert len(drive.context.activities) == number
        drive.pass_time(after_s)
        if drive.result is None:
            reply_with(drive, answer, retry_after_s)
        if drive.result is None:
            wait = drive.context.timers[-1].fire_at - drive.context.current_utc_datetime
            assert wait >= timedelta(seconds=retry_after_s if answer == "is throttled" and retry_after_s else 0)
            drive.pass_time(wait.total_seconds())

    outcome = drive.ended
    assert outcome["attempts"] == len(drive.context.activities) <= attempts
    assert outcome["usage"]["model_calls"] == outcome["attempts"]
    assert (outcome["error"] is None) == (outcome["status"] == "succeeded")
    assert drive.pending_timers == []
    limit = min(START + timedelta(seconds=timeout_s), run_deadline)
    assert START <= datetime.fromisoformat(outcome["ended_at"]) <= limit


def reply_with(drive: Drive, answer: str, retry_after_s: float | None) -> None:
    call = drive.context.activities[-1]
    match answer:
        case "succeeds":
            drive.complete(call, replied())
        case "is refused":
            drive.complete(call, refused("content_filtered", retriable=False))
        case "is throttled":
            drive.complete(call, refused(retry_after_s=retry_after_s))
        case "is lost":
            drive.fail(call)
        case _:
            drive.pass_time(10_000)
