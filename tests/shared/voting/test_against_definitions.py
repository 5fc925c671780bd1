"""The rules of rankings beside their definitions, tried out in full on small votes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, pairwise, permutations, product
from random import Random

import pytest

from shared.contracts.rules import Borda, InstantRunoff
from tests.shared.voting.given import CONDORCET, LETTERS, a_ranking, leaders, verdict, votes

type Ballots = Sequence[tuple[str, ...]]


def elections(most_options: int, elections: int = 300) -> Iterator[tuple[str, Ballots]]:
    """Votes of few voters, among whom there are many ties."""
    for number in range(elections):
        random = Random(number)
        options = LETTERS[: random.randint(2, most_options)]
        yield options, [a_ranking(random, options) for _ in range(random.randint(1, 9))]


def behind(ballots: Ballots, one: str, other: str) -> int:
    """The voters behind the victory of one over the other, 0 if there is none."""

    def above(left: str, right: str) -> int:
        places = [(*ballot, right) for ballot in ballots if left in ballot]
        return sum(ballot.index(left) < ballot.index(right) for ballot in places)

    return above(one, other) if above(one, other) > above(other, one) else 0


def by_schulze(options: str, ballots: Ballots) -> str:
    """Nobody has a stronger path to a winner than the winner to them, over all paths there are."""

    def strongest(start: str, end: str) -> int:
        between = [option for option in options if option not in (start, end)]
        paths = [(start, *via, end) for size in range(len(between) + 1) for via in permutations(between, size)]
        return max(min(behind(ballots, *step) for step in pairwise(path)) for path in paths)

    beaten = [other for one, other in permutations(options, 2) if strongest(one, other) > strongest(other, one)]
    return "".join(option for option in options if option not in beaten)


def by_minimax(options: str, ballots: Ballots) -> str:
    worst = {one: max(behind(ballots, other, one) for other in options if other != one) for one in options}
    return "".join(one for one in options if worst[one] == min(worst.values()))


def by_ranked_pairs(options: str, ballots: Ballots) -> str:
    """Whoever is unbeaten after some order of the victories."""
    strength = {pair: behind(ballots, *pair) for pair in permutations(options, 2)}
    victories = sorted((pair for pair in strength if strength[pair]), key=lambda pair: -strength[pair])
    classes = [list(permutations(list(equals))) for _, equals in groupby(victories, key=lambda pair: strength[pair])]
    unbeaten: set[str] = set()
    for order in product(*classes):
        locked: list[tuple[str, str]] = []
        for one, other in (pair for equals in order for pair in equals):
            if not leads_to(locked, other, one):
                locked.append((one, other))
        unbeaten |= {option for option in options if all(loser != option for _, loser in locked)}
    return "".join(option for option in options if option in unbeaten)


def leads_to(locked: Sequence[tuple[str, str]], start: str, end: str) -> bool:
    return start == end or any(leads_to(locked, loser, end) for winner, loser in locked if winner == start)


def by_smith(options: str, ballots: Ballots) -> str:
    """The smallest set of options that each beat all that are not in it."""
    groups = [group for size in range(1, len(options) + 1) for group in combinations(options, size)]
    return next(
        "".join(group)
        for group in groups
        if all(behind(ballots, one, other) for one in group for other in options if other not in group)
    )


DEFINITIONS = {"schulze": by_schulze, "minimax": by_minimax, "none": by_smith}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_completion_elects_whom_its_definition_does(name: str) -> None:
    for options, ballots in elections(4):
        held = [one for one in options if all(behind(ballots, one, other) for other in options if other != one)]
        expected = held[0] if held else DEFINITIONS[name](options, ballots)

        assert leaders(CONDORCET[name], votes(*ballots), options) == expected, ballots


def test_ranked_pairs_elects_whoever_wins_under_some_order_of_equal_victories() -> None:
    several = 0
    for options, ballots in elections(4):
        expected = by_ranked_pairs(options, ballots)
        several += len(expected) > 1

        assert leaders(CONDORCET["ranked_pairs"], votes(*ballots), options) == expected, ballots
    assert several > 50


def test_a_completion_elects_the_condorcet_winner_by_its_own_definition() -> None:
    for options, ballots in elections(4, 100):
        winner = verdict(CONDORCET["none"], votes(*ballots), options).decision
        if winner is not None:
            elected = [define(options, ballots) for define in (by_schulze, by_minimax, by_ranked_pairs, by_smith)]
            assert elected == [winner] * 4


def test_borda_counts_who_is_above_whom_and_half_for_those_left_out_together() -> None:
    for options, ballots in elections(5):
        points = {
            one: sum(above(ballot, one, other) for ballot in ballots for other in options if other != one)
            for one in options
        }

        assert verdict(Borda(), votes(*ballots), options).scores == points


def above(ballot: tuple[str, ...], one: str, other: str) -> float:
    if one not in ballot and other not in ballot:
        return 0.5
    return float(one in ballot and (other not in ballot or ballot.index(one) < ballot.index(other)))


def test_instant_runoff_is_the_same_vote_again_without_the_weakest() -> None:
    for options, ballots in elections(5):
        assert leaders(InstantRunoff(), votes(*ballots), options) == by_runoff(options, ballots), ballots


def by_runoff(options: str, ballots: Ballots) -> str:
    left = ["".join(option for option in ballot if option in options)[:1] for ballot in ballots]
    firsts = {option: left.count(option) for option in options}
    if min(firsts.values()) == max(firsts.values()) or max(firsts.values()) > sum(firsts.values()) / 2:
        return "".join(option for option in options if firsts[option] == max(firsts.values()))
    return by_runoff("".join(option for option in options if firsts[option] > min(firsts.values())), ballots)
