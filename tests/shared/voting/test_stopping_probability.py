"""How likely those who have not been asked are to change the decision."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.rules import (
    AnyRule,
    Approval,
    Borda,
    Condorcet,
    InstantRunoff,
    Majority,
    Plurality,
    SelfConsistency,
    Supermajority,
    Unanimous,
    Veto,
)
from shared.voting.election import Answer, Election, Vote
from shared.voting.rules import count
from shared.voting.stopping import kept_probability, lead_probability, top_two, unchanged_probability

HEADS = st.integers(0, 40)


def votes(*answers: Answer) -> list[Vote]:
    return [Vote(f"v{place}", answer) for place, answer in enumerate(answers)]


def sequence_probability(first: int, second: int, draws: tuple[bool, ...]) -> Fraction:
    """Of these draws in this order, by Laplace's rule of succession one after the other."""
    likely = Fraction(1)
    for draw in draws:
        likely *= Fraction((first if draw else second) + 1, first + second + 2)
        first, second = first + draw, second + (not draw)
    return likely


# --- Leading for good ---


@pytest.mark.parametrize(
    ("first", "second", "probability"), [(0, 0, 1 / 2), (1, 0, 3 / 4), (3, 0, 15 / 16), (2, 1, 11 / 16)]
)
def test_the_lead_has_the_posterior_of_a_uniform_prior(first: int, second: int, probability: float) -> None:
    assert lead_probability(first, second) == probability


@given(HEADS, HEADS)
def test_one_of_two_leads_in_a_jury_without_end(first: int, second: int) -> None:
    assert lead_probability(first, second) + lead_probability(second, first) == pytest.approx(1)


