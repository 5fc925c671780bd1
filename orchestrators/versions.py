"""What runs of older versions decide as they did. Those that start now have the `defaultVersion` of host.json.

Each function is one decision that has changed. It may go, with the histories that tests/replay keeps for it, once no
run of the older version is left (docs/operations.md, Upgrades).
"""

from __future__ import annotations

BEFORE_2 = frozenset({None, "1.0"})
"""None is the version of runs from before there were versions."""


def hedges_sooner(version: str | None) -> bool:
    """Whether a hedge is hedged sooner than a first call (`shared.scheduling.hedging`), as from 2.0 on."""
    return version not in BEFORE_2
