"""Requests, replies and outcomes for the tests of this folder."""

from __future__ import annotations

from typing import Any

from orchestrators.sectioning import sectioning
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext

USAGE: JSON = {"model_calls": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def sections_request(*names: str, **fields: Any) -> JSON:
    """A `SectioningRequest` with a section for each name."""
    sections = [{"name": name, "instructions": f"Write about {name}."} for name in names]
    return {"input": "Material.", "sections": sections, **fields}


def documents_request(count: int, **fields: Any) -> JSON:
    """A `MapReduceRequest` of `count` documents: `d0`, `d1`, …"""
    documents = [{"id": f"d{number}", "content": f"Document {number}."} for number in range(count)]
    agents = {"map": {"instructions": "Map."}, "reduce": {"instructions": "Reduce."}}
    return {"documents": documents, **agents, **fields}


def succeeded(name: str, output: Any = None, **fields: Any) -> JSON:
    """A `BranchOutcome` with an output."""
    return _outcome(name, status="succeeded", output=output or f"output of {name}", **fields)


def failed(name: str, code: str = "model_unavailable", **fields: Any) -> JSON:
    """A `BranchOutcome` without one."""
    error = {"code": code, "message": f"{name} failed", "retriable": False}
    return _outcome(name, **{"status": "failed", "error": error, **fields})


def timed_out(name: str, **fields: Any) -> JSON:
    """The `BranchOutcome` of a branch whose own time was up."""
    return failed(name, code="branch_timed_out", **{"status": "timed_out", **fields})


def _outcome(name: str, **fields: Any) -> JSON:
    times = {"started_at": START.isoformat(), "ended_at": START.isoformat()}
    return {"name": name, "attempts": 1, "usage": USAGE, **times, **fields}


def replied(output: Any = "an answer", **fields: Any) -> JSON:
    """An `AgentReply` with an output."""
    return {"output": output, "usage": USAGE, "model": "gpt-test", **fields}


def refused(code: str = "rate_limited", *, retriable: bool = True, **fields: Any) -> JSON:
    """An `AgentReply` with an error."""
    return {"error": {"code": code, "message": f"{code}!", "retriable": retriable}, "usage": USAGE, **fields}


def start_sections(*names: str, **fields: Any) -> Drive:
    """A sectioning run under way."""
    return Drive(sectioning, FakeContext(sections_request(*names, **fields)))


def succeed(drive: Drive, *branches: str) -> None:
    """Let the children of these branches succeed, in this order."""
    for branch in branches:
        drive.complete(drive.child(branch), succeeded(branch))


def statuses(result: JSON) -> dict[str, str]:
    """Each branch's status, in the order of the outcomes."""
    return {outcome["name"]: outcome["status"] for outcome in result["outcomes"]}


def verdict(result: JSON) -> tuple[str, str]:
    """How the run ended, and why."""
    return result["status"], result["completion_reason"]


def branch_names(calls: list[Call]) -> list[str]:
    """The branches that these children run."""
    return [call.branch for call in calls]
