"""Requests, replies, and the accounts that calls give of themselves, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activities.names import STOP_CALLS
from orchestrators.sectioning import sectioning
from shared.contracts.branch import AttemptOutcome, BranchOutcome
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext, Orchestrator

USAGE: JSON = {"model_calls": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
NO_TOKENS: JSON = {"model_calls": 1, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
"""What a call counts for whose cost nobody told."""

# --- Runs ---


def run_input(request: JSON, *, reused: Sequence[JSON] | None = None) -> JSON:
    """A `RunInput`; with `reused` outcomes it is a redrive of the run `run-0`."""
    redrive = None if reused is None else {"run_id": "run-0", "reused": list(reused)}
    return {"request": request, "redrive": redrive}


def start_run(orchestrator: Orchestrator, request: JSON, *, reused: Sequence[JSON] | None = None) -> Drive:
    """A run under way."""
    return Drive(orchestrator, FakeContext(run_input(request, reused=reused)))


def start_sections(*names: str, reused: Sequence[JSON] | None = None, **fields: Any) -> Drive:
    """A sectioning run under way."""
    return start_run(sectioning, sections_request(*names, **fields), reused=reused)


def start_fan_out(*names: str, **policy: Any) -> Drive:
    """A run whose sections are concatenated, so that the fan-out is all there is."""
    return start_sections(*names, aggregation="concatenate", policy=policy)


def sections_request(*names: str, **fields: Any) -> JSON:
    """A `SectioningRequest` with a section for each name."""
    sections = [{"name": name, "instructions": f"Write about {name}."} for name in names]
    return {"input": "Material.", "sections": sections, **fields}


def documents_request(count: int, **fields: Any) -> JSON:
    """A `MapReduceRequest` of `count` documents: `d0`, `d1`, …"""
    documents = [{"id": f"d{number}", "content": f"Document {number}."} for number in range(count)]
    agents = {"map": {"instructions": "Map."}, "reduce": {"instructions": "Reduce."}}
    return {"documents": documents, **agents, **fields}


# --- What calls come to ---


def succeeded(name: str, output: Any = None, **fields: Any) -> JSON:
    """An `AttemptOutcome` with an output."""
    return _account(status="succeeded", output=output or f"output of {name}", **fields)


def failed(name: str, code: str = "model_unavailable", *, retriable: bool = False, **fields: Any) -> JSON:
    """An `AttemptOutcome` without one, which by default ends its branch."""
    error = {"code": code, "message": f"{name} failed", "retriable": retriable}
    return _account(**{"status": "failed", "error": error, **fields})


def throttled(name: str, retry_after_s: float | None = None, **fields: Any) -> JSON:
    """The account of a call that the service was too busy for."""
    return failed(name, "rate_limited", retriable=True, retry_after_s=retry_after_s, **fields)


def timed_out(name: str, **fields: Any) -> JSON:
    """The account of a call that was out when its branch's time was up."""
    return failed(name, "branch_timed_out", retriable=True, **{"status": "timed_out", "usage": NO_TOKENS, **fields})


def told_to_stop(name: str, **fields: Any) -> JSON:
    """The account of a call that was out when it was told to stop."""
    return failed(name, "cancelled", retriable=True, **{"status": "cancelled", "usage": NO_TOKENS, **fields})


def _account(**fields: Any) -> JSON:
    times = {"started_at": START.isoformat(), "ended_at": START.isoformat()}
    return AttemptOutcome.model_validate({"usage": USAGE, **times, **fields}).model_dump(mode="json")


def usage(tokens: int, *, output: int = 0) -> JSON:
    """A `Usage` of one call with so many tokens, of which `output` are output."""
    return {"model_calls": 1, "input_tokens": tokens - output, "output_tokens": output, "total_tokens": tokens}


def replied(output: Any = "an answer", **fields: Any) -> JSON:
    """An `AgentReply` with an output."""
    return {"output": output, "usage": USAGE, "model": "gpt-test", **fields}


def refused(code: str = "rate_limited", *, retriable: bool = True, **fields: Any) -> JSON:
    """An `AgentReply` with an error."""
    return {"error": {"code": code, "message": f"{code}!", "retriable": retriable}, "usage": USAGE, **fields}


def outcome(name: str, output: Any = None, **fields: Any) -> JSON:
    """A `BranchOutcome` that succeeded, as an earlier run's result has it."""
    times = {"started_at": "2026-02-28T09:00:00Z", "ended_at": "2026-02-28T09:00:01.5Z"}
    said = {"output": output or f"output of {name}", "error": None, "model": "gpt-old", "truncated": False}
    told = {"name": name, "status": "succeeded", **said, "attempts": 2, "hedges": 1, "usage": USAGE, **times, **fields}
    return BranchOutcome.model_validate(told).model_dump(mode="json")


# --- What happens to a run ---


def succeed(drive: Drive, *branches: str) -> None:
    """Let the newest calls for these branches succeed, in this order."""
    for branch in branches:
        drive.complete(drive.child(branch), succeeded(branch))


def let_stop(drive: Drive) -> None:
    """All calls in flight do as they were told, and give their account."""
    assert stops(drive), "nobody was told to stop"
    for child in drive.running:
        drive.complete(child, told_to_stop(child.branch))


# --- What can be seen of it ---


def stops(drive: Drive) -> list[JSON]:
    """The inputs of `stop_calls`, in the order of the calls to it."""
    return [call.input for call in drive.context.activities if call.name == STOP_CALLS]


def statuses(result: JSON) -> dict[str, str]:
    """Each branch's status, in the order of the outcomes."""
    return {outcome["name"]: outcome["status"] for outcome in result["outcomes"]}


def error_codes(result: JSON) -> dict[str, str]:
    """The error's code of each branch that has one."""
    return {outcome["name"]: outcome["error"]["code"] for outcome in result["outcomes"] if outcome["error"]}


def outcome_of(result: JSON, branch: str) -> JSON:
    """What the result says of a branch."""
    return next(outcome for outcome in result["outcomes"] if outcome["name"] == branch)


def verdict(result: JSON) -> tuple[str, str]:
    """How the run ended, and why."""
    return result["status"], result["completion_reason"]


def branch_names(calls: list[Call]) -> list[str]:
    """The branches that these children make calls for."""
    return [call.branch for call in calls]


def instances(calls: list[Call]) -> list[str]:
    """The instance ids of these children, without the run's."""
    return [call.instance_id.removeprefix("run-1:") for call in calls]


EVERYONE = {"prefix": "run-1:", "instances": []}
"""The input of `stop_calls` that stops all calls of the run."""


def only(*calls: str) -> JSON:
    """The input of `stop_calls` that stops these calls, named without the run's id."""
    return {"prefix": None, "instances": [f"run-1:{call}" for call in calls]}
