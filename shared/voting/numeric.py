"""Rules for numbers and for scores. Each takes an election and its counted votes, in any order."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.voting import CriterionScore
from shared.voting.election import Election, Verdict, Vote


def median(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The middle number."""
    raise NotImplementedError


def trimmed_mean(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The mean without the extremes."""
    raise NotImplementedError


def per_criterion(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The weighted mean of the criteria's scores, or whether it reaches the rule's threshold."""
    raise NotImplementedError


def criterion_scores(election: Election, votes: Sequence[Vote]) -> list[CriterionScore]:
    """What each criterion got."""
    raise NotImplementedError
