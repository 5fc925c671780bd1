from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.decision import Dissent
from shared.contracts.rules import BestOf, Median, PerCriterion, TrimmedMean, Weighted
from shared.voting.dissent import dissent_of
from shared.voting.election import Election, Spread, Verdict, Vote
from tests.shared.voting.tell_given import (
    ABC,
    APPROVAL,
    BORDA,
    CHOICE,
    OPEN,
    ballots_of,
    decided,
    plurality_of,
    tied,
    votes_for,
)

MEDIAN = Election(Median())
CRITERIA = {"style": 1.0, "depth": 3.0}
SCORES = Election(PerCriterion(), low=1.0, high=5.0, criteria=CRITERIA)


def report(
    election: Election, votes: list[Vote], verdict: Verdict, shown: Mapping[str, Any] | None = None
) -> Dissent | None:
    return dissent_of(election, votes, verdict, ballots_of(votes), shown or {})


def told(election: Election, votes: list[Vote], verdict: Verdict) -> tuple[Any, list[str], float, str] | None:
    """Answer, voters, share and speaker."""
    found = report(election, votes, verdict)
    return found and (found.answer, found.voters, pytest.approx(found.share), found.voter)


def test_the_strongest_minority_is_told_by_its_most_confident_voter() -> None:
    votes = votes_for("a", "b", "c", "a", "b", "a", confidences=[1, 0.6, 1, 1, 0.7, 1])
    found = report(CHOICE, votes, plurality_of(votes, ABC))

    assert found is not None
    assert (found.answer, found.voters, found.share) == ("b", ["v2", "v5"], pytest.approx(1 / 3))
    assert (found.voter, found.confidence, found.reasoning) == ("v5", 0.7, "Because of v5.")


def test_of_equally_confident_voters_the_first_one_speaks() -> None:
    votes = votes_for("a", "b", "a", "b", "a", confidences=[1, 0.5, 1, 0.5, 1])
    assert told(CHOICE, votes, plurality_of(votes, ABC)) == ("b", ["v2", "v4"], 2 / 5, "v2")


def test_nobody_dissents_from_a_unanimous_vote() -> None:
    votes = votes_for("a", "a")
    assert report(CHOICE, votes, plurality_of(votes, ABC)) is None


def test_nobody_dissents_where_nobody_voted() -> None:
    assert report(CHOICE, [], Verdict("no_votes", scores={"a": 0, "b": 0, "c": 0})) is None


def test_of_equally_strong_minorities_the_one_that_the_count_puts_first_is_told() -> None:
    votes = votes_for("a", "c", "b", "a")
    assert told(CHOICE, votes, decided("a", {"a": 2, "b": 1, "c": 1})) == ("b", ["v3"], 1 / 4, "v3")


def test_without_a_decision_the_others_dissent_from_the_first_leader() -> None:
    votes = votes_for("a", "b", "b", "a")
    assert told(CHOICE, votes, tied(["a", "b"], {"a": 2, "b": 2, "c": 0})) == ("b", ["v2", "v3"], 1 / 2, "v2")


def test_a_broken_tie_leaves_the_other_leader_in_dissent() -> None:
    votes = votes_for("a", "b")
    broken = Verdict("decided", "b", ("a", "b"), {"a": 1, "b": 1})
    assert told(OPEN, votes, broken) == ("a", ["v1"], 1 / 2, "v1")


def test_under_a_weighted_rule_the_heaviest_minority_is_told_by_its_share_of_the_weight() -> None:
    votes = votes_for("a", "b", "b", "c", weights=[10, 1, 1, 4])
    verdict = decided("a", {"a": 10, "c": 4, "b": 2})
    assert told(Election(Weighted(), ABC), votes, verdict) == ("c", ["v4"], 1 / 4, "v4")


def test_weights_that_rounding_alone_tells_apart_are_equal() -> None:
    votes = votes_for("a", "b", "c", "c", weights=[9, 0.3, 0.1, 0.2])
    verdict = decided("a", {"a": 9, "b": 0.3, "c": 0.3})
    assert told(Election(Weighted(), ABC), votes, verdict) == ("b", ["v2"], 0.3 / 9.6, "v2")


def test_answers_are_told_as_they_are_displayed() -> None:
    votes = votes_for("true", "false")
    found = report(CHOICE, votes, decided("true", {"true": 1, "false": 1}), {"true": True, "false": False})
    assert found is not None
    assert found.answer is False


def test_the_runner_up_of_the_best_is_the_judge_s() -> None:
    votes = votes_for("x", "y", "z")
    assert told(Election(BestOf()), votes, decided("x", {"x": 4, "z": 2, "y": 0})) == ("z", ["v3"], 1 / 3, "v3")


