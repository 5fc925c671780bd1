"""Paradoxes of the literature: what each rule does to voters, as those who know the rules expect it to."""

from __future__ import annotations

import pytest

from shared.contracts.rules import AnyRule, Borda, InstantRunoff, Majority, Plurality
from shared.voting.election import Vote
from tests.shared.voting.elections import CYCLE, TENNESSEE
from tests.shared.voting.given import CONDORCET, leaders, rankings, verdict, votes

SCHULZE, RANKED_PAIRS, MINIMAX = (CONDORCET[name] for name in ("schulze", "ranked_pairs", "minimax"))


def firsts(cast: list[Vote]) -> list[Vote]:
    """The votes of the same voters when they may name one option only."""
    return votes(*[vote.answer[0] for vote in cast if isinstance(vote.answer, tuple)])


def test_three_rules_make_three_capitals_of_tennessee() -> None:
    assert leaders(Plurality(), firsts(TENNESSEE), "MNCK") == "M"
    assert leaders(InstantRunoff(), TENNESSEE, "MNCK") == "K"
    assert leaders(Borda(), TENNESSEE, "MNCK") == "N"
    assert leaders(SCHULZE, TENNESSEE, "MNCK") == "N"


def test_majorities_may_go_round_in_a_circle() -> None:
    assert [leaders(rule, CYCLE, "ABC") for rule in CONDORCET.values()] == ["ABC"] * 4


@pytest.mark.parametrize("rule", [InstantRunoff(), Borda(), SCHULZE, RANKED_PAIRS, MINIMAX])
def test_a_spoiler_changes_plurality_but_no_rule_of_rankings(rule: AnyRule) -> None:
    """B beats A; S, who is much like B, takes votes from B."""
    with_spoiler = rankings("48 ABS", "45 BSA", "7 SBA")
    without = rankings("48 AB", "52 BA")

    assert leaders(Plurality(), firsts(without), "AB") == "B"
    assert leaders(Plurality(), firsts(with_spoiler), "ABS") == "A"
    assert leaders(rule, without, "AB") == leaders(rule, with_spoiler, "ABS") == "B"


def test_instant_runoff_may_reward_voters_who_stay_at_home() -> None:
    """Four who rank C last make C win by voting (Fishburn and Brams, Paradoxes of preferential voting, 1983)."""
    all_vote = rankings("34 ABC", "32 BCA", "34 CAB")
    four_stay_at_home = rankings("30 ABC", "32 BCA", "34 CAB")

    assert leaders(InstantRunoff(), all_vote, "ABC") == "C"
    assert leaders(InstantRunoff(), four_stay_at_home, "ABC") == "B"


def test_instant_runoff_may_punish_its_winner_for_more_support() -> None:
    """Ten who move A from last to first make A lose (Doron and Kronick, Single transferrable vote, 1977)."""
    before = rankings("39 ABC", "35 BCA", "26 CAB")
    after = rankings("39 ABC", "10 ABC", "25 BCA", "26 CAB")

    assert leaders(InstantRunoff(), before, "ABC") == "A"
    assert leaders(InstantRunoff(), after, "ABC") == "C"


def test_instant_runoff_may_eliminate_the_option_that_beats_all_others() -> None:
    cast = rankings("40 ABC", "35 CBA", "25 BAC")

    assert leaders(SCHULZE, cast, "ABC") == "B"
    assert leaders(InstantRunoff(), cast, "ABC") == "A"


def test_borda_lets_an_option_that_cannot_win_choose_between_others() -> None:
    """A majority has A first either way; B gains by a clone that all rank below it."""
    without, with_clone = rankings("3 AB", "2 BA"), rankings("3 ABC", "2 BCA")

    assert leaders(Borda(), without, "AB") == "A"
    assert leaders(Borda(), with_clone, "ABC") == "B"
    assert leaders(SCHULZE, with_clone, "ABC") == leaders(InstantRunoff(), with_clone, "ABC") == "A"


@pytest.mark.parametrize("rule", [SCHULZE, RANKED_PAIRS])
def test_a_clone_of_the_winner_changes_neither_schulze_nor_ranked_pairs(rule: AnyRule) -> None:
    without = rankings("4 ABC", "3 BCA", "2 CAB")
    with_clone = rankings("2 ABCD", "2 ABDC", "3 BCDA", "2 DCAB")

    assert leaders(rule, without, "ABC") == leaders(rule, with_clone, "ABCD") == "A"


def test_minimax_may_elect_whom_all_others_beat() -> None:
    cast = rankings("5 DABC", "5 ABCD", "5 DBCA", "5 BCAD", "4 DCAB", "6 CABD")

    assert leaders(MINIMAX, cast, "ABCD") == "D"
    assert leaders(SCHULZE, cast, "ABCD") == leaders(RANKED_PAIRS, cast, "ABCD") == "ABC"
    assert leaders(CONDORCET["none"], cast, "ABCD") == "ABC"


def test_majorities_on_each_question_may_contradict_the_majority_of_voters() -> None:
    """Ostrogorski's paradox: three of five voters agree with X on most questions; on each question most are for Y."""
    voters = ["XXY", "XYX", "YXX", "YYY", "YYY"]
    by_voter = [verdict(Majority(), votes(*voter)).decision for voter in voters]

    assert verdict(Majority(), votes(*map(str, by_voter))).decision == "X"
    assert [verdict(Majority(), votes(*question)).decision for question in zip(*voters, strict=True)] == ["Y", "Y", "Y"]
