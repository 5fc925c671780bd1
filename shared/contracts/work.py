"""Work in storage: what passes between the orchestrators and activities of a map whose documents are in blobs.

History has names, places and counts, never a text: documents and outputs stay in storage (claim check). The work of a
stage is divided into *pages*, a blob each, and a shard runs the units of one page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue

from shared.contracts.base import Contract
from shared.contracts.branch import BranchError, BranchStatus, Usage, is_none, is_not
from shared.contracts.policy import Interruption, RunPolicy
from shared.contracts.storage import BlobSink, StoredFiles

MAP_STAGE = "map"
"""The stage that reads the documents."""
REDUCTION_STAGE = "reduce-"
"""What the name of a stage of the reduction begins with, before the number of its level."""
PAGE_UNITS = 250
"""Units of a page at most, and so calls of a shard, but for retries, hedges and documents of a batch called alone."""
PAGE_WORKS = 2_500
"""Works of a page at most: all of them pass through the history of its shard, by name and place."""


class RunFolder(Contract):
    """Where a run works and writes. `name` ends with the run's id and a slash.

    request.json            the request, documents left out
    plan/00001.json         page 1 of the map: a `Page`
    parts/00001.txt         texts that are not blobs of their own: records, parts of documents, inline documents
    documents/NAME.json     one a document or part, written when its agent has answered, or when its shard closes
    pages/00001.json        a page's counts and blocks, once it is closed; 00001.opened once it is opened
    results.jsonl, failures.jsonl, manifest.json
    redrive_of.json         of a redrive: the folder that it goes on from
    reduce/…                what the reduction knows of the map; its agent and its budget
    reduce/LEVEL/…          pages and answers of a level, and what they come to
    output.…                the reduction's answer
    """

    container: str
    name: str
    run_id: str

    @classmethod
    def of(cls, sink: BlobSink, run_id: str) -> Self:
        """The folder of the run with this id in `sink`."""
        return cls(container=sink.container, name=f"{root_of(sink)}{run_id}/", run_id=run_id)


def stage_of(level: int) -> str:
    """The stage of a level of the reduction, from 1."""
    return f"{REDUCTION_STAGE}{level}"


def level_of(stage: str) -> int:
    """The level of a stage of the reduction."""
    return int(stage.removeprefix(REDUCTION_STAGE))


def root_of(sink: BlobSink) -> str:
    """What the names of all runs' folders in `sink` begin with: nothing, or a folder and its slash."""
    prefix = sink.prefix.rstrip("/")
    return f"{prefix}/" if prefix else ""


def files_of(folder: RunFolder) -> StoredFiles:
    """What there is of a run from its beginning: a folder, and one for the documents' results in it."""
    return StoredFiles(container=folder.container, folder=folder.name, documents=f"{folder.name}documents/")


class TextPlace(Contract):
    """Where a text is: a blob as a whole, or `length` bytes of it from `offset`.

    `container` is None for the run's own folder, in which `blob` is relative to its name. A blob that no longer has
    `etag` has changed since it was listed. `encoding` None means UTF-8, or as its bytes tell.
    """

    container: str | None = None
    blob: str
    offset: int = 0
    length: int | None = None
    etag: str | None = None
    encoding: str | None = None


class Work(Contract):
    """What one answer is about: a document, a part of one, or the answers that a reduction's call reads.

    `name` is unique in its stage. `tokens` is an estimate of its text, 0 if not known. `place` says where it is, in a
    way that only the activity that reads it understands (a `DocumentWork`, or the reduction's own).
    """

    name: str
    tokens: int = 0
    place: JsonValue


class DocumentWork(Contract):
    """A document or a part of one: its text, and what its agent is told and its result says of its origin.

    `document` is the id; `part` (from 1) `of` and the lines are those of a split document, `blob` and `record` (from
    1) name the source. A document with a `problem` cannot be read: it fails with it, and no model is asked.
    """

    text: TextPlace
    document: str
    part: int | None = None
    of: int | None = None
    first_line: int | None = None
    last_line: int | None = None
    blob: str | None = None
    record: int | None = None
    problem: str | None = None

    @property
    def lines(self) -> str | None:
        """Its lines in short: `120-240`, or `7`; None for a whole document."""
        if self.first_line is None or self.last_line is None:
            return None
        return f"{self.first_line}" if self.first_line == self.last_line else f"{self.first_line}-{self.last_line}"


class Unit(Contract):
    """What one call is about: a work, or a batch of them. `name` is unique in its stage and short: `3.17`."""

    name: str
    works: Annotated[list[Work], Field(min_length=1)]


class Page(Contract):
    """The units of one shard."""

    units: list[Unit]


