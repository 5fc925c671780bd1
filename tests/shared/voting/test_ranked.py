from __future__ import annotations

import pytest

from shared.contracts.rules import Borda, InstantRunoff
from shared.voting.election import Counted
from shared.voting.ranked import judged
from tests.shared.voting.elections import TENNESSEE
from tests.shared.voting.given import rankings, verdict, votes


def test_borda_gives_a_point_for_each_option_ranked_below() -> None:
    found = verdict(Borda(), TENNESSEE, "MNCK")

    assert found.decision == "N"
    assert list(found.scores.items()) == [("N", 194), ("C", 173), ("M", 126), ("K", 107)]


def test_options_left_out_share_the_points_of_the_places_left() -> None:
    found = verdict(Borda(), rankings("1 A", "1 CB"), "ABCD")

    assert found.scores == {"A": 3 + 0.5, "B": 1 + 2, "C": 1 + 3, "D": 1 + 0.5}


def test_options_with_the_same_points_tie() -> None:
    found = verdict(Borda(), rankings("1 BAC", "1 ABC"), "ABC")

    assert (found.outcome, found.decision, found.leaders) == ("tie", None, ("A", "B"))


def test_instant_runoff_eliminates_the_weakest_round_by_round() -> None:
    found = verdict(InstantRunoff(), TENNESSEE, "MNCK")

    assert found.decision == "K"
    assert found.rounds == (
        Counted({"M": 42, "N": 26, "C": 15, "K": 17}, ("C",)),
        Counted({"M": 42, "N": 26, "K": 32}, ("N",)),
        Counted({"M": 42, "K": 58}),
    )
    assert list(found.scores.items()) == [("K", 58), ("M", 42), ("N", 26), ("C", 15)]


def test_a_majority_of_first_places_ends_instant_runoff_at_once() -> None:
    found = verdict(InstantRunoff(), rankings("3 ABC", "2 BCA"), "ABC")

    assert (found.decision, len(found.rounds)) == ("A", 1)
    assert found.scores == {"A": 3, "B": 2, "C": 0}


def test_half_of_the_first_places_is_no_majority() -> None:
    found = verdict(InstantRunoff(), rankings("2 ABC", "1 BCA", "1 CBA"), "ABC")

    assert [counted.eliminated for counted in found.rounds] == [("B", "C"), ()]
    assert found.decision == "A"


def test_exhausted_ballots_drop_out_of_what_a_majority_is_taken_of() -> None:
    found = verdict(InstantRunoff(), rankings("4 A", "3 B", "2 C", "1 DA"), "ABCD")

    assert [counted.scores for counted in found.rounds] == [
        {"A": 4, "B": 3, "C": 2, "D": 1},
        {"A": 5, "B": 3, "C": 2},
        {"A": 5, "B": 3},
    ]
    assert (found.outcome, found.decision) == ("decided", "A"), "five of eight are left"


def test_all_that_tie_for_the_fewest_leave_together() -> None:
    found = verdict(InstantRunoff(), rankings("4 AB", "3 BA", "1 CB", "1 DB"), "ABCDE")

    assert [counted.eliminated for counted in found.rounds] == [("E",), ("C", "D"), ()]
    assert list(found.scores.items()) == [("B", 5), ("A", 4), ("C", 1), ("D", 1), ("E", 0)]


def test_when_all_that_are_left_tie_for_the_fewest_they_tie() -> None:
    found = verdict(InstantRunoff(), rankings("2 CA", "2 BA", "1 AB"), "ABC")

    assert (found.outcome, found.decision, found.leaders) == ("decided", "B", ("B",))

    found = verdict(InstantRunoff(), rankings("2 C", "2 B", "1 A"), "ABC")

    assert (found.outcome, found.decision, found.leaders) == ("tie", None, ("B", "C"))
    assert list(found.scores.items()) == [("B", 2), ("C", 2), ("A", 1)]


def test_a_judges_two_orders_add_up() -> None:
    found = judged(["ann", "bob", "cid"], [["bob", "ann", "cid"], ["ann", "bob", "cid"], ["bob", "cid", "ann"]])

    assert (found.outcome, found.decision) == ("decided", "bob")
    assert found.scores == {"bob": 5, "ann": 3, "cid": 1}


@pytest.mark.parametrize("rankings_", [[["ann", "bob"], ["bob", "ann"]], []])
def test_a_judge_that_follows_position_or_says_nothing_leaves_a_tie(rankings_: list[list[str]]) -> None:
    found = judged(["ann", "bob"], rankings_)

    assert (found.outcome, found.leaders) == ("tie", ("ann", "bob"))


def test_a_candidate_alone_wins_before_any_judge() -> None:
    assert judged(["ann"], []).decision == "ann"
    assert judged([], []).outcome == "no_votes"


@pytest.mark.parametrize("rule", [Borda(), InstantRunoff()])
def test_a_ranking_of_the_wrong_type_is_named_as_a_mistake(rule: Borda | InstantRunoff) -> None:
    with pytest.raises(TypeError, match="the vote of 'v0' is 'AB'; this count takes a tuple of options"):
        verdict(rule, votes("AB"), "AB")
