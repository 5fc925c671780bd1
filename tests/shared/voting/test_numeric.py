from __future__ import annotations

from itertools import permutations
from math import comb
from random import Random

import pytest

from shared.contracts.rules import Median, PerCriterion, TrimmedMean
from shared.voting.election import Election, Spread
from shared.voting.numeric import criterion_scores
from tests.shared.voting.given import verdict, votes


@pytest.mark.parametrize(
    ("numbers", "decision"), [((7,), 7), ((9, 1, 2), 2), ((4, 1, 3, 100), 3.5), ((0.1, 0.2), 0.15)]
)
def test_the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle(
    numbers: tuple[float, ...], decision: float
) -> None:
    found = verdict(Median(), votes(*numbers))

    assert (found.outcome, found.decision) == ("decided", decision)
    assert (found.leaders, found.scores) == ((), {})


@pytest.mark.parametrize(
    ("voters", "place"), [(6, 1), (8, 1), (9, 2), (10, 2), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)]
)
def test_a_medians_interval_has_the_places_of_the_published_table(voters: int, place: int) -> None:
    """Table of the sign test's two-sided 5 % points, such as Conover, Practical Nonparametric Statistics (1999)."""
    found = verdict(Median(), votes(*map(float, range(1, voters + 1))))

    assert found.interval == Spread(place, voters + 1 - place, 0.95, "order_statistics")


@pytest.mark.parametrize("voters", range(6, 201))
def test_a_medians_interval_is_the_narrowest_that_covers_at_its_level(voters: int) -> None:
    found = verdict(Median(), votes(*range(1, voters + 1)))

    assert found.interval is not None
    place = int(found.interval.low)
    outside = [2 * sum(comb(voters, below) for below in range(cut)) / 2**voters for cut in (place, place + 1)]
    assert outside[0] <= 0.05 < outside[1]


def test_five_votes_are_too_few_for_a_medians_interval() -> None:
    assert verdict(Median(), votes(1, 2, 3, 4, 5)).interval is None


def test_a_trimmed_mean_leaves_out_its_share_at_either_end() -> None:
    found = verdict(TrimmedMean(trim=0.2), votes(1000, 2, 3, 4, -50))

    assert (found.outcome, found.decision, found.leaders, found.scores) == ("decided", 3, (), {})


@pytest.mark.parametrize(("trim", "voters", "cut"), [(0.1, 9, 0), (0.1, 10, 1), (0.29, 100, 29), (0.49, 3, 1)])
def test_the_share_of_few_numbers_is_rounded_down(trim: float, voters: int, cut: int) -> None:
    found = verdict(TrimmedMean(trim=trim), votes(*range(voters - 1), 10**9))
    kept = [*range(voters - 1), 10**9][cut : voters - cut]

    assert found.decision == pytest.approx(sum(kept) / len(kept))


def test_a_mean_without_a_cut_has_students_interval() -> None:
    """Mean 3, standard deviation √2.5, t(0.975, 4) = 2.776: 3 ± 2.776 · √2.5 / √5."""
    found = verdict(TrimmedMean(trim=0), votes(1, 2, 3, 4, 5))

    assert found.interval == Spread(pytest.approx(1.0368, abs=1e-4), pytest.approx(4.9632, abs=1e-4), 0.95, "student_t")


def test_a_trimmed_means_interval_is_yuens() -> None:
    """2, 2, 3, 4, 4 once winsorized: squares 4, three numbers left, t(0.975, 2) = 4.303: 3 ± 4.303 · √(4 / 6)."""
    found = verdict(TrimmedMean(trim=0.2), votes(-50, 2, 3, 4, 1000))

    assert found.interval == Spread(
        pytest.approx(-0.5131, abs=1e-4), pytest.approx(6.5131, abs=1e-4), 0.95, "student_t"
    )


def test_an_interval_stays_within_the_ballots_bounds() -> None:
    found = verdict(TrimmedMean(trim=0), votes(0, 1, 9, 10), low=0.0, high=10.0)

    assert found.interval == Spread(0, 10, 0.95, "student_t")


@pytest.mark.parametrize("numbers", [(1,), (1, 2, 900), (1e300, -1e300)])
def test_there_is_no_interval_around_one_number_or_beyond_the_floats(numbers: tuple[float, ...]) -> None:
    assert verdict(TrimmedMean(trim=0.4), votes(*numbers)).interval is None


def test_voters_who_all_say_the_same_leave_no_spread() -> None:
    found = verdict(TrimmedMean(), votes(0.1, 0.1, 0.1))

    assert (found.decision, found.interval) == (0.1, Spread(0.1, 0.1, 0.95, "student_t"))


def test_the_order_of_numbers_changes_no_digit() -> None:
    numbers = (1e15, 0.1, -1e15, 0.2, 0.7)

    found = {verdict(TrimmedMean(trim=0), votes(*order)).decision for order in permutations(numbers)}

    assert found == {0.2}


@pytest.mark.parametrize("rule", [Median(), TrimmedMean(trim=0.1)])
def test_an_interval_has_the_true_value_about_as_often_as_it_says(rule: Median | TrimmedMean) -> None:
    random = Random(7)
    hits = 0
    for _ in range(1_000):
        interval = verdict(rule, votes(*[random.gauss(3, 2) for _ in range(20)])).interval
        hits += interval is not None and interval.low <= 3 <= interval.high

    assert 0.93 <= hits / 1_000 <= 0.98


CRITERIA = {"depth": 1.0, "style": 3.0}
SCORES = votes({"depth": 5, "style": 2}, {"depth": 4, "style": 2}, {"depth": 3, "style": 5})


@pytest.mark.parametrize(
    ("rule", "decision", "scores"),
    [
        (PerCriterion(), (4 + 3 * 3) / 4, {"depth": 4, "style": 3}),
        (PerCriterion(statistic="median"), (4 + 3 * 2) / 4, {"depth": 4, "style": 2}),
        (PerCriterion(threshold=3.25), "pass", {"depth": 4, "style": 3}),
        (PerCriterion(threshold=3.26), "fail", {"depth": 4, "style": 3}),
    ],
)
def test_criteria_are_averaged_by_their_weights(
    rule: PerCriterion, decision: str | float, scores: dict[str, float]
) -> None:
    found = verdict(rule, SCORES, criteria=CRITERIA)

    assert (found.outcome, found.decision) == ("decided", decision)
    assert list(found.scores.items()) == list(scores.items())


@pytest.mark.parametrize("score", [0.1, 1.1, 3.3, 4.7])
def test_a_threshold_is_reached_by_scores_that_equal_it(score: float) -> None:
    cast = votes(*[{"depth": score, "style": score}] * 3)

    assert verdict(PerCriterion(threshold=score), cast, criteria={"depth": 0.1, "style": 0.2}).decision == "pass"


def test_each_criterion_has_its_extremes_and_deviation() -> None:
    found = criterion_scores(Election(PerCriterion(statistic="median"), criteria=CRITERIA), SCORES)

    assert [criterion.name for criterion in found] == ["depth", "style"]
    assert [(criterion.score, criterion.minimum, criterion.maximum) for criterion in found] == [(4, 3, 5), (2, 2, 5)]
    assert [criterion.deviation for criterion in found] == [pytest.approx((2 / 3) ** 0.5), pytest.approx(2**0.5)]


def test_without_votes_there_are_no_scores() -> None:
    assert criterion_scores(Election(PerCriterion(), criteria=CRITERIA), []) == []
    assert verdict(PerCriterion(), [], criteria=CRITERIA).scores == {}
