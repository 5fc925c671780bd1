from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import log2
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.decision import HonestConfidence
from shared.contracts.rules import AnyRule, BestOf, InstantRunoff, Median, PerCriterion, Veto, Weighted
from shared.voting.confidence import effective_voters, honest_confidence, margin
from shared.voting.election import Election, Verdict, Vote
from shared.voting.shapes import SHAPES
from tests.shared.voting.tell_given import (
    ABC,
    APPROVAL,
    BORDA,
    CHOICE,
    CONDORCET,
    OPEN,
    decided,
    plurality_of,
    tied,
    votes_for,
)

NUMBER = Election(Median(), low=0.0, high=10.0)
ORDERS = [tuple(order) for order in permutations(ABC)]
PARTIAL = [order[:length] for order in ORDERS for length in (1, 2, 3)]


def agreement(election: Election, votes: list[Vote]) -> float | None:
    return told(election, votes, Verdict("no_votes")).agreement


def told(election: Election, votes: list[Vote], verdict: Verdict) -> HonestConfidence:
    return honest_confidence(election, votes, verdict, lead_probability=None, unchanged_probability=None)


def test_every_rule_has_a_shape() -> None:
    assert sorted(SHAPES) == sorted(rule.model_fields["type"].default for rule in get_args(AnyRule))


# Agreement


def test_voters_who_all_give_an_answer_agree_entirely() -> None:
    assert agreement(CHOICE, votes_for("a", "a", "a")) == 1


def test_voters_who_spread_evenly_over_the_options_do_not_agree() -> None:
    assert agreement(CHOICE, votes_for("a", "b", "c")) == pytest.approx(0)


def test_agreement_is_one_minus_the_entropy_of_the_shares() -> None:
    yes_or_no = Election(CHOICE.rule, ("true", "false"))
    entropy = -(0.75 * log2(0.75) + 0.25 * log2(0.25))
    assert agreement(yes_or_no, votes_for("true", "true", "true", "false")) == pytest.approx(1 - entropy)


def test_open_answers_agree_the_less_the_more_of_the_voters_stand_alone() -> None:
    assert agreement(OPEN, votes_for("w", "x", "y", "z")) == pytest.approx(0)
    assert agreement(OPEN, votes_for("x", "x", "y", "y")) == pytest.approx(0.5)
    assert agreement(OPEN, votes_for("x")) == 1


def test_under_a_weighted_rule_agreement_is_that_of_the_weights() -> None:
    votes = votes_for("a", "b", weights=[3, 1])
    by_weight = Election(Weighted(), ("a", "b"))
    assert agreement(by_weight, votes) == agreement(Election(CHOICE.rule, ("a", "b")), votes_for("a", "a", "a", "b"))
    assert agreement(replace(by_weight, rule=CHOICE.rule), votes) == pytest.approx(0)


def test_weights_that_add_up_to_nothing_say_nothing_of_agreement() -> None:
    assert agreement(Election(Weighted(by="confidence"), ABC), votes_for("a", "b", confidences=[0, 0])) is None


def test_approvals_agree_on_each_option_by_itself() -> None:
    assert agreement(APPROVAL, votes_for(("a", "b"), ("a", "b"))) == 1
    assert agreement(APPROVAL, votes_for(("a",), ("b",))) == pytest.approx(1 / 3), "on c alone"


def test_rankings_agree_by_kendall_s_w() -> None:
    assert agreement(BORDA, votes_for(("a", "b", "c"), ("a", "b", "c"))) == 1
    assert agreement(BORDA, votes_for(("a", "b", "c"), ("c", "b", "a"))) == 0
    assert agreement(BORDA, votes_for(*ORDERS)) == 0


