"""A vote's answer and an election's rule as the types that a count needs; another type is a mistake of the caller."""

from __future__ import annotations

from collections.abc import Mapping

from shared.voting.election import Election, Vote


def rule_of[R](election: Election, kind: type[R]) -> R:
    """The rule of `election`, which is of this kind."""
    if not isinstance(election.rule, kind):
        raise TypeError(f"the rule is {election.rule.type!r}; this count takes a {kind.__name__}")
    return election.rule


def text_of(vote: Vote) -> str:
    """The one answer that `vote` gives."""
    if not isinstance(vote.answer, str):
        raise _unreadable(vote, "an answer as text")
    return vote.answer


def listed_in(vote: Vote) -> tuple[str, ...]:
    """The options that `vote` approves of, or ranks from best to worst."""
    if not isinstance(vote.answer, tuple):
        raise _unreadable(vote, "a tuple of options")
    return vote.answer


def number_in(vote: Vote) -> float:
    """The number that `vote` gives."""
    if not isinstance(vote.answer, int | float):
        raise _unreadable(vote, "a number")
    return vote.answer


def scores_in(vote: Vote) -> Mapping[str, float]:
    """The score that `vote` gives each criterion."""
    if not isinstance(vote.answer, Mapping):
        raise _unreadable(vote, "scores by criterion")
    return vote.answer


def _unreadable(vote: Vote, wanted: str) -> TypeError:
    return TypeError(f"the vote of {vote.voter!r} is {vote.answer!r}; this count takes {wanted}")
