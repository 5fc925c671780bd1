"""Rules that count who gave which answer. Each takes an election and its counted votes, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from shared.contracts.rules import Supermajority, Veto, Weighted
from shared.normalisation import normalised
from shared.voting.election import Election, Verdict, Vote
from shared.voting.exact import Score, exact, reaches
from shared.voting.reading import listed_in, rule_of, text_of
from shared.voting.standing import blank, in_front, no_votes, verdict_on


def plurality(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The answer with the most votes. `scores` are votes."""
    scores = votes_for(election, votes)
    return verdict_on(scores, in_front(scores)) if votes else no_votes(election)


def majority(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The answer with more than half of the votes counted. `scores` are votes."""
    scores = votes_for(election, votes)
    more_than_half = 2 * max(scores.values(), default=0) > len(votes)
    return verdict_on(scores, in_front(scores), suffices=more_than_half) if votes else no_votes(election)


def supermajority(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The answer with at least the rule's share of the votes counted. `scores` are votes."""
    scores = votes_for(election, votes)
    enough = reaches(max(scores.values(), default=0), len(votes), rule_of(election, Supermajority).threshold)
    return verdict_on(scores, in_front(scores), suffices=enough) if votes else no_votes(election)


def unanimous(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The answer that all votes give. `scores` are votes."""
    scores = votes_for(election, votes)
    all_of_them = max(scores.values(), default=0) == len(votes)
    return verdict_on(scores, in_front(scores), suffices=all_of_them) if votes else no_votes(election)


def veto(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The rule's answer once enough voters give it, else the plurality of the others. `scores` are votes.

    Vetoes below the count are among the scores, but an answer of theirs neither leads nor ties.
    """
    if not votes:
        return no_votes(election)
    scores = votes_for(election, votes)
    vetoing = vetoing_answers(election, scores)
    if vetoing and sum(scores[answer] for answer in vetoing) >= rule_of(election, Veto).count:
        return verdict_on(scores, vetoing[:1])
    others = {answer: score for answer, score in scores.items() if answer not in vetoing}
    return verdict_on(scores, in_front(others))


def vetoing_answers(election: Election, answers: Iterable[str]) -> tuple[str, ...]:
    """Those of `answers` that are the one that a veto gives, which is `true` or `false` on a boolean ballot."""
    stated = rule_of(election, Veto).answer
    wanted = normalised(str(stated).lower() if isinstance(stated, bool) else stated)
    return tuple(answer for answer in answers if normalised(answer) == wanted)


def weighted(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The answer with the greatest weight, with a threshold at least this share of it all. `scores` are weights."""
    if not votes:
        return no_votes(election)
    rule = rule_of(election, Weighted)
    scores = blank(election, map(text_of, votes))
    for vote in votes:
        scores[text_of(vote)] += weight_of(vote, rule)
    whole = sum(scores.values(), start=Fraction())
    enough = rule.threshold is None or reaches(max(scores.values()), whole, rule.threshold)
    return verdict_on(scores, in_front(scores), suffices=enough)


def weight_of(vote: Vote, rule: Weighted) -> Fraction:
    """What `vote` counts for."""
    match rule.by:
        case "weight":
            return exact(vote.weight)
        case "confidence":
            return exact(vote.confidence)
        case "both":
            return exact(vote.weight) * exact(vote.confidence)


def approval(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option that most voters approve of. `scores` are approvals; when there are none at all, nobody leads."""
    if not votes:
        return no_votes(election)
    approved = [option for vote in votes for option in dict.fromkeys(listed_in(vote))]
    scores = _counts(election, approved)
    return verdict_on(scores, in_front(scores))


def self_consistency(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The largest group of answers that mean the same: answers are the groups that a judge has made of them.

    Source: Chen et al., Universal Self-Consistency for Large Language Model Generation (2023), arXiv 2311.17311.
    """
    return plurality(election, votes)


def best_of(election: Election, votes: Sequence[Vote]) -> Verdict:
    """A tie of all answers given, at zero, because no judge has compared them yet (`judged` does); one alone wins."""
    if not votes:
        return no_votes(election)
    candidates = tuple(dict.fromkeys(map(text_of, votes)))
    return verdict_on(blank(election, candidates), candidates)


def votes_for(election: Election, votes: Sequence[Vote]) -> dict[str, Score]:
    """How many votes each option and each other answer got, in the order of the options and of first mention."""
    return _counts(election, [text_of(vote) for vote in votes])


def _counts(election: Election, answers: Sequence[str]) -> dict[str, Score]:
    counts = blank(election, answers)
    for answer in answers:
        counts[answer] += 1
    return counts