def test_kendall_s_w_is_that_worked_by_hand() -> None:
    """Three judges of six contestants, worked by hand: 12 × the squared deviations of the rank sums ÷ n²(m³ - m)."""
    options = ("a", "b", "c", "d", "e", "f")
    ranks = [(1, 6, 3, 2, 5, 4), (1, 5, 6, 4, 2, 3), (6, 3, 2, 5, 4, 1)]
    orders = [tuple(option for _, option in sorted(zip(rank, options, strict=True))) for rank in ranks]
    sums = [sum(rank[place] for rank in ranks) for place in range(6)]
    by_hand = 12 * sum((total - 10.5) ** 2 for total in sums) / (9 * (216 - 6))

    assert sums == [8, 14, 11, 11, 11, 8]
    assert by_hand == pytest.approx(0.1619, abs=1e-4)
    assert agreement(Election(BORDA.rule, options), votes_for(*orders)) == pytest.approx(by_hand)


def test_the_same_partial_ranking_by_all_is_entire_agreement() -> None:
    assert agreement(BORDA, votes_for(("b",), ("b",), ("b",))) == 1


def test_rankings_of_nothing_say_nothing_of_agreement() -> None:
    assert agreement(BORDA, votes_for((), ())) is None


def test_numbers_agree_as_far_as_they_stay_together_within_their_bounds() -> None:
    assert agreement(NUMBER, votes_for(7.0, 7.0)) == 1
    assert agreement(NUMBER, votes_for(0.0, 10.0)) == 0
    assert agreement(NUMBER, votes_for(4.0, 6.0)) == pytest.approx(0.8)


def test_numbers_without_bounds_have_no_measure_of_agreement() -> None:
    assert agreement(Election(Median(), low=0.0), votes_for(1.0, 2.0)) is None


def test_scores_agree_by_the_mean_of_their_criteria() -> None:
    scores = Election(PerCriterion(), low=1.0, high=5.0, criteria={"style": 1.0, "depth": 9.0})
    votes = votes_for({"style": 1.0, "depth": 3.0}, {"style": 5.0, "depth": 3.0})
    assert agreement(scores, votes) == pytest.approx(0.5)


# Margin


def test_the_margin_is_the_lead_as_a_share_of_the_votes() -> None:
    votes = votes_for("a", "a", "a", "b", "c")
    assert margin(CHOICE, votes, plurality_of(votes, ABC)) == pytest.approx(2 / 5)


def test_a_unanimous_vote_has_the_whole_margin() -> None:
    votes = votes_for("x", "x")
    assert margin(OPEN, votes, plurality_of(votes)) == 1


def test_a_tie_has_no_margin_also_when_it_was_broken() -> None:
    votes = votes_for("a", "b")
    tie = plurality_of(votes, ABC)
    assert margin(CHOICE, votes, tie) == 0
    assert margin(CHOICE, votes, replace(tie, outcome="decided", decision="b")) == 0


def test_a_veto_against_the_most_votes_has_no_margin() -> None:
    votes = votes_for("a", "a", "b")
    vetoed = decided("b", {"b": 1.0, "a": 2.0})
    assert margin(Election(Veto(answer="b"), ABC), votes, vetoed) == 0


def test_weights_are_led_by_shares_of_the_weight() -> None:
    votes = votes_for("a", "b", weights=[3, 1])
    assert margin(Election(Weighted(), ABC), votes, decided("a", {"a": 3, "b": 1, "c": 0})) == pytest.approx(0.5)


def test_weights_that_add_up_to_nothing_have_no_margin() -> None:
    votes = votes_for("a", "b", confidences=[0, 0])
    tie = tied(["a", "b", "c"], {"a": 0, "b": 0, "c": 0})
    assert margin(Election(Weighted(by="confidence"), ABC), votes, tie) == 0


def test_approvals_are_led_by_shares_of_the_voters() -> None:
    votes = votes_for(("a", "b"), ("a",), ("a", "c"), ("b",))
    assert margin(APPROVAL, votes, decided("a", {"a": 3, "b": 2, "c": 1})) == pytest.approx(1 / 4)


