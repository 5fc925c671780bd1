"""What the calls for a branch say about it, in every state that they can be in."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Any

import pytest
from durabletask.client import OrchestrationStatus
from hypothesis import given
from hypothesis import strategies as st

from activities.names import attempt_instance_id
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AttemptInput, AttemptOutcome, Branch, BranchError, Usage
from shared.contracts.policy import RunPolicy
from shared.scheduling.accounts import outcome_of
from shared.scheduling.budget import Budget
from shared.scheduling.record import Call, Record
from shared.scheduling.schedule import Schedule
from tests.triggers.requests import CREATED, JSON, RUN_ID, at, child, failure, orchestration, report, said
from triggers.calls import BranchCalls, report_of, utc

TERMINATED = BranchError(code="terminated", message="by hand", retriable=False)
DEFECT = BranchError(code="internal_error", message="a defect", retriable=True)
DIED_AT = utc(at(9))


def branch(*calls: Any, **policy: Any) -> BranchCalls:
    return BranchCalls(RUN_ID, "a", calls, RunPolicy(**policy))


def ended(attempt: str, output: JSON, after_s: float = 0) -> Any:
    """A call that started and gave its account after so many seconds."""
    moments = {"started_at": said(after_s), "ended_at": said(after_s + 1)}
    return child(attempt, "COMPLETED", after_s, output={**output, **moments}, updated=at(after_s + 1))


SUCCESS, PERMANENT, RETRIABLE = report(), failure("content_filtered", retriable=False), failure()
TIMED_OUT = report("timed_out", code="branch_timed_out", retriable=True)
STOPPED = report("cancelled", code="cancelled", retriable=True)


@pytest.mark.parametrize(
    ("calls", "status", "attempts", "hedges"),
    [
        ([child("a", "PENDING")], "pending", 1, 0),
        ([child("a", "RUNNING")], "running", 1, 0),
        ([child("a", "SUSPENDED")], "running", 1, 0),
        ([child("a", "RUNNING"), child("a~2h", "PENDING")], "running", 1, 1),
        ([ended("a", RETRIABLE), child("a~2", "PENDING", 2)], "pending", 2, 0),
        ([ended("a", RETRIABLE), child("a~2", "RUNNING", 2)], "running", 2, 0),
        ([ended("a", RETRIABLE), child("a~2", "RUNNING", 2), child("a~3h", "RUNNING", 3)], "running", 2, 1),
        ([child("a", "RUNNING"), ended("a~2h", RETRIABLE)], "running", 1, 1),
        ([child("a", "RUNNING"), ended("a~2h", SUCCESS)], "succeeded", 1, 1),
        ([ended("a", SUCCESS), child("a~2h", "RUNNING")], "succeeded", 1, 1),
        ([ended("a", SUCCESS), ended("a~2h", STOPPED)], "succeeded", 1, 1),
        ([ended("a", SUCCESS), child("a~2h", "TERMINATED")], "succeeded", 1, 1),
        ([child("a", "RUNNING"), ended("a~2h", PERMANENT)], "failed", 1, 1),
        ([ended("a", PERMANENT), ended("a~2h", STOPPED, 1)], "failed", 1, 1),
        ([ended("a", RETRIABLE), ended("a~2h", RETRIABLE)], "retrying", 1, 1),
        ([ended("a", RETRIABLE)], "retrying", 1, 0),
        ([ended("a", RETRIABLE), ended("a~2", RETRIABLE, 2)], "retrying", 2, 0),
        ([ended("a", RETRIABLE), ended("a~2", RETRIABLE, 2), ended("a~3", RETRIABLE, 4)], "failed", 3, 0),
        ([ended("a", failure("call_timed_out"))], "retrying", 1, 0),
        ([ended(f"a~{n}", failure("call_timed_out"), n) for n in (2, 3, 4)], "timed_out", 3, 0),
        ([ended("a", PERMANENT)], "failed", 1, 0),
        ([ended("a", TIMED_OUT)], "timed_out", 1, 0),
        ([ended("a", RETRIABLE), ended("a~2", TIMED_OUT, 2)], "timed_out", 2, 0),
        ([ended("a", STOPPED)], "cancelled", 1, 0),
        ([child("a", "FAILED", error="ValueError")], "failed", 1, 0),
        ([child("a", "TERMINATED", output="by hand")], "failed", 1, 0),
        ([child("a", "COMPLETED")], "failed", 1, 0),
        ([child("a", "COMPLETED", output="of another version")], "failed", 1, 0),
        ([ended("a", RETRIABLE), child("a~2", "TERMINATED", 2)], "failed", 2, 0),
        ([child("a", "TERMINATED"), child("a~2h", "RUNNING", 2)], "running", 1, 1),
        ([child("a", "TERMINATED"), ended("a~2h", SUCCESS, 2)], "succeeded", 1, 1),
        ([child("a", "FAILED"), ended("a~2h", RETRIABLE, 6)], "retrying", 1, 1),
        ([child("a", "FAILED"), ended("a~2h", PERMANENT, 6)], "failed", 1, 1),
    ],
)
def test_a_branch_is_in_the_state_that_its_calls_leave_it_in(
    calls: Sequence[Any], status: str, attempts: int, hedges: int
) -> None:
    view = branch(*calls).view()

    assert (view.status, view.attempts, view.hedges) == (status, attempts, hedges)
    assert (view.ended_at is None) == (status in {"pending", "running", "retrying"})
    assert view.ended_at is None or view.ended_at >= view.started_at
    assert (view.error is None) == (status == "succeeded" or not branch(*calls).reports)


@pytest.mark.parametrize(
    ("calls", "code"),
    [
        ([ended("a", failure("rate_limited"))], "rate_limited"),
        ([ended("a", failure("rate_limited")), child("a~2", "RUNNING", 2)], "rate_limited"),
        ([ended("a", failure("rate_limited")), ended("a~2", PERMANENT, 2)], "content_filtered"),
        ([ended("a", PERMANENT), ended("a~2h", STOPPED, 3)], "content_filtered"),
        ([child("a", "TERMINATED")], "branch_failed"),
        ([ended("a", failure("rate_limited")), ended("a~2", SUCCESS, 2)], None),
    ],
)
def test_the_error_of_a_branch_is_the_one_that_decided_or_else_the_last(calls: Sequence[Any], code: str | None) -> None:
    view = branch(*calls).view()

    assert (view.error.code if view.error else None) == code


@pytest.mark.parametrize(("retry_after_s", "status"), [(None, "retrying"), (8.0, "retrying"), (10.0, "failed")])
def test_a_retry_that_would_come_after_the_branch_s_time_is_none(retry_after_s: float | None, status: str) -> None:
    given = {
        "run_id": RUN_ID,
        "branch": {"name": "a", "agent": {"instructions": "i"}, "prompt": "p"},
        "number": 1,
        "deadline": said(11),
    }
    moments = {"started_at": said(0), "ended_at": said(1)}
    call = child("a", given=given, output={**failure(), "retry_after_s": retry_after_s, **moments})

    assert branch(call).view().status == status


def test_the_longest_wait_that_the_calls_of_an_attempt_ask_for_counts() -> None:
    given = {
        "run_id": RUN_ID,
        "branch": {"name": "a", "agent": {"instructions": "i"}, "prompt": "p"},
        "number": 2,
        "deadline": said(11),
    }
    throttled = ended("a", {**failure("rate_limited"), "retry_after_s": 20.0})
    hedge = ended("a~2h", failure(), 2)
    hedge.serialized_input = json.dumps(given)

    assert branch(throttled, hedge).view().status == "failed"


def test_without_attempts_left_a_failure_is_the_end() -> None:
    assert branch(ended("a", RETRIABLE), attempts=1).view().status == "failed"


def test_usage_is_the_sum_over_the_calls_that_have_ended_and_one_lost_counts_as_made() -> None:
    calls = branch(ended("a", RETRIABLE), child("a~2", "FAILED", 2, error="E"), child("a~3", "RUNNING", 3))

    assert calls.usage.model_dump() == {"model_calls": 2, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def test_a_branch_ends_when_it_is_decided_and_not_when_its_loser_does() -> None:
    view = branch(ended("a", SUCCESS, 0), ended("a~2h", STOPPED, 3)).view()

    assert view.ended_at == utc(at(1))


# A run that died


@pytest.mark.parametrize(
    ("calls", "status", "code"),
    [
        ([ended("a", SUCCESS)], "succeeded", None),
        ([ended("a", PERMANENT)], "failed", "content_filtered"),
        ([ended("a", TIMED_OUT)], "timed_out", "branch_timed_out"),
        ([ended("a", STOPPED)], "cancelled", "cancelled"),
    ],
)
@pytest.mark.parametrize("error", [TERMINATED, DEFECT])
def test_a_branch_that_had_ended_keeps_its_own_end_when_its_run_dies(
    calls: Sequence[Any], status: str, code: str | None, error: BranchError
) -> None:
    outcome = branch(*calls).outcome(error, DIED_AT)

    assert (outcome.status, outcome.error.code if outcome.error else None) == (status, code)
    assert outcome.ended_at == utc(at(1))


@pytest.mark.parametrize(
    "calls",
    [
        [child("a", "RUNNING")],
        [child("a", "TERMINATED")],
        [child("a", "FAILED")],
        [ended("a", RETRIABLE)],
        [ended("a", RETRIABLE), child("a~2", "PENDING", 3)],
    ],
)
@pytest.mark.parametrize(("error", "status"), [(TERMINATED, "cancelled"), (DEFECT, "failed")])
def test_a_branch_that_had_not_ended_shares_the_end_of_its_run(
    calls: Sequence[Any], error: BranchError, status: str
) -> None:
    outcome = branch(*calls).outcome(error, DIED_AT)

    assert (outcome.status, outcome.error, outcome.ended_at) == (status, error, DIED_AT)
    assert outcome.output is None
    assert outcome.usage.model_calls == len(calls)


def test_attempts_and_hedges_of_a_run_that_died_are_told_apart_and_all_are_counted() -> None:
    calls = branch(ended("a", RETRIABLE), child("a~2", "RUNNING", 2), child("a~3h", "RUNNING", 3))

    outcome = calls.outcome(TERMINATED, DIED_AT)

    assert (outcome.attempts, outcome.hedges) == (2, 1)
    assert outcome.usage == Usage(model_calls=3, input_tokens=10, output_tokens=5, total_tokens=15)


def test_what_succeeded_is_kept_with_all_that_belongs_to_it() -> None:
    call = ended("a", report(output={"deep": [1, None]}, truncated=True))

    outcome = branch(call).outcome(TERMINATED, DIED_AT)

    assert (outcome.output, outcome.model, outcome.truncated) == ({"deep": [1, None]}, "gpt-test", True)


# The schedule, which decides, and what is read off its calls agree

POLICIES = st.fixed_dictionaries(
    {"attempts": st.integers(1, 3), "branch_timeout_s": st.integers(3, 20)},
    optional={"hedge_after_s": st.sampled_from([0.5, 1.5])},
)
ENDS = st.sampled_from(
    ["lost", "success", "permanent", "retriable", "asks to wait", "no answer", "timed out", "stopped"]
)


class Told:
    """One branch whose calls a schedule starts, and the orchestrations that are there of them."""

    def __init__(self, policy: RunPolicy) -> None:
        self.policy = policy
        self.now = utc(at(0))
        self.deadline = utc(at(1_000))
        agent = AgentSpec(instructions="i")
        self.schedule = Schedule(policy, expected=1, run_deadline=self.deadline, budget=Budget(None), key=RUN_ID)
        self.schedule.add([Branch(name="a", agent=agent, prompt="p")])
        self.calls: list[tuple[Call, Any]] = []

    @property
    def record(self) -> Record:
        return self.schedule.records["a"]

    def start_what_is_due(self) -> None:
        for call in self.schedule.due(self.now):
            instance = attempt_instance_id(RUN_ID, "a", call.number, is_hedge=call.is_hedge)
            given = AttemptInput(
                run_id=RUN_ID, branch=self.record.branch, number=call.number, deadline=call.deadline
            ).model_dump(mode="json")
            state = orchestration(
                "RUNNING", instance_id=instance, name="agent_attempt", given=given, created=self.now, updated=self.now
            )
            self.calls.append((call, state))

    def end(self, position: int, how: str) -> None:
        flying = [(call, state) for call, state in self.calls if call.in_flight]
        if not flying:
            return
        call, state = flying[position % len(flying)]
        state.last_updated_at = self.now
        if how == "lost":
            state.runtime_status = OrchestrationStatus.FAILED
            self.schedule.lost(call, "why")
            return
        moments = {"started_at": call.started_at, "ended_at": self.now}
        account = AttemptOutcome.model_validate({**FATES[how], **moments}).model_dump(mode="json")
        state.runtime_status, state.serialized_output = OrchestrationStatus.COMPLETED, json.dumps(account)
        self.schedule.ended(call, account, self.now)

    def wait(self, seconds: float) -> None:
        wake = self.schedule.wake_at(self.now)
        later = self.now + timedelta(seconds=seconds)
        self.now = min(later, wake) if wake else later

    def agrees(self) -> None:
        view = branch(*(state for _, state in self.calls), **self.policy.model_dump()).view()
        assert (view.attempts, view.hedges) == (self.record.attempts, self.record.hedges)
        if self.record.decided:
            outcome = outcome_of(self.record, run_deadline=self.deadline, cut_by=None, now=self.now)
            assert (view.status, view.ended_at) == (outcome.status, outcome.ended_at)
            assert (view.error and view.error.code) == (outcome.error and outcome.error.code)
        elif any(call.in_flight for call, _ in self.calls):
            assert view.status == "running"
        else:
            assert view.status == "retrying"


FATES: dict[str, JSON] = {
    "success": SUCCESS,
    "permanent": PERMANENT,
    "retriable": RETRIABLE,
    "asks to wait": {**failure("rate_limited"), "retry_after_s": 6.0},
    "no answer": failure("call_timed_out"),
    "timed out": TIMED_OUT,
    "stopped": STOPPED,
}


@given(policy=POLICIES, events=st.lists(st.tuples(st.integers(0, 3), ENDS, st.floats(0.2, 5)), max_size=12))
def test_a_view_says_of_a_branch_what_the_schedule_has_decided(policy: JSON, events: Sequence[Any]) -> None:
    told = Told(RunPolicy(**policy))
    told.start_what_is_due()
    for position, how, seconds in events:
        told.wait(seconds)
        told.end(position, how)
        told.agrees()
        if told.record.decided or told.record.is_late(told.now):
            return
        told.start_what_is_due()
        told.agrees()


# Reading


def test_the_account_of_a_branch_s_orchestration_of_an_older_version_can_be_read() -> None:
    account = {"name": "a", "attempts": 2, "hedges": 0, **report(output="text")}

    assert report_of(child("a", output=account)).output == "text"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_sdk_s_times_are_read_as_utc_wherever_the_app_runs(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert utc(CREATED).isoformat() == "2026-01-01T12:00:00+00:00"
        assert utc(CREATED.replace(tzinfo=timezone(timedelta(hours=2)))).isoformat() == "2026-01-01T10:00:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()
