"""Rules for rankings. Each takes an election and its counted votes, in any order; `options` are those of the ballot."""

from __future__ import annotations

from collections.abc import Sequence

from shared.voting.election import Election, Verdict, Vote


def borda(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option with the most points."""
    raise NotImplementedError


def judged(candidates: Sequence[str], rankings: Sequence[Sequence[str]]) -> Verdict:
    """What a judge's rankings of `candidates` add up to."""
    raise NotImplementedError


def instant_runoff(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option left after those first on the fewest ballots are eliminated, round by round."""
    raise NotImplementedError


def condorcet(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option that beats every other one, or what the rule's completion makes of a cycle."""
    raise NotImplementedError