def test_points_are_led_by_shares_of_those_that_one_option_could_have() -> None:
    votes = votes_for(("a", "b", "c"), ("a", "c", "b"))
    assert margin(BORDA, votes, decided("a", {"a": 4, "b": 1, "c": 1})) == pytest.approx(3 / 4)


def test_a_runoff_is_led_by_shares_of_all_votes_also_of_exhausted_ones() -> None:
    votes = votes_for(("a",), ("a",), ("b",), ("c",))
    last = decided("a", {"a": 2, "b": 1, "c": 1})
    assert margin(Election(InstantRunoff(), ABC), votes, last) == pytest.approx(1 / 4)


def test_a_condorcet_winner_leads_by_its_smallest_majority() -> None:
    votes = votes_for(("a", "b", "c"), ("a", "b", "c"), ("b", "a", "c"))
    wins = decided("a", {"a": 2, "b": 1, "c": 0})
    assert margin(CONDORCET, votes, wins) == pytest.approx(1 / 3), "against b; against c it is 1"


def test_the_winner_of_a_condorcet_cycle_does_not_lead() -> None:
    cycle = votes_for(("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"))
    assert margin(CONDORCET, cycle, decided("a", {"a": 1, "b": 1, "c": 1})) == 0


def test_the_best_of_several_leads_by_the_judge_s_points() -> None:
    votes = votes_for("x", "y", "z")
    best = Election(BestOf())
    assert margin(best, votes, decided("y", {"y": 4, "x": 1, "z": 1})) == pytest.approx(3 / 4), "of two rankings"
    assert margin(best, votes, tied(["x", "y", "z"], {"x": 0, "y": 0, "z": 0})) == 0, "without a judgement"
    assert margin(best, votes_for("x"), decided("x", {"x": 0})) is None, "nothing to lead over"


def test_numbers_scores_and_no_votes_have_no_margin() -> None:
    assert margin(NUMBER, votes_for(1.0), decided(1.0)) is None
    scores = Election(PerCriterion(threshold=3), low=1.0, high=5.0, criteria={"depth": 1.0})
    assert margin(scores, votes_for({"depth": 4.0}), decided("pass", {"depth": 4.0})) is None
    assert margin(CHOICE, [], Verdict("no_votes", scores={"a": 0, "b": 0, "c": 0})) is None


# Effective voters


@pytest.mark.parametrize(
    ("election", "answer"), [(CHOICE, "a"), (OPEN, "x"), (APPROVAL, ("a",)), (BORDA, ("c", "a", "b")), (BORDA, ("b",))]
)
@pytest.mark.parametrize("count", [1, 2, 9])
def test_voters_who_all_agree_are_worth_one(election: Election, answer: Any, count: int) -> None:
    assert effective_voters(election, votes_for(*[answer] * count)) == 1


@pytest.mark.parametrize(
    ("election", "answers"), [(CHOICE, ["a", "b", "c"]), (APPROVAL, [("a",), ("b", "c")]), (BORDA, ORDERS)]
)
def test_voters_who_agree_no_more_than_by_chance_are_worth_all_of_them(election: Election, answers: list[Any]) -> None:
    assert effective_voters(election, votes_for(*answers)) == len(answers)


def test_effective_voters_follow_bennett_s_s_and_kish_s_design_effect() -> None:
    agreeing_pairs = (6 + 0) / 10
    rho = (agreeing_pairs - 1 / 3) / (1 - 1 / 3)
    votes = votes_for("a", "a", "a", "a", "b")
    assert effective_voters(CHOICE, votes) == pytest.approx(5 / (1 + 4 * rho)), "2.8 of 5"


def test_approvals_are_compared_option_by_option() -> None:
    votes = votes_for(("a",), ("a", "b"))
    rho = (2 / 3 - 1 / 2) / (1 / 2)
    assert effective_voters(APPROVAL, votes) == pytest.approx(2 / (1 + rho))


