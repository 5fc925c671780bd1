"""What is counted: an election, the votes cast in it, and the verdict that a rule reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.contracts.rules import AnyRule

Outcome = Literal["decided", "tie", "no_consensus", "no_votes"]

Answer = str | tuple[str, ...] | float | Mapping[str, float]
"""A choice as its option (`true` or `false` of a boolean ballot, the normalised text or the group of a free one);
approved options; options from best to worst; a number; scores by criterion."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One counted vote."""

    voter: str
    answer: Answer
    weight: float = 1.0
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Election:
    """What is voted on, and how it is decided.

    `options` are all that can be voted for, in their order, or None when voters name their own answers (and for
    numbers and scores). `low` and `high` bound numbers and scores; `criteria` are weights by name.
    """

    rule: AnyRule
    options: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    criteria: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Counted:
    """One round of a count: the scores of those still in it, and who leaves it."""

    scores: Mapping[str, float]
    eliminated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """An interval for a number, at a level of confidence."""

    low: float
    high: float
    level: float
    method: Literal["order_statistics", "student_t"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of votes.

    `decision` is an option or answer, a number, or `pass` or `fail`; None unless the outcome is `decided`. `leaders`
    share the lead, in the order of the options or of first mention; nobody leads who has no score at all, and of
    numbers and scores nobody does. `scores` has every option and every answer given, best first, equals in that order;
    of scores ballots, the criteria in theirs (none without votes); of numbers, nothing.
    """

    outcome: Outcome
    decision: str | float | None = None
    leaders: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    rounds: tuple[Counted, ...] = ()
    interval: Spread | None = None
