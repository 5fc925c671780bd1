"""Branches, reports and schedules for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AttemptOutcome, Branch, BranchError, BranchStatus, Usage
from shared.contracts.policy import RunPolicy
from shared.errors import RateLimited
from shared.scheduling.budget import Budget
from shared.scheduling.record import Call
from shared.scheduling.schedule import Report, Schedule
from shared.token_estimate import estimated_input_tokens

START = datetime(2026, 1, 1, tzinfo=UTC)
AGENT = AgentSpec(name="reader", instructions="Read.")
ANSWER = Usage(model_calls=1, input_tokens=10, output_tokens=5, total_tokens=15)
REJECTION = Usage(model_calls=1)
BRANCH_STATUS_OF: dict[str, BranchStatus] = {"branch_timed_out": "timed_out", "cancelled": "cancelled"}


def at(seconds: float) -> datetime:
    """A moment, so many seconds after the run's start."""
    return START + timedelta(seconds=seconds)


def branches(count: int) -> list[Branch]:
    """`b0`, `b1`, …"""
    return [Branch(name=f"b{number}", agent=AGENT, prompt="Material.") for number in range(count)]


def schedule(
    count: int,
    *,
    deadline_s: float = 900.0,
    budget: Budget | None = None,
    reused: int = 0,
    key: str = "run",
    **policy: Any,
) -> Schedule:
    """A schedule of so many branches under a policy of these fields."""
    stated = RunPolicy(deadline_s=deadline_s, **policy).effective()
    made = Schedule(
        stated,
        expected=count + reused,
        run_deadline=at(deadline_s),
        budget=budget or Budget(stated.max_total_tokens),
        key=key,
    )
    made.add(branches(count), reused=reused)
    return made


def succeeded(*, tokens: int = 15, output_tokens: int = 5, seconds: float = 1.0) -> Report:
    """The account of a call with an answer."""
    usage = Usage(model_calls=1, input_tokens=tokens - output_tokens, output_tokens=output_tokens, total_tokens=tokens)
    return account("succeeded", output="an answer", usage=usage, model="gpt-test", ended_at=at(seconds))


def failed(
    code: str = "model_unavailable",
    *,
    retriable: bool = True,
    retry_after_s: float | None = None,
    usage: Usage = REJECTION,
    seconds: float = 1.0,
) -> Report:
    """The account of a call without one."""
    error = BranchError(code=code, message=f"{code}!", retriable=retriable)
    status = BRANCH_STATUS_OF.get(code, "failed")
    return account(status, error=error, retry_after_s=retry_after_s, usage=usage, ended_at=at(seconds))


def throttled(retry_after_s: float | None = 1.0) -> Report:
    """The account of a call that the model had no place for."""
    return failed(RateLimited.code, retry_after_s=retry_after_s)


def account(status: BranchStatus, **fields: Any) -> Report:
    """An `AttemptOutcome` as it comes out of history."""
    ended_at = fields.pop("ended_at", START)
    return AttemptOutcome(status=status, started_at=START, ended_at=ended_at, **fields).model_dump(mode="json")


# --- What tests of the schedule say ---

PERMANENT = failed("content_filtered", retriable=False)
INPUT_TOKENS = estimated_input_tokens(AGENT, "Material.")


def ids(calls: Sequence[Call]) -> list[str]:
    """`b0` is a branch's first call, `b0~2` a retry, `b0~2h` a hedge."""
    suffixes = {True: "h", False: ""}
    return [
        call.record.branch.name + (f"~{call.number}{suffixes[call.is_hedge]}" if call.number > 1 else "")
        for call in calls
    ]


def spent(tokens: int, output_tokens: int = 0) -> Any:
    """The account of a success that cost so many tokens."""
    return succeeded(tokens=tokens, output_tokens=output_tokens)


def decided(given: Schedule) -> list[str]:
    """The names of the branches that are decided."""
    return [name for name, record in given.records.items() if record.decided]
