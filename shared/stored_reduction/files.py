"""The blobs of a reduction in the run's folder, and contracts that are kept in them."""

from __future__ import annotations

import json

from shared.blobs import Blobs
from shared.contracts.base import Contract, restored
from shared.contracts.work import RunFolder, stage_of
from shared.errors import DocumentGone
from shared.stored_names import answer_path, page_path, stage_path

RESULTS = "results.jsonl"
SURVEY = "reduce/survey.json"
MISSING = "reduce/missing.jsonl"
READER = "reduce/reader.json"
"""The agent and its budget."""


def level_blob(level: int, name: str) -> str:
    """What a level of a tree, or a step of a refinement, has written."""
    return stage_path(stage_of(level)) + name


def level_page(level: int, number: int) -> str:
    """A page of its calls."""
    return page_path(stage_of(level), number)


def groups_blob(level: int) -> str:
    """Its groups, a line each."""
    return level_blob(level, "groups.jsonl")


def parts_blob(level: int) -> str:
    """What the level above reads, a line each."""
    return level_blob(level, "parts.jsonl")


def lost_blob(level: int) -> str:
    """What was missing for the level above, a line each, if this one has lost more."""
    return level_blob(level, "missing.jsonl")


def settled_blob(level: int) -> str:
    """What came of it, there once it is known."""
    return level_blob(level, "settled.json")


def answer_blob(level: int, call: str) -> str:
    """What a call of it has answered."""
    return answer_path(stage_of(level), call)


async def kept[C: Contract](blobs: Blobs, folder: RunFolder, blob: str, contract: type[C]) -> C | None:
    """A contract in a blob of the folder; None if there is no such blob."""
    try:
        data = await blobs.read(folder.container, folder.name + blob)
    except DocumentGone:
        return None
    return restored(contract, json.loads(data))


async def keep(blobs: Blobs, folder: RunFolder, blob: str, value: Contract, *, only_new: bool = False) -> bool:
    """Write a contract; False if `only_new` and there is one."""
    data = json.dumps(value.model_dump(mode="json"), ensure_ascii=False).encode()
    return await blobs.write(folder.container, folder.name + blob, data, only_new=only_new)
