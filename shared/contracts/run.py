"""A run as its caller sees it: accepted, in progress, and ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.branch import BranchError, BranchOutcome, BranchStatus, Usage, is_none
from shared.contracts.callback import Callback, CallbackUrl, CallbackView
from shared.contracts.decision import VotingOutput
from shared.contracts.map_reduce import MapReduceOutput
from shared.contracts.policy import RunPolicy
from shared.contracts.sectioning import SectioningOutput
from shared.contracts.storage import StoredFiles
from shared.contracts.stored_reduction import StoredReduction
from shared.contracts.work import RunFolder

Pattern = Literal["sectioning", "voting", "map_reduce"]
Phase = Literal["planning", "branches", "aggregation"]
"""What a run that has begun is doing; only one in storage has to plan."""
RunStatus = Literal["succeeded", "partial", "failed", "cancelled"]
CompletionReason = Literal[
    "all_completed",
    "min_successful_reached",
    "failure_tolerance_exceeded",
    "deadline_exceeded",
    "budget_exhausted",
    "cancelled",
    "aggregation_failed",
    "planning_failed",
    "internal_error",
]
PatternOutput = Annotated[
    SectioningOutput | VotingOutput | MapReduceOutput | StoredReduction, Field(discriminator="kind")
]


class Planned(Contract):
    """What a run in storage has to do, once its documents are planned.

    `works` are documents and parts of split ones, which policy and progress count; `pages` what they are divided into.
    `documents` is None where a run died before it could tell.
    """

    documents: int | None = None
    works: int
    pages: int


class Counts(Planned):
    """What came of it: `succeeded` + `failed` are all works; `reused` are among `succeeded`."""

    succeeded: int = 0
    failed: int = 0
    reused: int = 0


class Redrive(Contract):
    """What a redrive takes over: the outcomes that succeeded in the run with the id `run_id`.

    Those of a run in storage are in its `folder`; `planned` is None when that run's planning did not end.
    """

    run_id: str
    reused: list[BranchOutcome]
    folder: RunFolder | None = None
    planned: Planned | None = None


class RunInput(Contract):
    """The input of a pattern's orchestration: the request as its contract dumps it.

    `recipe` names the recipe that the request was made by; a redrive has the recipe of the run that it goes on from.
    """

    request: dict[str, Any]
    redrive: Redrive | None = None
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
    callback: Annotated[Callback | None, Field(exclude_if=is_none)] = None


class RunResult(Contract):
    """Everything that a run came to.

    `outcomes` has every branch, in the request's order, whatever became of it; `missing` names those whose
    output is not part of `output`, and sections without an answer although all their voters had one. `aggregation` is
    the synthesis, or the reduction call that reads all that is left, when there was one; `reductions` are those
    before it, which read a part, and `judges` the calls to the judges of votes.
    `usage` is the sum over all of them, but for those in `reused`: outcomes that a redrive took over from the run
    `redrive_of`, which paid for them. `policy` is the one that the run followed, defaults included. `error` is set
    only when the run could not end by itself (`internal_error`, or `terminated` from outside), could not begin
    (`planning_failed`): there are no documents, they cannot be read, or the policy does not fit their number; or when
    storage did not take its files.

    A run in storage has `files` and `counts` in the place of `outcomes`, and `missing` has the first thousand names.
    Without `counts` its planning did not end.
    """

    id: str
    pattern: Pattern
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
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
    files: Annotated[StoredFiles | None, Field(exclude_if=is_none)] = None
    counts: Annotated[Counts | None, Field(exclude_if=is_none)] = None


def reads_a_part(call: str) -> bool:
    """Whether the call of this name is one of several reductions, and not the one that reads all that is left."""
    return call.startswith(("~reduce-", "~refine-"))


class RedriveRequest(Contract):
    """`POST /api/runs/{id}/redrive`: a `policy` replaces the old run's as a whole; without one, that stays.

    `callback_url` is the new run's: nobody is called back about it who was about the old one.
    """

    policy: RunPolicy | None = None
    callback_url: CallbackUrl = None


class RunAccepted(Contract):
    """The answer to a start: the run's id and where to look; `redrive_of` is the run that it goes on from."""

    id: str
    pattern: Pattern
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
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
    """Counts of branches, or of works in storage: `done` is `succeeded` + `failed`.

    Timed out and cancelled count as `failed`; `reused` are among `succeeded`.
    """

    total: int
    done: int = 0
    succeeded: int = 0
    failed: int = 0
    running: int = 0
    reused: int = 0


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
    A run in storage has no `branches`, only `progress`, and while it goes on knows the `total_tokens` of `usage` alone.
    `rate` is how many branches, or works in storage, have ended in a second, over the run so far and without those
    reused; `remaining_s` is how long the others take at this rate, without the aggregation. Both are null while
    nothing has ended, and `remaining_s` is once all have. `callback` is there for a run with a `callback_url`.
    """

    id: str
    pattern: Pattern
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
    redrive_of: str | None = None
    status: RunStatus | Literal["pending", "running"]
    phase: Phase | Literal["pending", "done"]
    completion_reason: CompletionReason | None = None
    progress: Progress
    branches: list[BranchView]
    reused: list[str] = Field(default_factory=list[str])
    usage: Usage
    rate: float | None = None
    remaining_s: float | None = None
    started_at: datetime
    updated_at: datetime
    callback: Annotated[CallbackView | None, Field(exclude_if=is_none)] = None
