"""The scenarios whose histories are recorded, a module for each kind. To import them registers them."""

from __future__ import annotations

from tests.replay.scenario import SCENARIOS, STAGE_SCENARIOS, STORED_SCENARIOS
from tests.replay.scenarios import callbacks, map_reduce, sectioning, shards, stored, voting

__all__ = [
    "SCENARIOS", "STAGE_SCENARIOS", "STORED_SCENARIOS",
    "callbacks", "map_reduce", "sectioning", "shards", "stored", "voting",
]  # fmt: skip
