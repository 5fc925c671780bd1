"""Planning a map in storage: what passes between the orchestrator and `plan_documents`, a step at a time."""

from __future__ import annotations

from pydantic import JsonValue

from shared.contracts.base import Contract
from shared.contracts.work import RunFolder


class PlanTotals(Contract):
    """What is planned so far.

    `works` are documents and parts of them, `documents` those that the source's limit counts, `unreadable` the works
    that fail without a call, `bytes` the sizes of the blobs (or of inline texts) that they come from, `tokens` an
    estimate of all works' texts.
    """

    pages: int = 0
    works: int = 0
    documents: int = 0
    unreadable: int = 0
    bytes: int = 0
    tokens: int = 0


class PlanInput(Contract):
    """The input of `plan_documents`: one step.

    `request` is the dump of a `MapReduceRequest`, which the first step writes to the folder, documents left out; later
    steps read it there. `cursor` is what the step before returned.
    """

    folder: RunFolder
    request: dict[str, JsonValue] | None = None
    cursor: dict[str, JsonValue] | None = None


class Plan(PlanTotals):
    """The plan after a step: totals of all steps, and the `cursor` of the next; None at the end.

    A `problem` ends the run: there can be no plan.
    """

    cursor: dict[str, JsonValue] | None = None
    problem: str | None = None


class OpenBlob(Contract):
    """A blob of records of which some are planned: where the next begins, and what was the number of the last.

    `offset` counts bytes of UTF-8: of the blob itself if it is `seekable`, else of what it holds when it is unpacked
    and transcoded. `columns` is the header of a `csv`.
    """

    name: str
    size: int
    etag: str
    number: int = 0
    offset: int = 0
    seekable: bool = False
    columns: list[str] | None = None


class PlanCursor(PlanTotals):
    """Where planning goes on; only `plan_documents` understands it.

    `after` is the mark of the listing's part that is under way, in which the blobs up to `last` are done, and `blob` is
    begun. The last page has `open_works` works and may get more. `parts` is how many blobs of texts are written.
    """

    after: str | None = None
    last: str | None = None
    blob: OpenBlob | None = None
    open_works: int = 0
    parts: int = 0
