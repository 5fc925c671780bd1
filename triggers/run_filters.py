"""Which runs a list is to have: the query parameters of `GET /api/runs`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, cast, get_args

from shared.contracts.base import MAX_NAME_CHARS
from shared.contracts.run import Pattern
from shared.contracts.run_list import ListedRun, ListedStatus
from shared.run_ids import FIRST_RUN, prefix_between
from triggers.parameters import misfit_parameter

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
PARAMETERS = ("status", "pattern", "recipe", "created_after", "created_before", "limit", "continuation_token")
OF_THE_HOST = ("code", "clientid")
"""Parameters that the Functions host reads: the key and its name."""

RUNTIME_STATUSES: Mapping[ListedStatus, Sequence[str]] = {
    "pending": ("PENDING",),
    "running": ("RUNNING", "SUSPENDED"),
    "succeeded": ("COMPLETED",),
    "partial": ("COMPLETED",),
    "failed": ("COMPLETED", "FAILED"),
    "cancelled": ("COMPLETED", "TERMINATED"),
}
"""What an orchestration may be whose run is that. Nearly every run completes, so its custom status has the rest."""

_STARTED_LATE = timedelta(hours=25)
"""By how much a run may start after its id was made: a re-send heals a start that was lost while its key holds."""
_CLOCKS_APART = timedelta(days=1)
_RECIPE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME_CHARS - 1}}}")


@dataclass(frozen=True, slots=True)
class RunFilters:
    """What a run must be to be listed; None lets every run pass. `statuses` are alternatives; times are exclusive."""

    statuses: tuple[ListedStatus, ...] | None = None
    pattern: Pattern | None = None
    recipe: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """The filters that a request asks for; raise the problem with the first that makes no sense."""
        for name, value in query.items():
            if name.lower() not in {*PARAMETERS, *OF_THE_HOST}:
                raise misfit_parameter(name, value, f"there is no such parameter, only {', '.join(PARAMETERS)}")
        return cls(
            statuses=_statuses(query.get("status")),
            pattern=_pattern(query.get("pattern")),
            recipe=_recipe(query.get("recipe")),
            created_after=_moment("created_after", query.get("created_after")),
            created_before=_moment("created_before", query.get("created_before")),
        )

    @property
    def runtime_statuses(self) -> list[str] | None:
        """What the orchestrations of such runs may be, by name; None for anything."""
        if self.statuses is None:
            return None
        return list(dict.fromkeys(name for status in self.statuses for name in RUNTIME_STATUSES[status]))

    def id_prefix(self, now: datetime) -> str | None:
        """What the ids of all such runs begin with, as seen `now`; None when there can be none."""
        earliest = FIRST_RUN if self.created_after is None else max(self.created_after, FIRST_RUN) - _STARTED_LATE
        latest = now + _CLOCKS_APART
        latest = latest if self.created_before is None else min(self.created_before, latest)
        return prefix_between(earliest, latest) if earliest <= latest else None

    def let_pass(self, run: ListedRun) -> bool:
        """Whether the run is one of those asked for."""
        return (
            (self.statuses is None or run.status in self.statuses)
            and self.pattern in {None, run.pattern}
            and self.recipe in {None, run.recipe}
            and (self.created_after is None or run.started_at > self.created_after)
            and (self.created_before is None or run.started_at < self.created_before)
        )

    def text(self) -> str:
        """The filters in a form of their own, however they were written."""
        times = [moment.isoformat() if moment else None for moment in (self.created_after, self.created_before)]
        return json.dumps([sorted(self.statuses or ()), self.pattern, self.recipe, *times])


def limit_of(query: Mapping[str, str]) -> int:
    """How many runs a page is to have at most."""
    told = query.get("limit", str(DEFAULT_LIMIT))
    if re.fullmatch(r"\d{1,9}", told, re.ASCII) is None or not 1 <= int(told) <= MAX_LIMIT:
        raise misfit_parameter("limit", told, f"send a whole number from 1 to {MAX_LIMIT}")
    return int(told)


def _statuses(told: str | None) -> tuple[ListedStatus, ...] | None:
    if told is None:
        return None
    names = tuple(part.strip() for part in told.split(","))
    if any(name not in RUNTIME_STATUSES for name in names):
        raise misfit_parameter("status", told, f"send one of {', '.join(RUNTIME_STATUSES)}, or several with commas")
    return cast(tuple[ListedStatus, ...], names)


def _pattern(told: str | None) -> Pattern | None:
    if told is not None and told not in get_args(Pattern):
        raise misfit_parameter("pattern", told, f"send one of {', '.join(get_args(Pattern))}")
    return cast(Pattern | None, told)


def _recipe(told: str | None) -> str | None:
    if told is not None and _RECIPE.fullmatch(told) is None:
        raise misfit_parameter("recipe", told, "send the name of a recipe")
    return told


def _moment(name: str, told: str | None) -> datetime | None:
    if told is None:
        return None
    try:
        moment = datetime.fromisoformat(told)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = "send an ISO 8601 time such as 2026-11-21T16:00:00Z, where a plus sign is written %2B"
        raise misfit_parameter(name, told, wanted) from None