def test_rankings_are_compared_by_the_order_of_each_two_options() -> None:
    rho = (2 / 3 - 1 / 2) / (1 / 2)
    assert effective_voters(BORDA, votes_for(("a", "b", "c"), ("a", "c", "b"))) == pytest.approx(2 / (1 + rho))
    one_left_out = (2.5 / 3 - 1 / 2) / (1 / 2)
    assert effective_voters(BORDA, votes_for(("a", "b", "c"), ("a",))) == pytest.approx(2 / (1 + one_left_out))


def test_effective_voters_count_heads_also_under_a_weighted_rule() -> None:
    light, heavy = votes_for("a", "a", "b"), votes_for("a", "a", "b", weights=[9, 1, 1])
    assert effective_voters(Election(Weighted(), ABC), heavy) == effective_voters(CHOICE, light)


def test_numbers_and_no_votes_are_worth_no_number_of_voters() -> None:
    assert effective_voters(NUMBER, votes_for(1.0, 2.0)) is None
    assert effective_voters(CHOICE, []) is None


# All together


def test_what_voters_state_is_their_mean_confidence_and_probabilities_are_passed_on() -> None:
    votes = votes_for("a", "b", confidences=[0.9, 0.4])
    figures = honest_confidence(
        CHOICE, votes, plurality_of(votes, ABC), lead_probability=0.5, unchanged_probability=0.25
    )
    assert (figures.stated, figures.lead_probability, figures.unchanged_probability) == (pytest.approx(0.65), 0.5, 0.25)


def test_without_votes_there_are_no_figures_and_still_the_caution() -> None:
    figures = told(CHOICE, [], Verdict("no_votes"))
    assert set(figures.model_dump(exclude={"caution"}).values()) == {None}
    assert "not verification" in figures.caution


@given(st.lists(st.tuples(st.sampled_from(ABC), st.floats(0, 1)), min_size=1, max_size=30), st.booleans())
def test_figures_of_answers_stay_within_their_bounds(cast: list[tuple[str, float]], closed: bool) -> None:
    votes = votes_for(*[answer for answer, _ in cast], confidences=[confidence for _, confidence in cast])
    stay_within_bounds(CHOICE if closed else OPEN, votes, plurality_of(votes, ABC if closed else ()))


@given(st.lists(st.sampled_from(PARTIAL), min_size=1, max_size=12))
def test_figures_of_rankings_stay_within_their_bounds(rankings: list[tuple[str, ...]]) -> None:
    stay_within_bounds(CONDORCET, votes_for(*rankings), decided("a", dict.fromkeys(ABC, 1.0)))


@given(st.lists(st.lists(st.sampled_from(ABC), unique=True).map(tuple), min_size=1, max_size=12))
def test_figures_of_approvals_stay_within_their_bounds(approvals: list[tuple[str, ...]]) -> None:
    counts = {option: float(sum(option in approved for approved in approvals)) for option in ABC}
    stay_within_bounds(APPROVAL, votes_for(*approvals), decided(max(ABC, key=counts.__getitem__), counts))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=12))
def test_figures_of_numbers_stay_within_their_bounds(numbers: list[float]) -> None:
    assert 0 <= (agreement(NUMBER, votes_for(*numbers)) or 0) <= 1


@given(st.lists(st.sampled_from(PARTIAL), min_size=1, max_size=8).flatmap(st.permutations))
def test_the_order_of_votes_changes_no_figure(rankings: list[tuple[str, ...]]) -> None:
    verdict = decided("a", dict.fromkeys(ABC, 1.0))
    assert told(CONDORCET, votes_for(*rankings), verdict) == told(CONDORCET, votes_for(*sorted(rankings)), verdict)


def stay_within_bounds(election: Election, votes: list[Vote], verdict: Verdict) -> None:
    figures = told(election, votes, verdict)
    assert figures.agreement is not None
    assert figures.margin is not None
    assert figures.effective_voters is not None
    assert 0 <= figures.agreement <= 1
    assert 0 <= figures.margin <= 1
    assert 1 <= figures.effective_voters <= len(votes)
