"""Votes by the shape of their answers, which the rule tells: a rule decides one shape of ballot only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

from shared.contracts.rules import AnyRule, Weighted
from shared.voting.answers import weight_of
from shared.voting.election import Election, Vote
from shared.voting.reading import listed_in

Shape = Literal["answers", "approvals", "rankings", "numbers", "scores"]

SHAPES: Mapping[str, Shape] = {
    "plurality": "answers",
    "majority": "answers",
    "supermajority": "answers",
    "unanimous": "answers",
    "veto": "answers",
    "weighted": "answers",
    "self_consistency": "answers",
    "best_of": "answers",
    "approval": "approvals",
    "borda": "rankings",
    "instant_runoff": "rankings",
    "condorcet": "rankings",
    "median": "numbers",
    "trimmed_mean": "numbers",
    "per_criterion": "scores",
}
"""The shape of the answers that each rule decides between, by the rule's type."""


def options_of(election: Election, votes: Sequence[Vote]) -> list[str]:
    """What can be voted for: the election's options, or else all that `votes` list, in order of mention."""
    if election.options is not None:
        return list(election.options)
    return list(dict.fromkeys(option for vote in votes for option in listed_in(vote)))


def support(votes: Sequence[Vote], rule: AnyRule) -> Fraction:
    """What `votes` count together under `rule`: their number, but under `weighted` their weight."""
    if not isinstance(rule, Weighted):
        return Fraction(len(votes))
    return sum((weight_of(vote, rule) for vote in votes), start=Fraction())
