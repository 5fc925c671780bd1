"""A run as its caller sees it: accepted, in progress, and ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.branch import BranchError, BranchOutcome, BranchStatus, Usage
from shared.contracts.decision import VotingOutput
from shared.contracts.map_reduce import MapReduceOutput
from shared.contracts.policy import RunPolicy
from shared.contracts.sectioning import SectioningOutput

Pattern = Literal["sectioning", "voting", "map_reduce"]
RunStatus = Literal["succeeded", "partial", "failed", "cancelled"]
CompletionReason = Literal[
    "all_completed",
    "min_successful_reached",
    "failure_tolerance_exceeded",
    "deadline_exceeded",
    "budget_exhausted",
    "cancelled",
    "aggregation_failed",
    "internal_error",
]
PatternOutput = Annotated[SectioningOutput | VotingOutput | MapReduceOutput, Field(discriminator="kind")]


class Redrive(Contract):
    """What a redrive takes over: the outcomes that succeeded in the run with the id `run_id`."""

    run_id: str
    reused: list[BranchOutcome]


class RunInput(Contract):
    """The input of a pattern's orchestration: the request as its contract dumps it."""

    request: dict[str, Any]
    redrive: Redrive | None = None


class RunResult(Contract):
    """Everything that a run came to.

    `outcomes` has every branch, in the request's order, whatever became of it; `missing` names those whose
    output is not part of `output`. `aggregation` is the synthesis, or the reduction call that reads all that is left,
    when there was one; `reductions` are those before it, which read a part, and `judges` the calls to the judge of a
    vote.
    `usage` is the sum over all of them, but for those in `reused`: outcomes that a redrive took over from the run
    `redrive_of`, which paid for them. `policy` is the one that the run followed, defaults included. `error` is set
    only when the run could not end by itself: `internal_error`, or `terminated` from outside.
    """

    id: str
    pattern: Pattern
    redrive_of: str | None = None
    status: RunStatus
    completion_reason: CompletionReason
    output: PatternOutput | None = None
    missing: list[str] = Field(default_factory=list[str])
    outcomes: list[BranchOutcome] = Field(default_factory=list[BranchOutcome])
    reused: list[str] = Field(default_factory=list[str])
    aggregation: BranchOutcome | None = None
    reductions: list[BranchOutcome] = Field(default_factory=list[BranchOutcome])
    judges: list[BranchOutcome] = Field(default_factory=list[BranchOutcome])
    usage: Usage = Usage()
    policy: RunPolicy | None = None
    started_at: datetime
    ended_at: datetime
    error: BranchError | None = None


def reads_a_part(call: str) -> bool:
    """Whether the call of this name is one of several reductions, and not the one that reads all that is left."""
    return call.startswith(("~reduce-", "~refine-"))


class RedriveRequest(Contract):
    """`POST /api/runs/{id}/redrive`: a `policy` replaces the old run's as a whole; without one, that stays."""

    policy: RunPolicy | None = None


class RunAccepted(Contract):
    """The answer to a start: the run's id and where to look; `redrive_of` is the run that it goes on from."""

    id: str
    pattern: Pattern
    redrive_of: str | None = None
    status_url: str
    view_url: str
    cancel_url: str


class RunPending(Contract):
    """The body while a run goes on; `cancelling` until its cancel has been seen."""

    id: str
    pattern: Pattern
    status: Literal["pending", "running", "cancelling"]
    status_url: str


class Progress(Contract):
    """Counts of branches: `done` is `succeeded` + `failed`; timed out and cancelled count as `failed`."""

    total: int
    done: int = 0
    succeeded: int = 0
    failed: int = 0
    running: int = 0


LiveStatus = BranchStatus | Literal["pending", "running", "retrying"]


class BranchView(Contract):
    """A branch that has started, as seen now; `retrying` waits for its next attempt."""

    name: str
    status: LiveStatus
    attempts: int = 0
    hedges: int = 0
    usage: Usage = Usage()
    error: BranchError | None = None
    started_at: datetime
    ended_at: datetime | None = None


class RunView(Contract):
    """A run as it is right now; `phase` is what it is doing, `branches` those that have started.

    `usage` is the sum over the branches, but for those named in `reused`, which the run `redrive_of` paid for.
    """

    id: str
    pattern: Pattern
    redrive_of: str | None = None
    status: RunStatus | Literal["pending", "running"]
    phase: Literal["pending", "branches", "aggregation", "done"]
    completion_reason: CompletionReason | None = None
    progress: Progress
    branches: list[BranchView]
    reused: list[str] = Field(default_factory=list[str])
    usage: Usage
    started_at: datetime
    updated_at: datetime
