"""Rules for numbers and for scores. Each takes an election and its counted votes, in any order.

Means are exact until they are shown, so that no order of the votes changes them and a threshold is reached when it is
reached on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import comb, floor, sqrt

from shared.contracts.decision import CriterionScore
from shared.contracts.rules import PerCriterion, TrimmedMean
from shared.voting.election import Election, Spread, Verdict, Vote
from shared.voting.exact import exact, mean
from shared.voting.reading import number_in, rule_of, scores_in
from shared.voting.student import t_quantile

LEVEL = 0.95
"""The probability with which an interval has the value that a jury without end would give."""


def median(_election: Election, votes: Sequence[Vote]) -> Verdict:
    """The middle number, or the mean of the two in the middle, with an interval from six votes on."""
    if not votes:
        return Verdict("no_votes")
    numbers = _ascending(map(number_in, votes))
    return Verdict("decided", float(middle(numbers)), interval=_of_order_statistics(numbers))


def trimmed_mean(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The mean without the rule's share of the numbers at either end, with an interval when two numbers or more remain.

    The share of few numbers is rounded down: a tenth of nine is none.
    """
    if not votes:
        return Verdict("no_votes")
    numbers = _ascending(map(number_in, votes))
    cut = floor(len(numbers) * exact(rule_of(election, TrimmedMean).trim))
    kept = numbers[cut : len(numbers) - cut]
    return Verdict("decided", float(mean(kept)), interval=_of_trimmed(numbers, cut, election))


def per_criterion(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The weighted mean of the criteria's scores, or with a threshold whether it is reached: `pass` or `fail`.

    `scores` are the criteria's, in their order; there are none without votes.
    """
    if not votes:
        return Verdict("no_votes")
    rule = rule_of(election, PerCriterion)
    scores = {name: _score(rule, given) for name, given in _by_criterion(election, votes).items()}
    overall = weighted_mean(election, scores)
    shown = {name: float(score) for name, score in scores.items()}
    if rule.threshold is None:
        return Verdict("decided", float(overall), scores=shown)
    return Verdict("decided", "pass" if overall >= exact(rule.threshold) else "fail", scores=shown)


def criterion_scores(election: Election, votes: Sequence[Vote]) -> list[CriterionScore]:
    """What each criterion got, in their order; nothing without votes. `deviation` is that of the votes themselves."""
    if not votes:
        return []
    rule = rule_of(election, PerCriterion)
    return [
        CriterionScore(
            name=name,
            score=float(_score(rule, given)),
            minimum=float(given[0]),
            maximum=float(given[-1]),
            deviation=sqrt(_squares(given) / len(given)),
        )
        for name, given in _by_criterion(election, votes).items()
    ]


def weighted_mean(election: Election, scores: Mapping[str, Fraction]) -> Fraction:
    """The mean of `scores` by criterion, each counted as often as its weight says."""
    weights = {name: exact(weight) for name, weight in election.criteria.items()}
    whole = sum(weights.values(), start=Fraction())
    return sum((weights[name] * scores[name] for name in weights), start=Fraction()) / whole


def middle(numbers: Sequence[Fraction]) -> Fraction:
    """The median of `numbers`, which are in ascending order."""
    half = len(numbers) // 2
    return numbers[half] if len(numbers) % 2 else (numbers[half - 1] + numbers[half]) / 2


def _score(rule: PerCriterion, given: Sequence[Fraction]) -> Fraction:
    return mean(given) if rule.statistic == "mean" else middle(given)


def _by_criterion(election: Election, votes: Sequence[Vote]) -> dict[str, list[Fraction]]:
    """The scores that each criterion got, in ascending order."""
    given = [scores_in(vote) for vote in votes]
    return {name: _ascending([scores[name] for scores in given]) for name in election.criteria}


def _ascending(numbers: Iterable[float]) -> list[Fraction]:
    """In the order of the floats, which is that of the decimals that they are written as, and found much sooner."""
    return [exact(number) for number in sorted(numbers)]


def _of_order_statistics(numbers: Sequence[Fraction]) -> Spread | None:
    """From the k-th smallest to the k-th largest number, with the greatest k that has the median at `LEVEL` at least.

    The median of what the numbers are drawn from is outside when fewer than k of them fall on one of its sides: a
    binomial probability, whatever they are drawn from. Less than six numbers cannot have it at 95 %. Source: David and
    Nagaraja, Order Statistics (2003), section 7.1.
    """
    count = len(numbers)
    outside, cut = Fraction(0), 0
    while (outside := outside + Fraction(2 * comb(count, cut), 2**count)) <= 1 - exact(LEVEL):
        cut += 1
    if cut == 0:
        return None
    return Spread(float(numbers[cut - 1]), float(numbers[-cut]), LEVEL, "order_statistics")


def _of_trimmed(numbers: Sequence[Fraction], cut: int, election: Election) -> Spread | None:
    """Student's interval around the mean without `cut` numbers at either end, within the bounds of the ballot.

    Its error counts each number that was cut as the nearest one that was kept. Source: Yuen, The two-sample trimmed t
    for unequal population variances, Biometrika 61 (1974), for one sample; without a cut it is the usual one.
    """
    left = len(numbers) - 2 * cut
    if left < 2:  # noqa: PLR2004 - one number has no spread
        return None
    kept = numbers[cut : len(numbers) - cut]
    winsorized = [kept[0]] * cut + list(kept) + [kept[-1]] * cut
    try:
        reach = t_quantile(LEVEL, left - 1) * sqrt(_squares(winsorized) / (left * (left - 1)))
    except OverflowError:  # numbers so far apart that the squares of their distances are no floats
        return None
    low, high = float(mean(kept)) - reach, float(mean(kept)) + reach
    return Spread(
        low if election.low is None else max(low, election.low),
        high if election.high is None else min(high, election.high),
        LEVEL,
        "student_t",
    )


def _squares(numbers: Sequence[Fraction]) -> Fraction:
    """The sum of the squared distances from the mean."""
    centre = mean(numbers)
    return sum(((number - centre) ** 2 for number in numbers), start=Fraction())
