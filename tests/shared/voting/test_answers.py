from __future__ import annotations

import pytest

from shared.contracts.rules import (
    AnyRule,
    Approval,
    BestOf,
    Majority,
    Plurality,
    SelfConsistency,
    Supermajority,
    Unanimous,
    Veto,
    Weighted,
)
from shared.voting.election import Vote
from tests.shared.voting.given import verdict, votes

YES_NO = ("true", "false")


def test_plurality_takes_the_answer_with_the_most_votes_without_more_than_half() -> None:
    found = verdict(Plurality(), votes(*"BABCDAA"), "ABCDE")

    assert (found.outcome, found.decision, found.leaders) == ("decided", "A", ("A",))
    assert list(found.scores.items()) == [("A", 3), ("B", 2), ("C", 1), ("D", 1), ("E", 0)]


def test_leaders_that_tie_are_in_the_order_of_the_options() -> None:
    found = verdict(Plurality(), votes(*"CAAC"), "ABC")

    assert (found.outcome, found.decision, found.leaders) == ("tie", None, ("A", "C"))


def test_leaders_of_an_open_vote_are_in_the_order_of_first_mention() -> None:
    found = verdict(Plurality(), votes("zoo", "park", "park", "zoo"))

    assert (found.leaders, list(found.scores)) == (("zoo", "park"), ["zoo", "park"])


@pytest.mark.parametrize(
    ("rule", "answers", "outcome", "leaders"),
    [
        (Majority(), "AAB", "decided", "A"),
        (Majority(), "AABC", "no_consensus", "A"),
        (Majority(), "AABB", "tie", "AB"),
        (Supermajority(), "AAB", "decided", "A"),
        (Supermajority(), "AAABB", "no_consensus", "A"),
        (Supermajority(threshold=0.6), "AAABB", "decided", "A"),
        (Supermajority(threshold=0.61), "AAABB", "no_consensus", "A"),
        (Supermajority(threshold=0.666666666667), "AAB", "decided", "A"),
        (Supermajority(threshold=1), "AAAB", "no_consensus", "A"),
        (Supermajority(threshold=1), "AAA", "decided", "A"),
        (Supermajority(), "AABB", "tie", "AB"),
        (Unanimous(), "AAA", "decided", "A"),
        (Unanimous(), "AAB", "no_consensus", "A"),
        (Unanimous(), "AB", "tie", "AB"),
        (SelfConsistency(), "AAB", "decided", "A"),
    ],
)
def test_a_rule_asks_for_its_share_of_the_votes(rule: AnyRule, answers: str, outcome: str, leaders: str) -> None:
    found = verdict(rule, votes(*answers), "ABC")

    assert (found.outcome, "".join(found.leaders)) == (outcome, leaders)
    assert found.decision == (leaders if outcome == "decided" else None)


@pytest.mark.parametrize("voters", range(3, 201, 3))
def test_two_thirds_of_any_number_of_voters_reach_the_usual_supermajority_and_one_less_does_not(voters: int) -> None:
    reached = 2 * voters // 3

    assert verdict(Supermajority(), votes(*"A" * reached, *"B" * (voters - reached))).outcome == "decided"
    assert verdict(Supermajority(), votes(*"A" * (reached - 1), *"B" * (voters - reached + 1))).decision != "A"


def test_one_veto_outweighs_any_number_of_others() -> None:
    found = verdict(Veto(answer=True), votes("false", "false", "true", "false"), YES_NO)

    assert (found.decision, found.scores) == ("true", {"false": 3, "true": 1})


def test_vetoes_below_the_count_cannot_win_even_when_they_are_the_most() -> None:
    found = verdict(Veto(answer="block", count=3), votes("Block", "Block", "merge"), ("Block", "merge", "wait"))

    assert (found.decision, found.leaders) == ("merge", ("merge",))
    assert list(found.scores.items()) == [("Block", 2), ("merge", 1), ("wait", 0)]


