"""From votes to a verdict: the one table of the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shared.voting.answers import (
    approval,
    best_of,
    majority,
    plurality,
    self_consistency,
    supermajority,
    unanimous,
    veto,
    weighted,
)
from shared.voting.condorcet import condorcet
from shared.voting.election import Election, Verdict, Vote
from shared.voting.numeric import median, per_criterion, trimmed_mean
from shared.voting.ranked import borda, instant_runoff

RULES: Mapping[str, Callable[[Election, Sequence[Vote]], Verdict]] = {
    "plurality": plurality,
    "majority": majority,
    "supermajority": supermajority,
    "unanimous": unanimous,
    "veto": veto,
    "weighted": weighted,
    "approval": approval,
    "borda": borda,
    "instant_runoff": instant_runoff,
    "condorcet": condorcet,
    "median": median,
    "trimmed_mean": trimmed_mean,
    "per_criterion": per_criterion,
    "self_consistency": self_consistency,
    "best_of": best_of,
}
"""How the votes of an election are counted, by the type of its rule."""


def count(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The verdict of the election's rule on `votes`: those that count, without abstentions, in any order.

    Their order shows only in the order in which equals that are no options are listed.
    """
    return RULES[election.rule.type](election, votes)
