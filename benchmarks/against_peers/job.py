"""The job that every library gets: twenty sections of one report, each a call of its own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

MODEL = "offline-extractive"
MATERIAL = (
    "The checkout service timed out on Friday evening because the pool of database connections was exhausted. "
    "Connections are opened for each order line and returned late. The alert on the pool was muted in March. "
    "Rolling back took eleven minutes. Four hundred orders failed, and support answered ninety calls. "
    "Nobody had tested the release under the load of a sale. The team will roll out to one instance first."
)
TOPICS = (
    "the cause", "the trigger", "the timeline", "the detection", "the alerts", "the response", "the rollback",
    "the customers", "the orders", "the revenue", "the support team", "the database", "the connections", "the release",
    "the tests", "the load", "the team", "the communication", "the follow-up", "the open questions",
)  # fmt: skip


class CannotRun(Exception):
    """The library cannot do the job with these settings; the message says why."""


@dataclass(frozen=True, slots=True)
class Section:
    """One of the twenty calls."""

    name: str
    instructions: str
    """As a caller of Chorus writes them."""
    system: str
    """The instructions as Chorus sends them to the model; every peer sends the same."""
    user: str
    """The material as Chorus sends it to the model; every peer sends the same."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a library's program is given."""

    sections: tuple[Section, ...]
    options: Mapping[str, Any]
    """The settings of its row."""
    limit_s: float
    """The time that a run may take; the caller waits no more than a moment longer."""
    api_url: str | None = None
    """Where Chorus listens; the others have none."""

    def to_json(self) -> str:
        """For the other process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From the other process."""
        fields = json.loads(text)
        return cls(**fields | {"sections": tuple(Section(**each) for each in fields["sections"])})


type Texts = list[str | None]
"""A text for each section, in order; None for one that is missing."""

type Run = Callable[[], Awaitable[Texts]]
"""One run of the job. It raises when the library gives no result."""
