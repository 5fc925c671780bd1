"""Results of a map in storage: what is written of each document, of each page, and of the map as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, JsonValue

from shared.contracts.base import Contract
from shared.contracts.branch import BranchError, BranchStatus, Usage
from shared.contracts.missing import MAX_MISSING
from shared.contracts.storage import StoredFiles
from shared.contracts.work import RunFolder, Tally


class TextSource(Contract):
    """Where a text came from, and its hash: `bytes` and `sha256` are those of the text in UTF-8.

    `container` and `blob` name the blob that was listed, none for a document that came with the request; `record`
    (from 1) is one of several in it. `etag` is that of the blob that was read. What was never read has no hash.
    """

    container: str | None = None
    blob: str | None = None
    record: int | None = None
    etag: str | None = None
    sha256: str | None = None
    bytes: int | None = None


class DocumentResult(Contract):
    """What came of a document, or of a part of one: a blob of its own, and a line of a file of results.

    `id` is the document and `name` the work: the same, unless it is a part. `output` is there if it succeeded, `error`
    if not. `usage` is that of the call that answered; of a batch's call, a share, and the shares' sum is exact. `batch`
    is the unit of which the call read several works. `attempt` is the number of the call; of a failure, how many there
    were.
    """

    id: str
    name: str
    part: int | None = None
    of: int | None = None
    first_line: int | None = None
    last_line: int | None = None
    status: BranchStatus
    output: JsonValue = None
    error: BranchError | None = None
    model: str | None = None
    truncated: bool = False
    usage: Usage = Usage()
    batch: str | None = None
    source: TextSource = TextSource()
    attempt: int = 1
    ended_at: datetime

    @property
    def succeeded(self) -> bool:
        """Whether there is an output."""
        return self.status == "succeeded"


class PageSummary(Contract):
    """What came of a page, written when it is closed.

    `results` and `failures` are the numbers of its blocks in the two files, in order; a page without successes has
    none in the first. `missing` has the first works without an answer. `usage` is the sum over its results.
    """

    number: int
    succeeded: int
    failed: int
    usage: Usage = Usage()
    missing: Annotated[list[str], Field(max_length=MAX_MISSING)] = Field(default_factory=list[str])
    results: list[int] = Field(default_factory=list[int])
    failures: list[int] = Field(default_factory=list[int])


class Undecided(Contract):
    """What is said of works on pages that were not closed, if they have no result."""

    status: BranchStatus
    error: BranchError


ENDED_BEFORE = Undecided(
    status="cancelled",
    error=BranchError(code="cancelled", message="the run ended before it was decided", retriable=True),
)


class FinishMap(Contract):
    """The input of `finish_map`: the account of the run so far.

    `documents` are those of the plan, `tally` what the shards counted: `usage`, `reused` and the number of works are
    taken over; what came of them, the files have. `undecided` is said of works that no shard decided. `status` is
    the run's, if it is known so early.
    """

    folder: RunFolder
    pages: int
    documents: int | None = None
    tally: Tally | None = None
    undecided: Undecided = ENDED_BEFORE
    status: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    redrive_of: RunFolder | None = None


class FinishedMap(Contract):
    """The output of `finish_map`. `missing` names the first works without an answer."""

    files: StoredFiles
    tally: Tally
    missing: Annotated[list[str], Field(max_length=MAX_MISSING)] = Field(default_factory=list[str])


class FileFacts(Contract):
    """A file of a run, for those who fetch it to check."""

    bytes: int
    lines: int
    sha256: str


class ManifestCounts(Contract):
    """Of a map. A work is a whole document or a part; `reused` are among `succeeded`."""

    documents: int
    works: int
    succeeded: int
    failed: int
    reused: int


class Manifest(Contract):
    """The file manifest.json: what a map came to, and its files by their names in the run's folder."""

    run_id: str
    pattern: str = "map_reduce"
    redrive_of: str | None = None
    status: str | None = None
    started_at: datetime | None = None
    ended_at: datetime
    source: JsonValue = None
    pages: int
    counts: ManifestCounts
    usage: Usage
    files: dict[str, FileFacts]