@given(HEADS, HEADS)
def test_the_lead_agrees_with_the_integral_of_its_density(first: int, second: int) -> None:
    steps = 400
    points = [(place + 0.5) / steps for place in range(steps)]
    density = [p**first * (1 - p) ** second for p in points]
    above = sum(density[steps // 2 :]) / sum(density)

    assert lead_probability(first, second) == pytest.approx(above, abs=1e-3)


# --- Leading in the end ---


@pytest.mark.parametrize(("first", "second", "remaining"), list(product(range(5), range(4), range(7))))
def test_the_prediction_sums_up_all_ways_in_which_the_rest_can_vote(first: int, second: int, remaining: int) -> None:
    expected = sum(
        sequence_probability(first, second, draws)
        for draws in product((True, False), repeat=remaining)
        if first + sum(draws) > second + remaining - sum(draws)
    )

    assert unchanged_probability(first, second, remaining) == pytest.approx(float(expected), abs=1e-15)


@given(HEADS, HEADS, st.integers(0, 200))
def test_the_prediction_is_certain_exactly_when_the_lead_is_out_of_reach(
    first: int, second: int, remaining: int
) -> None:
    assert (unchanged_probability(first, second, remaining) == 1.0) == (first - second > remaining)


def test_what_only_rounds_to_certainty_is_less() -> None:
    assert 0.999_999 < unchanged_probability(100, 0, 100) < 1.0


@pytest.mark.parametrize(("first", "second"), [(3, 0), (4, 2), (7, 7), (2, 5)])
def test_the_prediction_for_many_tends_to_the_posterior(first: int, second: int) -> None:
    assert unchanged_probability(first, second, 20_001) == pytest.approx(lead_probability(first, second), abs=2e-4)


@given(HEADS, HEADS, st.integers(1, 60))
def test_support_makes_a_lead_safer_and_dissent_less_safe(first: int, second: int, remaining: int) -> None:
    now = unchanged_probability(first, second, remaining)

    assert unchanged_probability(first + 1, second, remaining - 1) >= now
    assert unchanged_probability(first, second + 1, remaining - 1) <= now


def test_four_of_four_are_confident_of_forty_and_three_are_not() -> None:
    assert unchanged_probability(3, 0, 37) < 0.95 <= unchanged_probability(4, 0, 36)


# --- Whose heads ---


@pytest.mark.parametrize(
    ("rule", "cast", "heads"),
    [
        (Plurality(), votes("b", "b", "a", "c", "b", "c"), (3, 2)),
        (Veto(answer="b", count=9), votes("b", "b", "a", "c", "b", "c", "c"), (3, 1)),
        (Approval(), votes(("a", "b"), ("b",), ("b", "c"), ()), (3, 1)),
        (Borda(), votes(("a", "b", "c"), ("a", "b", "c"), ("b", "a", "c")), (2, 1)),
        (Condorcet(), votes(("a",), ("b", "a"), ("c", "a", "b"), ("a", "c", "b")), (3, 1)),
        (InstantRunoff(), votes(("a", "b", "c"), ("a", "c", "b"), ("c", "b", "a")), (2, 1)),
    ],
)
def test_the_heads_are_those_of_the_leader_and_its_strongest_rival(
    rule: AnyRule, cast: list[Vote], heads: tuple[int, int]
) -> None:
    assert top_two(Election(rule, ("a", "b", "c")), cast) == heads


@pytest.mark.parametrize("rule", [Plurality(), Approval(), Borda()])
def test_without_votes_there_are_no_heads(rule: AnyRule) -> None:
    assert top_two(Election(rule, ("a", "b")), []) == (0, 0)


# --- Keeping the decision ---


def predicted(election: Election, cast: list[Vote], remaining: int, one: str, other: str) -> float:
    """The chance that the rule decides for the same, when the rest vote for one of two by Laplace's rule."""
    now = count(election, cast).decision
    first, second = (sum(vote.answer == answer for vote in cast) for answer in (one, other))
    ways = range(remaining + 1)
    chances = [
        Fraction(comb(first + ones, ones) * comb(second + remaining - ones, remaining - ones))
        / comb(first + second + remaining + 1, remaining)
        for ones in ways
    ]
    stays = [
        count(election, [*cast, *votes(*one * ones, *other * (remaining - ones))]).decision == now for ones in ways
    ]
    return float(sum(chance for chance, stay in zip(chances, stays, strict=True) if stay))


@pytest.mark.parametrize("rule", [Plurality(), Majority(), Supermajority(), Supermajority(threshold=0.9), Unanimous()])
@pytest.mark.parametrize("remaining", [0, 1, 2, 5, 12])
@pytest.mark.parametrize(("ones", "others"), [(1, 0), (3, 0), (5, 1), (9, 4), (2, 3)])
def test_of_two_answers_the_decision_stays_as_likely_as_the_rule_itself_says(
    rule: AnyRule, remaining: int, ones: int, others: int
) -> None:
    election, cast = Election(rule, ("a", "b")), votes(*"a" * ones, *"b" * others)
    expected = predicted(election, cast, remaining, *("ab" if ones > others else "ba"))

    if count(election, cast).outcome == "decided":
        assert kept_probability(election, cast, remaining) == pytest.approx(expected, abs=1e-12)
    else:
        assert kept_probability(election, cast, remaining) == 0.0


def test_a_majority_is_up_against_all_others_together() -> None:
    cast = votes(*"aaaabc")

    assert kept_probability(Election(Majority(), ("a", "b", "c")), cast, 10) == unchanged_probability(4, 2, 10)
    assert kept_probability(Election(Plurality(), ("a", "b", "c")), cast, 10) == unchanged_probability(4, 1, 10)


def test_texts_that_a_judge_may_find_the_same_are_up_against_the_leader_together() -> None:
    assert kept_probability(Election(SelfConsistency()), votes(*"aaaabc"), 10) == unchanged_probability(4, 2, 10)


def test_a_decision_that_one_veto_would_end_is_kept_while_nobody_vetoes() -> None:
    election = Election(Veto(answer="b"), ("a", "b"))
    nobody_vetoes = sequence_probability(4, 0, (True,) * 36)

    assert kept_probability(election, votes(*"aaaa"), 36) <= float(nobody_vetoes)
    assert kept_probability(election, votes(*"aaaab"), 35) == 1.0


def test_vetoes_and_rivals_are_two_dangers() -> None:
    cast = votes(*"aaaaaac")
    rare = Election(Veto(answer="b", count=8), ("a", "b", "c"))

    assert kept_probability(rare, cast, 5) == unchanged_probability(6, 1, 5)
    assert 0 < kept_probability(rare, cast, 9) < unchanged_probability(6, 1, 9)


def test_without_a_decision_there_is_nothing_to_keep() -> None:
    assert kept_probability(Election(Plurality(), ("a", "b")), votes("a", "b"), 3) == 0.0
    assert kept_probability(Election(Plurality(), ("a", "b")), [], 3) == 0.0
