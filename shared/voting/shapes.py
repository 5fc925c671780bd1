"""Votes by the shape of their answers, which the rule tells: a rule decides one shape of ballot only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal

from shared.contracts.rules import AnyRule, Weighted
from shared.voting.answers import weight_of
from shared.voting.election import Election, Vote

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


def texts(votes: Sequence[Vote]) -> list[str]:
    """The answers of choice, boolean and free ballots, in voter order."""
    return [vote.answer for vote in votes if isinstance(vote.answer, str)]


def lists(votes: Sequence[Vote]) -> list[tuple[str, ...]]:
    """The approved options, or the ranked ones from best to worst, in voter order."""
    return [vote.answer for vote in votes if isinstance(vote.answer, tuple)]


def numbers(votes: Sequence[Vote]) -> list[float]:
    """The numbers, in voter order."""
    return [vote.answer for vote in votes if isinstance(vote.answer, int | float)]


def sheets(votes: Sequence[Vote]) -> list[Mapping[str, float]]:
    """The scores by criterion, in voter order."""
    return [vote.answer for vote in votes if isinstance(vote.answer, Mapping)]


def options_of(election: Election, votes: Sequence[Vote]) -> list[str]:
    """What can be voted for: the election's options, or else all that `votes` list, in order of mention."""
    if election.options is not None:
        return list(election.options)
    return list(dict.fromkeys(option for listed in lists(votes) for option in listed))


def support(votes: Sequence[Vote], rule: AnyRule) -> Fraction:
    """What `votes` count together under `rule`: their number, but under `weighted` their weight."""
    if not isinstance(rule, Weighted):
        return Fraction(len(votes))
    return sum((weight_of(vote, rule) for vote in votes), start=Fraction())
