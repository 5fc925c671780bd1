"""Results of documents as they are written: a JSON object on one line, which is a blob and a line of a file alike."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from pydantic import JsonValue

from shared.contracts.base import restored
from shared.contracts.branch import AgentReply, BranchStatus, Usage
from shared.contracts.results import DocumentResult, TextSource
from shared.contracts.work import DocumentWork, Work, WorkFailure


class Material(NamedTuple):
    """A work with the text that its agent reads."""

    work: Work
    about: DocumentWork
    text: str


class Answered(NamedTuple):
    """The call that answered a work: what is the same for all works of a batch."""

    reply: AgentReply
    batch: str | None
    attempt: int
    container: str | None
    ended_at: datetime


def document_of(work: Work) -> DocumentWork:
    """What the place of a work of the map says."""
    return restored(DocumentWork, work.place)


def success(material: Material, output: JsonValue, usage: Usage, answered: Answered) -> DocumentResult:
    """The result of a work that has an output."""
    encoded = material.text.encode()
    result = _about(material.work, answered.container, "succeeded", answered.ended_at)
    source = result.source.model_copy(update={"sha256": sha256(encoded).hexdigest(), "bytes": len(encoded)})
    return result.model_copy(
        update={
            "output": output,
            "model": answered.reply.model,
            "truncated": answered.reply.truncated,
            "usage": usage,
            "batch": answered.batch,
            "source": source,
            "attempt": answered.attempt,
        }
    )


def failure(work: Work, failed: WorkFailure, container: str | None, ended_at: datetime) -> DocumentResult:
    """The result of a work that has no output."""
    result = _about(work, container, failed.status, ended_at)
    return result.model_copy(update={"error": failed.error, "attempt": failed.calls})


def _about(work: Work, container: str | None, status: BranchStatus, ended_at: datetime) -> DocumentResult:
    about = document_of(work)
    named = None if about.blob is None else container
    return DocumentResult(
        id=about.document,
        name=work.name,
        part=about.part,
        of=about.of,
        first_line=about.first_line,
        last_line=about.last_line,
        status=status,
        source=TextSource(container=named, blob=about.blob, record=about.record, etag=about.text.etag),
        ended_at=ended_at,
    )


def line_of(result: DocumentResult) -> bytes:
    """A result as JSON on one line, with its line feed; what it does not have is left out."""
    said = {key: value for key, value in result.model_dump(mode="json").items() if value is not None}
    said["source"] = {key: value for key, value in said["source"].items() if value is not None}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def result_in(line: bytes) -> DocumentResult:
    """The result that `line_of` wrote."""
    return restored(DocumentResult, json.loads(line))