def test_vetoes_below_the_count_leave_the_others_to_tie() -> None:
    found = verdict(Veto(answer="C", count=2), votes(*"BCA"), "ABC")

    assert (found.outcome, found.leaders) == ("tie", ("A", "B"))


def test_vetoes_below_the_count_alone_are_no_consensus_that_nobody_leads() -> None:
    found = verdict(Veto(answer="C", count=3), votes(*"CC"), "ABC")

    assert (found.outcome, found.decision, found.leaders) == ("no_consensus", None, ())


def test_a_veto_in_other_letters_and_punctuation_is_the_same_veto() -> None:
    found = verdict(Veto(answer="Don't  MERGE!"), votes("merge", "merge", "dont merge"))

    assert found.decision == "dont merge"


def weighing(*given: tuple[str, float, float]) -> list[Vote]:
    """Votes of an answer, a weight and a confidence."""
    return [Vote(f"v{number}", *vote) for number, vote in enumerate(given)]


JURY = weighing(("A", 3, 0.1), ("B", 1, 0.8), ("C", 2, 0.5))


@pytest.mark.parametrize(
    ("rule", "scores"),
    [
        (Weighted(by="weight"), {"A": 3, "C": 2, "B": 1}),
        (Weighted(by="confidence"), {"B": 0.8, "C": 0.5, "A": 0.1}),
        (Weighted(by="both"), {"C": 1, "B": 0.8, "A": 0.3}),
    ],
)
def test_weight_confidence_or_their_product_counts(rule: Weighted, scores: dict[str, float]) -> None:
    found = verdict(rule, JURY, "ABC")

    assert list(found.scores.items()) == list(scores.items())
    assert found.decision == next(iter(scores))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_tenth_and_two_tenths_tie_with_three_tenths_in_any_order(order: tuple[int, ...]) -> None:
    cast = weighing(("A", 0.1, 1), ("A", 0.2, 1), ("B", 0.3, 1))

    found = verdict(Weighted(), [cast[place] for place in order], "AB")

    assert (found.outcome, found.leaders) == ("tie", ("A", "B"))


@pytest.mark.parametrize(("threshold", "outcome"), [(0.5, "decided"), (0.6, "decided"), (0.61, "no_consensus")])
def test_a_threshold_is_a_share_of_the_whole_weight(threshold: float, outcome: str) -> None:
    found = verdict(Weighted(threshold=threshold), weighing(("A", 0.6, 1), ("B", 0.3, 1), ("C", 0.1, 1)), "ABC")

    assert (found.outcome, found.leaders) == (outcome, ("A",))


def test_votes_without_any_weight_are_no_consensus_that_nobody_leads() -> None:
    found = verdict(Weighted(by="confidence"), weighing(("A", 1, 0.0), ("B", 1, 0.0)), "AB")

    assert (found.outcome, found.leaders) == ("no_consensus", ())


def test_approval_counts_every_option_that_a_voter_can_live_with() -> None:
    found = verdict(Approval(), votes(("A", "B"), ("B", "C"), ("C", "B"), ()), "ABCD")

    assert found.decision == "B"
    assert list(found.scores.items()) == [("B", 3), ("C", 2), ("A", 1), ("D", 0)]


def test_an_option_approved_of_twice_on_one_ballot_counts_once() -> None:
    assert verdict(Approval(), votes(("A", "A"), ("B",)), "AB").scores == {"A": 1, "B": 1}


def test_when_nobody_approves_of_anything_nobody_leads() -> None:
    found = verdict(Approval(), votes((), ()), "AB")

    assert (found.outcome, found.leaders, found.scores) == ("no_consensus", (), {"A": 0, "B": 0})


def test_before_a_judge_has_spoken_all_answers_tie_however_often_they_were_given() -> None:
    found = verdict(BestOf(), votes("b", "a", "b"))

    assert (found.outcome, found.leaders, found.scores) == ("tie", ("b", "a"), {"b": 0, "a": 0})


def test_an_answer_without_rivals_needs_no_judge() -> None:
    found = verdict(BestOf(), votes("b", "b"))

    assert (found.outcome, found.decision) == ("decided", "b")
