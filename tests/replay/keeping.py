"""What becomes of a history when its scenario is recorded anew: runs of every version that is out there stay guarded.

- A history that the orchestrator no longer follows is not replaced: its runs may be under way. The orchestrator has
  to decide for their version as it did, and otherwise only for a newer one.
- Once it does, and the new recording is of a newer version and decides otherwise, the old one is kept as
  `NAME@VERSION`. `test_replay.py` replays it for as long as it is there.
"""

from __future__ import annotations

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
    if old.version != new.version and order_of(old) != order_of(new):
        old.path.rename(old.path.with_stem(f"{old.name}{KEPT}{old.version or BEFORE_VERSIONS}"))
