from __future__ import annotations

import pytest

from shared.contracts.rules import Condorcet
from shared.voting.condorcet import ranked_pairs
from shared.voting.pairwise import Duels, duels
from tests.shared.voting.elections import CYCLE, SCHULZE, TENNESSEE
from tests.shared.voting.given import CONDORCET, LETTERS, leaders, rankings, verdict

COMPLETED = [CONDORCET[name] for name in ("schulze", "ranked_pairs", "minimax")]


@pytest.mark.parametrize("rule", CONDORCET.values(), ids=CONDORCET)
def test_the_option_that_beats_every_other_wins_whatever_the_completion(rule: Condorcet) -> None:
    found = verdict(rule, TENNESSEE, "MNCK")

    assert (found.outcome, found.decision) == ("decided", "N")
    assert list(found.scores.items()) == [("N", 3), ("C", 2), ("K", 1), ("M", 0)]


@pytest.mark.parametrize("rule", COMPLETED)
def test_a_cycle_of_equals_is_a_tie(rule: Condorcet) -> None:
    found = verdict(rule, CYCLE, "ABC")

    assert (found.outcome, found.leaders, found.scores) == ("tie", ("A", "B", "C"), {"A": 1, "B": 1, "C": 1})


def test_without_a_completion_a_cycle_is_no_consensus_and_the_smith_set_leads() -> None:
    found = verdict(Condorcet(completion="none"), rankings("1 ABCDE", "1 BCADE", "1 CABED"), "EDCBA")

    assert (found.outcome, found.decision, found.leaders) == ("no_consensus", None, ("C", "B", "A"))
    assert list(found.scores.items()) == [("C", 3), ("B", 3), ("A", 3), ("D", 1), ("E", 0)]


def test_a_draw_counts_half_and_keeps_an_option_from_beating_all() -> None:
    found = verdict(Condorcet(), rankings("1 ABC", "1 BAC"), "ABC")

    assert (found.outcome, found.leaders, found.scores) == ("tie", ("A", "B"), {"A": 1.5, "B": 1.5, "C": 0})


def test_a_voter_prefers_what_is_ranked_to_what_is_left_out_and_nothing_between_those() -> None:
    held = duels("ABCD", [("B", "A")])

    preferred = [pair for pair, voters in held.preferring.items() if voters]
    assert preferred == [("A", "C"), ("A", "D"), ("B", "A"), ("B", "C"), ("B", "D")]
    assert (held.margin("B", "C"), held.margin("C", "B"), held.margin("C", "D")) == (1, -1, 0)


def test_schulzes_own_example_elects_e() -> None:
    assert leaders(CONDORCET["schulze"], SCHULZE, "ABCDE") == "E"


def test_minimax_takes_the_least_of_the_worst_defeats() -> None:
    """In Schulze's example these are 25 of A (by B), 29 of B (by C), 28 of C (by D), 33 of D (by B), 24 of E (by C)."""
    assert leaders(CONDORCET["minimax"], SCHULZE, "ABCDE") == "E"


def test_ranked_pairs_locks_the_strongest_victories_first_and_leaves_out_those_that_close_a_cycle() -> None:
    """In Schulze's example: BD, ED, AD, CB, then not DC, then EB, AC, not BA, then CE, and not EA. None beats A."""
    assert leaders(CONDORCET["ranked_pairs"], SCHULZE, "ABCDE") == "A"


def test_equally_strong_victories_elect_whoever_wins_under_some_order_of_them() -> None:
    """AB is locked first; then BC keeps CA out and A wins, or CA keeps BC out and C wins."""
    cast = rankings("2 ABC", "1 BCA", "2 CAB")

    assert leaders(CONDORCET["ranked_pairs"], cast, "ABC") == "AC"


def test_too_many_equal_victories_to_try_all_orders_leave_the_smith_set_in_a_tie() -> None:
    options = [chr(ord("a") + place) for place in range(15)]
    held = duels(options, [[*options[start:], *options[:start]] for start in range(0, 15, 3)])

    assert len(held.smith_set()) == len(options)
    assert ranked_pairs(held) == tuple(options)


def test_equal_victories_that_close_no_cycle_are_locked_without_trying_their_orders() -> None:
    """Each beats all that come later by two voters, but for A and H, who draw."""
    drawn = (("A", "H"), ("H", "A"))
    pairs = [(one, other) for one in LETTERS for other in LETTERS if one != other]
    held = Duels(tuple(LETTERS), {pair: 1 if pair in drawn else 2 * (pair[0] < pair[1]) for pair in pairs})

    assert held.smith_set() == tuple("ABCDEFGH")
    assert ranked_pairs(held) == ("A",)
