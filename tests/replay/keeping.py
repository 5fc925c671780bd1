"""What becomes of a history when its scenario is recorded anew: runs of every version that is out there stay guarded.

- A history that the orchestrator no longer follows is not replaced: its runs may be under way. The orchestrator has
  to decide for their version as it did, and otherwise only for a newer one.
- Once it does, and runs of the newer version decide otherwise, if only at another time, the old one is kept as
  `NAME@VERSION`. `test_replay.py` replays it for as long as it is there.
- A history that is of no other version stands for all: `stand_ins` says which one for which.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.orchestrators.fake_context import Orchestrator
from tests.replay.history import History
from tests.replay.replay import order_of, strays

KEPT = "@"
BEFORE_VERSIONS = "0"
"""In a name, the version of those that have none: it is older than any."""


class RunsWouldStrayError(SystemExit):
    """The old history is not replaced; the message says where its runs would go astray, and what to do."""


def is_kept(path: Path) -> bool:
    """Whether a history is of an older version, whose scenario is recorded no more."""
    return KEPT in path.stem


def make_room(new: History, orchestrator: Orchestrator) -> None:
    """Let `new` be saved; raise `RunsWouldStrayError` if the history in its place must not be replaced."""
    if not new.path.exists():
        return
    old = History.load(new.path)
    if astray := strays(old, orchestrator):
        raise RunsWouldStrayError(f"{astray}\n{new.path.name} stays as it is.")
    if old.version != new.version and _decides_otherwise(old, new, orchestrator):
        old.path.rename(old.path.with_stem(f"{old.name}{KEPT}{old.version or BEFORE_VERSIONS}"))


def _decides_otherwise(old: History, new: History, orchestrator: Orchestrator) -> bool:
    """Whether runs of the new version do: by what was recorded, or in the place of the old run, moments included."""
    return order_of(old) != order_of(new) or strays(old.of_version(new.version), orchestrator) is not None


def numbers(version: str | None) -> tuple[int, ...]:
    """A version as it is compared; runs from before there were versions are older than any."""
    return tuple(int(part) for part in (version or BEFORE_VERSIONS).split("."))


def stand_ins(histories: Iterable[History], versions: Iterable[str | None]) -> list[History]:
    """For each scenario and each version without a history of it, the nearest one, as if it were of that version."""
    by_scenario: dict[str, list[History]] = {}
    for history in histories:
        by_scenario.setdefault(history.name.partition(KEPT)[0], []).append(history)
    return [
        nearest(recorded, version).of_version(version)
        for recorded in by_scenario.values()
        for version in versions
        if version not in {history.version for history in recorded}
    ]


def nearest(recorded: list[History], version: str | None) -> History:
    """The history that stands for a version: of the next older one, else of the oldest."""
    ordered = sorted(recorded, key=lambda history: numbers(history.version))
    older = [history for history in ordered if numbers(history.version) < numbers(version)]
    return older[-1] if older else ordered[0]
