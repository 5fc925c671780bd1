"""Rules that count places on rankings. Each takes an election and its counted votes, in any order.

The options are those of the ballot; `condorcet.py` has the rules that compare them two by two.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from shared.voting.election import Counted, Election, Verdict, Vote
from shared.voting.exact import Score
from shared.voting.reading import listed_in
from shared.voting.standing import best_first, blank, in_front, no_votes, verdict_on


def borda(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option with the most points: m - 1 for a first place among m options, 0 for a last. `scores` are points.

    Options left out share the points of the places left, so that a voter who ranks few of them gives away as many
    points as any other.
    """
    if not votes:
        return no_votes(election)
    scores = points(tuple(blank(election, ())), [listed_in(vote) for vote in votes])
    return verdict_on(scores, in_front(scores))


def points(options: Sequence[str], rankings: Sequence[Sequence[str]]) -> dict[str, Score]:
    """The Borda points of each option, in their order."""
    doubled = dict.fromkeys(options, 0)
    for ranking in rankings:
        left_out = len(options) - len(ranking)
        for place, option in enumerate(ranking, start=1):
            doubled[option] += 2 * (len(options) - place)
        if left_out:
            ranked = dict.fromkeys(ranking)
            for option in options:
                doubled[option] += 0 if option in ranked else left_out - 1
    return {option: Fraction(score, 2) for option, score in doubled.items()}


def judged(candidates: Sequence[str], rankings: Sequence[Sequence[str]]) -> Verdict:
    """The Borda count of a judge's rankings of `candidates`, each of which has all of them, best first.

    A judge favours answers for their position in what it reads. Two rankings, of the candidates in an order and in its
    reverse, give each of them the same positions; where position alone spoke, the points are equal and it is a tie.
    Without a ranking all candidates tie. Source: Zheng et al., Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena
    (2023), arXiv 2306.05685, section 3.4, for two answers.
    """
    if not candidates:
        return Verdict("no_votes")
    scores = points(candidates, rankings)
    best = max(scores.values())
    return verdict_on(scores, tuple(candidate for candidate, score in scores.items() if score == best))


def instant_runoff(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option that is first on more than half of the ballots left, once the weakest are eliminated round by round.

    A ballot counts for the first of its options that is still in; one without any is exhausted, and left out of what
    more than half is taken of. All that are first on the fewest ballots leave together, unless that would leave none:
    then they tie. `scores` are first places: those of the last round, then of each option eliminated when it left,
    the last to leave before the others. An option without any first place is in the count, too.
    """
    if not votes:
        return no_votes(election)
    ballots = [listed_in(vote) for vote in votes]
    rounds = [_round(tuple(blank(election, ())), ballots)]
    while rounds[-1].eliminated:
        rounds.append(_round(_remaining(rounds[-1]), ballots))
    last = rounds[-1].scores
    leaders = [option for option, score in last.items() if score == max(last.values())]
    shown = _final_standing(rounds)
    if len(leaders) > 1:
        return Verdict("tie", leaders=tuple(leaders), scores=shown, rounds=tuple(rounds))
    return Verdict("decided", leaders[0], tuple(leaders), shown, tuple(rounds))


def _round(options: Sequence[str], ballots: Sequence[Sequence[str]]) -> Counted:
    """One round among `options`, in which nobody is eliminated when it is the last."""
    firsts = dict.fromkeys(options, 0)
    for ballot in ballots:
        first = next((option for option in ballot if option in firsts), None)
        if first is not None:
            firsts[first] += 1
    fewest, most = min(firsts.values()), max(firsts.values())
    is_last = 2 * most > sum(firsts.values()) or fewest == most
    eliminated = () if is_last else tuple(option for option in options if firsts[option] == fewest)
    return Counted({option: float(score) for option, score in firsts.items()}, eliminated)


def _remaining(counted: Counted) -> tuple[str, ...]:
    return tuple(option for option in counted.scores if option not in counted.eliminated)


def _final_standing(rounds: Sequence[Counted]) -> dict[str, float]:
    """The last round's scores, best first, and those of the eliminated when they left, the last to leave first."""
    standing = best_first({option: int(score) for option, score in rounds[-1].scores.items()})
    for counted in reversed(rounds):
        standing |= {option: counted.scores[option] for option in counted.eliminated}
    return standing
