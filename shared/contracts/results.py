"""What a map in storage leaves behind."""

from __future__ import annotations

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.storage import StoredFiles
from shared.contracts.work import RunFolder, Tally


class FinishMap(Contract):
    """The input of `finish_map`."""

    folder: RunFolder
    pages: int
    redrive_of: RunFolder | None = None


class FinishedMap(Contract):
    """What it wrote, and what came of all works."""

    files: StoredFiles
    tally: Tally
    missing: list[str] = Field(default_factory=list[str])
    missing_count: int = 0
