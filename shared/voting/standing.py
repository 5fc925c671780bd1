"""Who leads, and what that makes of a vote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.voting.election import Election, Verdict
from shared.voting.exact import Score


def blank(election: Election, answers: Iterable[str]) -> dict[str, Score]:
    """A zero for every option, in their order, and for every other of `answers`, in the order of first mention."""
    return dict.fromkeys((*(election.options or ()), *answers), 0)


def best_first(scores: Mapping[str, Score]) -> dict[str, float]:
    """`scores` as numbers to show, from the highest; equals stay in their order."""
    return {answer: float(scores[answer]) for answer in sorted(scores, key=lambda answer: -scores[answer])}


def in_front(scores: Mapping[str, Score]) -> tuple[str, ...]:
    """Those with the highest score, in their order. Who has no score at all leads nobody, so zeros have no leader."""
    best = max(scores.values(), default=0)
    return tuple(answer for answer, score in scores.items() if score == best > 0)


def no_votes(election: Election) -> Verdict:
    """What no votes make: every option at zero."""
    return Verdict("no_votes", scores=best_first(blank(election, ())))


def verdict_on(scores: Mapping[str, Score], leaders: tuple[str, ...], *, suffices: bool = True) -> Verdict:
    """What `leaders` make of a vote; `suffices` is whether the rule's condition holds for one who leads alone."""
    shown = best_first(scores)
    if len(leaders) > 1:
        return Verdict("tie", leaders=leaders, scores=shown)
    if leaders and suffices:
        return Verdict("decided", leaders[0], leaders, shown)
    return Verdict("no_consensus", leaders=leaders, scores=shown)
