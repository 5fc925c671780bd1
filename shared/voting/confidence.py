"""What the votes say about their own reliability. Every figure is of the votes alone: none says that they are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import comb, fsum, log, sqrt

from shared.contracts.decision import HonestConfidence
from shared.contracts.rules import BestOf, Borda, Condorcet
from shared.voting.election import Election, Verdict, Vote
from shared.voting.reading import listed_in, number_in, scores_in, text_of
from shared.voting.shapes import SHAPES, Shape, options_of, support


def honest_confidence(
    election: Election,
    votes: Sequence[Vote],
    verdict: Verdict,
    *,
    lead_probability: float | None,
    unchanged_probability: float | None,
) -> HonestConfidence:
    """The figures of `HonestConfidence` for the counted `votes` and what the rule made of them.

    The two probabilities are those of the stopping rule, or None where it has none. Without votes all others are None.
    """
    shape = SHAPES[election.rule.type]
    return HonestConfidence(
        agreement=AGREEMENT[shape](election, votes) if votes else None,
        margin=margin(election, votes, verdict),
        effective_voters=effective_voters(election, votes),
        lead_probability=lead_probability,
        unchanged_probability=unchanged_probability,
        stated=fsum(vote.confidence for vote in votes) / len(votes) if votes else None,
    )


# Agreement


def _of_answers(election: Election, votes: Sequence[Vote]) -> float | None:
    """1 - entropy of the shares ÷ the most that it could be; a lone vote agrees with itself.

    The most is log(options), or log(votes) where answers are open, as there may be one for each vote.
    """
    groups: dict[str, list[Vote]] = {}
    for vote, answer in zip(votes, [text_of(vote) for vote in votes], strict=True):
        groups.setdefault(answer, []).append(vote)
    total = support(votes, election.rule)
    if not total:
        return None
    shares = [float(support(group, election.rule) / total) for group in groups.values()]
    return _within_one(1 - _entropy(shares) / log(_kinds(election, votes)))


def _of_approvals(election: Election, votes: Sequence[Vote]) -> float | None:
    """Mean over the options of 1 - binary entropy: all approve of an option or nobody does is agreement on it."""
    approvals = _approvals(election, votes)
    shares = [count / len(votes) for count in approvals.values()]
    disorder = [_entropy([share, 1 - share]) / log(2) for share in shares]
    return _within_one(1 - fsum(disorder) / len(disorder)) if disorder else None


def _of_rankings(election: Election, votes: Sequence[Vote]) -> float | None:
    """Kendall's coefficient of concordance W, with the options that a voter left out tied behind the others.

    Unlike the entropy of first preferences it hears the whole ranking, as the rules do. Rankings drawn at random have
    an expected W of 1 ÷ votes, not of 0. None if no ranking tells any two options apart.
    Source: Kendall and Babington Smith, The Problem of m Rankings, 1939; for ties Kendall, Rank Correlation Methods.
    """
    options, voters = options_of(election, votes), len(votes)
    many = len(options)
    places = [_doubled_places(ranking, options) for ranking in [listed_in(vote) for vote in votes]]
    squares = sum((sum(place[option] for place in places) - voters * (many + 1)) ** 2 for option in options)
    left_out = [many - len(ranking) for ranking in [listed_in(vote) for vote in votes]]
    most = voters * voters * (many**3 - many) - voters * sum(tied**3 - tied for tied in left_out)
    return 3 * squares / most if most else None


def _of_numbers(election: Election, votes: Sequence[Vote]) -> float | None:
    """1 - population standard deviation ÷ half the range, which is the most that it can be; None without bounds."""
    return _closeness(election, [number_in(vote) for vote in votes])


def _of_scores(election: Election, votes: Sequence[Vote]) -> float | None:
    """The mean over the criteria of what it is for numbers."""
    given = [scores_in(vote) for vote in votes]
    each = [_closeness(election, [sheet[name] for sheet in given]) for name in election.criteria]
    known = [closeness for closeness in each if closeness is not None]
    return fsum(known) / len(known) if known else None


AGREEMENT: Mapping[Shape, Callable[[Election, Sequence[Vote]], float | None]] = {
    "answers": _of_answers,
    "approvals": _of_approvals,
    "rankings": _of_rankings,
    "numbers": _of_numbers,
    "scores": _of_scores,
}
"""How much the votes (at least one) agree, from 0 to 1, for each shape of answers."""


def _kinds(election: Election, votes: Sequence[Vote]) -> int:
    """How many answers there might be, at least 2."""
    return max(2, len(votes) if election.options is None else len(election.options))


def _approvals(election: Election, votes: Sequence[Vote]) -> dict[str, int]:
    counts = Counter(option for approved in [listed_in(vote) for vote in votes] for option in approved)
    return {option: counts[option] for option in options_of(election, votes)}


def _doubled_places(ranking: Sequence[str], options: Sequence[str]) -> dict[str, int]:
    """Twice the place of each option, counted from 1: those left out share the mean of the places that are left."""
    last = len(ranking) + 1 + len(options)
    return dict.fromkeys(options, last) | {option: 2 * place for place, option in enumerate(ranking, start=1)}


def _entropy(shares: Sequence[float]) -> float:
    return -fsum(share * log(share) for share in shares if share > 0)


def _closeness(election: Election, values: Sequence[float]) -> float | None:
    if election.low is None or election.high is None or not values:
        return None
    mean = fsum(values) / len(values)
    deviation = sqrt(fsum((value - mean) ** 2 for value in values) / len(values))
    return _within_one(1 - deviation / ((election.high - election.low) / 2))


def _within_one(value: float) -> float:
    """`value` without what rounding has put beside 0 to 1."""
    return min(1.0, max(0.0, value))


# Margin


def margin(election: Election, votes: Sequence[Vote], verdict: Verdict) -> float | None:
    """How far the decision (or the first leader) is ahead of the strongest other answer, as a share from 0 to 1.

    Of the votes, the weight, the voters (approvals) or the points that one option could have got (Borda, best of N).
    For `condorcet` it is the smallest majority by which it beats another option: its wins alone say nothing of how
    close they were. 0 where it is not ahead: after a tie, and when a veto or a completion decides against the count.
    None for numbers and scores, without votes, and for a lone candidate of best of N.
    """
    first = verdict.decision if isinstance(verdict.decision, str) else next(iter(verdict.leaders), None)
    if not votes or first is None or SHAPES[election.rule.type] in ("numbers", "scores"):
        return None
    if isinstance(election.rule, Condorcet):
        return _smallest_majority(election, votes, first)
    most = _most_possible(election, votes, verdict)
    if most is None:
        return None
    others = [score for answer, score in verdict.scores.items() if answer != first]
    lead = verdict.scores.get(first, 0.0) - max(others, default=0.0)
    return _within_one(lead / most) if most else 0.0


def _most_possible(election: Election, votes: Sequence[Vote], verdict: Verdict) -> float | None:
    """The score of an answer that everybody gave, or ranked first."""
    match election.rule:
        case Borda():
            return len(votes) * (len(options_of(election, votes)) - 1)
        case BestOf() if len(verdict.scores) > 1:
            # The points of r rankings of m candidates add up to r·m(m - 1)/2; the best of them can have r(m - 1).
            return 2 * fsum(verdict.scores.values()) / len(verdict.scores)
        case BestOf():
            return None
        case rule:
            return float(support(votes, rule))


def _smallest_majority(election: Election, votes: Sequence[Vote], first: str) -> float:
    options = options_of(election, votes)
    places = [_doubled_places(ranking, options) for ranking in [listed_in(vote) for vote in votes]]
    leads = [
        sum((place[first] < place[rival]) - (place[first] > place[rival]) for place in places)
        for rival in options
        if rival != first
    ]
    return _within_one(min(leads, default=0) / len(votes))


# Effective voters


def effective_voters(election: Election, votes: Sequence[Vote]) -> float | None:
    """How many independent voters `votes` are worth at least, from 1 to their number: n ÷ (1 + (n - 1)ρ).

    This is Kish's design effect (Survey Sampling, 1965) with, as the correlation ρ, the agreement beyond chance: S
    of Bennett, Alpert and Goldstein (1954), which is (P - 1/k) ÷ (1 - 1/k) for a share P of agreeing pairs of voters
    and k answers, and not below 0. It is a lower bound on purpose. Voters also agree because they are right, and this
    counts all agreement as if it came from shared error: nothing in the votes tells the two apart. Every voter
    counts as one, also under `weighted`. None without votes, and for numbers and scores.
    """
    agreeing_pairs = AGREEING_PAIRS.get(SHAPES[election.rule.type])
    if agreeing_pairs is None or not votes:
        return None
    agreeing, pairs, kinds = agreeing_pairs(election, votes)
    beyond_chance = max(0.0, (kinds * agreeing - pairs) / ((kinds - 1) * pairs)) if pairs else 0.0
    return len(votes) / (1 + (len(votes) - 1) * beyond_chance)


def _same_answers(election: Election, votes: Sequence[Vote]) -> tuple[int, int, int]:
    agreeing = sum(comb(count, 2) for count in Counter([text_of(vote) for vote in votes]).values())
    return agreeing, comb(len(votes), 2), _kinds(election, votes)


def _same_approvals(election: Election, votes: Sequence[Vote]) -> tuple[int, int, int]:
    """For each option, the pairs of voters who both approve of it or both do not."""
    approvals, voters = _approvals(election, votes), len(votes)
    agreeing = sum(comb(count, 2) + comb(voters - count, 2) for count in approvals.values())
    return agreeing, len(approvals) * comb(voters, 2), 2


def _same_orders(election: Election, votes: Sequence[Vote]) -> tuple[int, int, int]:
    """For each two options, the pairs of voters who order them alike (Kendall), in halves.

    Both leaving the two out is agreement; one leaving them out is half of one, as chance would have it.
    """
    options = options_of(election, votes)
    places = [_doubled_places(ranking, options) for ranking in [listed_in(vote) for vote in votes]]
    agreeing = 0
    for index, one in enumerate(options):
        for other in options[index + 1 :]:
            before = sum(place[one] < place[other] for place in places)
            after = sum(place[one] > place[other] for place in places)
            tied = len(places) - before - after
            agreeing += 2 * (comb(before, 2) + comb(after, 2) + comb(tied, 2)) + tied * (before + after)
    return agreeing, 2 * comb(len(options), 2) * comb(len(places), 2), 2


AGREEING_PAIRS: Mapping[Shape, Callable[[Election, Sequence[Vote]], tuple[int, int, int]]] = {
    "answers": _same_answers,
    "approvals": _same_approvals,
    "rankings": _same_orders,
}
"""For each shape of answers: how many comparisons of two voters agree, of how many, and how many answers each has."""