def test_voters_who_did_not_approve_dissent_and_one_who_approves_of_their_favourite_speaks() -> None:
    votes = votes_for(("a",), ("a", "b"), ("b",), ("c", "b"), (), ("a",), confidences=[1, 1, 0.2, 0.4, 0.9, 1])
    verdict = decided("a", {"a": 3, "b": 3, "c": 1})
    assert told(APPROVAL, votes, verdict) == ("b", ["v3", "v4", "v5"], 1 / 2, "v4")


def test_voters_who_approve_of_nothing_dissent_without_an_answer() -> None:
    votes = votes_for(("a",), (), confidences=[1, 0.3])
    assert told(APPROVAL, votes, decided("a", {"a": 1, "b": 0, "c": 0})) == (None, ["v2"], 1 / 2, "v2")


def test_voters_who_rank_another_option_first_dissent() -> None:
    votes = votes_for(("a", "b", "c"), ("b", "a", "c"), ("c", "a", "b"), ("c", "b", "a"), ("a", "c", "b"))
    assert told(BORDA, votes, decided("a", {"a": 6, "c": 5, "b": 4})) == ("c", ["v3", "v4"], 2 / 5, "v3")


def test_the_number_farthest_from_the_decision_dissents() -> None:
    votes = votes_for(5.0, 4.0, 9.0, 5.0, 9.0, confidences=[1, 1, 0.1, 1, 0.8])
    assert told(MEDIAN, votes, decided(5.0)) == (9.0, ["v3", "v5"], 2 / 5, "v5")


def test_of_numbers_equally_far_on_both_sides_the_first_dissents() -> None:
    votes = votes_for(0.3, 0.1, 0.2)
    assert told(MEDIAN, votes, decided(0.2)) == (0.3, ["v1"], 1 / 3, "v1"), "0.3 - 0.2 is less than 0.2 - 0.1 in floats"


def test_numbers_within_the_interval_do_not_dissent_and_nearer_ones_beyond_it_do() -> None:
    votes = votes_for(5.0, 8.0, 3.0)
    lopsided = Verdict("decided", 5.0, interval=Spread(4.0, 8.0, 0.95, "order_statistics"))
    wide = Verdict("decided", 5.0, interval=Spread(3.0, 8.0, 0.95, "order_statistics"))
    assert told(MEDIAN, votes, lopsided) == (3.0, ["v3"], 1 / 3, "v3")
    assert report(MEDIAN, votes, wide) is None


def test_a_mean_that_rounding_moved_off_the_votes_has_no_dissent() -> None:
    votes = votes_for(0.1, 0.1, 0.1)
    assert report(Election(TrimmedMean()), votes, decided((0.1 + 0.1 + 0.1) / 3)) is None


def test_voters_who_would_have_failed_it_dissent_from_a_pass() -> None:
    election = Election(PerCriterion(threshold=3), low=1.0, high=5.0, criteria=CRITERIA)
    votes = votes_for(
        {"style": 5.0, "depth": 5.0},
        {"style": 5.0, "depth": 2.0},
        {"style": 1.0, "depth": 3.0},
        confidences=[1, 0.2, 0.4],
    )
    assert told(election, votes, decided("pass")) == ("fail", ["v2", "v3"], 2 / 3, "v3"), "2.75 and 2.5 of 3"
    assert told(election, votes, decided("fail")) == ("pass", ["v1"], 1 / 3, "v1")


def test_a_score_that_reaches_the_threshold_but_for_rounding_passes() -> None:
    thirds = Election(PerCriterion(threshold=0.3), low=0.0, high=1.0, criteria=dict.fromkeys(ABC, 0.1))
    votes = votes_for({"a": 0.1, "b": 0.2, "c": 0.6})
    assert report(thirds, votes, decided("pass")) is None


def test_without_a_threshold_the_farthest_overall_score_dissents() -> None:
    votes = votes_for({"style": 3.0, "depth": 3.0}, {"style": 1.0, "depth": 1.0}, {"style": 4.0, "depth": 4.0})
    assert told(SCORES, votes, decided(2.75)) == (1.0, ["v2"], 1 / 3, "v2")


def test_a_voter_without_a_ballot_dissents_without_words() -> None:
    votes = votes_for("a", "a", "b")
    found = dissent_of(CHOICE, votes, plurality_of(votes, ABC), [], {})
    assert found is not None
    assert (found.voter, found.reasoning) == ("v3", "")


@given(st.lists(st.sampled_from(ABC), min_size=1, max_size=15))
def test_there_is_dissent_exactly_when_not_all_agree_and_never_for_the_first_leader(answers: list[str]) -> None:
    votes = votes_for(*answers)
    verdict = plurality_of(votes, ABC)
    found = report(CHOICE, votes, verdict)

    assert (found is None) == (len(set(answers)) == 1)
    if found is not None:
        assert found.answer != verdict.leaders[0]
        assert found.voters == [vote.voter for vote in votes if vote.answer == found.answer]
        assert found.share == pytest.approx(len(found.voters) / len(votes))