class Stage(Contract):
    """One fan-out over pages: the map, or a level of the reduction.

    `call` is the activity that takes a `UnitCall`. `works` is how many there are on all pages, which the policy's
    tolerances count. `base_tokens` are those of the agent's instructions and schema, which each call has beside its
    works; `max_output_tokens` its bound, if any. `recipe` is the run's, for telemetry. `hedges_sooner` is what the
    version of the run decides: that of a shard may be another.
    """

    name: str
    call: str
    folder: RunFolder
    pages: int
    works: int
    base_tokens: int = 0
    max_output_tokens: int | None = None
    redrive_of: RunFolder | None = None
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
    hedges_sooner: Annotated[bool, Field(exclude_if=is_not)] = False


class UnitCall(Contract):
    """The input of a stage's `call`: one attempt at a unit, to be over by `deadline`, for the shard `instance`."""

    folder: RunFolder
    stage: str
    unit: Unit
    attempt: int
    instance: str
    deadline: datetime
    max_tokens: int | None = None
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None


class UnitReply(Contract):
    """What came of it: the works not in `unanswered` have their answers in storage, unless there is an `error`.

    The worker was at it for `worked_s`.
    """

    error: BranchError | None = None
    retry_after_s: float | None = None
    usage: Usage = Usage()
    unanswered: list[str] = Field(default_factory=list[str])
    worked_s: Annotated[float | None, Field(exclude_if=is_none)] = None


class WorkFailure(Contract):
    """A work without an answer, and why. `calls` counts those that were made for it, in a batch too."""

    name: str
    status: BranchStatus
    error: BranchError
    calls: int = 0


class OpenPage(Contract):
    """The input of `open_page`: which page, and whether a redrive looks for answers of an earlier run."""

    folder: RunFolder
    stage: str
    number: int
    redrive_of: RunFolder | None = None


class OpenedPage(Contract):
    """Its units, without the works that `reused` names: those have their answers in this run's folder now."""

    units: list[Unit]
    reused: list[str] = Field(default_factory=list[str])


class ClosePage(Contract):
    """The input of `close_page`, once every work of a page is decided: those without an answer."""

    folder: RunFolder
    stage: str
    number: int
    failures: list[WorkFailure]


class Tally(Contract):
    """Counts of works and what they cost. `reused` are among `succeeded`, and cost nothing."""

    succeeded: int = 0
    failed: int = 0
    reused: int = 0
    usage: Usage = Usage()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            succeeded=self.succeeded + other.succeeded,
            failed=self.failed + other.failed,
            reused=self.reused + other.reused,
            usage=self.usage + other.usage,
        )


class WindowState(Contract):
    """What a shard's window of calls has learned; `shrinks` counts how often the model made it smaller."""

    size: float
    shrinks: int = 0
    starts_slowly: bool = False
    throttled_until: datetime
    closed_until: datetime


class Account(Contract):
    """What a stage has come to up to a shard, all shards before it included. Totals, so that the newest is enough.

    `held_tokens` are those that calls in flight and retries to come may still cost. `answers` with tokens had
    `usage.output_tokens` together. `typical_s` is how long a call may take before it is hedged, once that is known.
    """

    tally: Tally = Tally()
    held_tokens: int = 0
    answers: int = 0
    typical_s: float | None = None
    window: WindowState | None = None


class PassedPlaces(Contract):
    """What a shard tells the next: the `places` that it has passed on since its start, and the account so far."""

    sender: str
    places: int
    account: Account


class ShardNews(Contract):
    """What a shard tells its parent before it ends.

    It has `began`: its first place came. The outcome of the stage is `certain`, for this `reason`. The `budget` is
    spent, and no shard need start. It has `stopped`, and only its page is still to be closed. `tally` is the shard's
    own once it has stopped, and else that of all shards so far.
    """

    number: int
    kind: Literal["began", "certain", "budget", "stopped"]
    tally: Tally
    reason: Interruption | None = None


class ShardInput(Contract):
    """The input of `shard`: page `number` of a stage.

    Of the stage's `policy.max_concurrency` places it has `places` from the start; others come from the shard
    `before` it, as that one runs out of work. `spent_tokens` are those of earlier stages.
    One that takes the place of a shard that was `lost`, for this reason, makes no calls: it tells which works have
    their answers, and passes places on to the shard `after` it, which may have begun before.
    """

    stage: Stage
    number: int
    parent: str
    before: str | None = None
    after: str | None = None
    lost: str | None = None
    places: int
    policy: RunPolicy
    deadline: datetime
    spent_tokens: int = 0


class ShardResult(Contract):
    """What came of a shard's page. `missing` names the first works without an answer (`shared/contracts/missing.py`);
    `reason` what ended it early.
    """

    number: int
    tally: Tally
    missing: list[str] = Field(default_factory=list[str])
    reason: Interruption | None = None
