"""Records the histories that the replay test reads. Run by hand, from the repository's root:

    python -m tests.replay.record            all of them
    python -m tests.replay.record NAME ...   only these scenarios

Each scenario is a real run of the app's orchestrators under the SDK's worker on the in-memory engine, with scripted
agents whose order of answers is fixed. Two recordings differ in times, and, where branches are told to stop, in
which turn hears of it first. Record anew only when a change is meant to change decisions: read the failure of
`test_replay.py` first, it says whether running runs would survive the change. `keeping.py` sees to it that none is
forgotten: what would lead runs of a version astray is not recorded.
"""

from __future__ import annotations

import sys

from tests.orchestrators.durable import Durable
from tests.orchestrators.relay import Stages
from tests.orchestrators.stored_runs import StoredRuns
from tests.replay.history import FOLDER
from tests.replay.keeping import is_kept
from tests.replay.scenario import WRITTEN
from tests.replay.scenarios import SCENARIOS, STAGE_SCENARIOS, STORED_SCENARIOS


def main(names: list[str]) -> None:
    """Record these scenarios, or all."""
    known = [*SCENARIOS, *STAGE_SCENARIOS, *STORED_SCENARIOS]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"There is no scenario {unknown[0]!r}. There are: {', '.join(known)}.")
    FOLDER.mkdir(exist_ok=True)
    with Durable() as durable:
        for name in [name for name in names or SCENARIOS if name in SCENARIOS]:
            durable.anew(run_id=name)
            SCENARIOS[name](durable)
    for name in [name for name in names or STAGE_SCENARIOS if name in STAGE_SCENARIOS]:
        with Stages() as stages:
            stages.run_id = name
            STAGE_SCENARIOS[name](stages)
    for name in [name for name in names or STORED_SCENARIOS if name in STORED_SCENARIOS]:
        with StoredRuns() as stored:
            stored.run_id = name
            STORED_SCENARIOS[name](stored)
    if not names:
        for path in {path for path in FOLDER.glob("*.json") if not is_kept(path)} - WRITTEN:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
