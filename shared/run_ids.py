"""Run ids: 32 hex digits that sort newest first and that nobody can guess.

The first 12 are the milliseconds left until the year 10889, so a later run's id comes first wherever the task hub
lists instances by their ids; the other 20 are chance.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import takewhile

RUN_ID = re.compile(r"[0-9a-f]{32}")
CHANCE_BYTES = 10
FIRST_RUN = datetime(2026, 1, 1, tzinfo=UTC)
"""No run with such an id is older."""

_LAST_MS = 2**48 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UUID4 = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")


def run_id_at(moment: datetime, chance: bytes) -> str:
    """The id of a run that is accepted at `moment`; `chance` are `CHANCE_BYTES` bytes from a secure source.

    It never looks like the random UUID that runs had for their id before.
    """
    made = _digits(moment) + chance.hex()
    return made if is_time_ordered(made) else f"{made[:12]}5{made[13:]}"


def is_time_ordered(run_id: str) -> bool:
    """Whether a run's id is of this form, and no random UUID."""
    return RUN_ID.fullmatch(run_id) is not None and _UUID4.fullmatch(run_id) is None


def prefix_between(earliest: datetime, latest: datetime) -> str:
    """What the ids of all runs that are accepted between two moments begin with."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(_digits(earliest), _digits(latest), strict=True))
    return "".join(digit for digit, _ in alike)


def _digits(moment: datetime) -> str:
    elapsed = (moment - _EPOCH) // timedelta(milliseconds=1)
    return f"{_LAST_MS - min(max(elapsed, 0), _LAST_MS):012x}"
