"""Blob Storage in a request: where documents are, and where results go."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.contracts.base import Contract, misfit

MAX_STORED_DOCUMENTS = 100_000
"""Of one run."""
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

ContainerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9])+$", min_length=3, max_length=63)]
"""The name of a container, by the rules of Azure Storage: no URL, no path."""

SourceFormat = Literal["text", "markdown", "jsonl", "csv", "json"]


def _plain_path(path: str) -> str:
    if path.startswith("/") or "\\" in path or any(part in {".", ".."} for part in path.split("/")):
        raise ValueError("give a path within the container: no leading slash, no backslash, no '.' or '..'")
    if CONTROL_CHARACTER.search(path):
        raise ValueError("a path has no control characters")
    return path


def _known_encoding(name: str) -> str:
    try:
        "".encode(codecs.lookup(name).name)
    except LookupError as exc:
        raise ValueError(f"{name!r} is no text encoding; give one such as 'utf-8', 'latin-1' or 'utf-16'") from exc
    return name


BlobPath = Annotated[str, StringConstraints(max_length=500), AfterValidator(_plain_path)]
"""A part of a blob's name: what it begins with, or a pattern."""
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class BlobSource(Contract):
    """Documents in a container that the app's settings allow to be read.

    All blobs whose name begins with `prefix`, and after it fits `glob` (`*` and `?` within a folder, `**` across), in
    the order of their names, until there are `limit` documents. A blob is one document (`text`, `markdown`), or has
    many: a line each (`jsonl`), a row each under the header (`csv`, all `columns` or those named), an item each of the
    array at `path` (`json`; `data.items`, or the root). A blob may be compressed with gzip, whatever its name.
    Without `encoding` it is UTF-8, what its byte order mark says, or else Windows-1252.
    """

    container: ContainerName
    prefix: BlobPath = ""
    glob: BlobPath | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_STORED_DOCUMENTS)] | None = None
    format: SourceFormat = "text"
    encoding: Annotated[str, StringConstraints(max_length=40), AfterValidator(_known_encoding)] | None = None
    columns: Annotated[list[ColumnName], Field(min_length=1, max_length=200)] | None = None
    delimiter: Annotated[str, StringConstraints(pattern=r'^[^"\r\n]$')] | None = None
    path: Annotated[str, StringConstraints(max_length=500)] | None = None

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        for field in ("columns", "delimiter"):
            if getattr(self, field) is not None and self.format != "csv":
                raise misfit(f"source.{field}", f"{field} is for the format 'csv', and this is {self.format!r}")
        if self.path is not None and self.format != "json":
            raise misfit("source.path", f"path is for the format 'json', and this is {self.format!r}")
        return self


class BlobSink(Contract):
    """Where a run writes: into the folder `prefix` + its id, in a container that the app's settings allow."""

    container: ContainerName
    prefix: BlobPath = ""


class StoredFiles(Contract):
    """What a run has written, as names of blobs in `container`.

    `documents` is the folder of one JSON a document or part; `results` has those that succeeded and `failures` the
    others, a line each; `manifest` counts and hashes. `output` is the reduction's answer. Those of a run that was cut
    short may be missing.
    """

    container: ContainerName
    folder: str
    documents: str
    results: str | None = None
    failures: str | None = None
    manifest: str | None = None
    output: str | None = None
