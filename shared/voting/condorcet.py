"""The rule that compares options two by two, and its completions for when no option beats all the others.

The strength of a victory is the number of voters behind it ("winning votes"), which is 0 for a draw. With complete
rankings the margin would order victories in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import groupby

from shared.contracts.rules import Condorcet
from shared.voting.election import Election, Verdict, Vote
from shared.voting.pairwise import Duels, duels
from shared.voting.reading import listed_in, rule_of
from shared.voting.standing import best_first, blank, no_votes, verdict_on

MAX_LOCKINGS = 2_000
"""How many states of the graph `ranked_pairs` looks at, a fraction of a second's work at the most. Rankings drawn at
random, which nobody casts in earnest, need more for one vote in 200 with 8 options, in 10 with 10 options."""


def condorcet(election: Election, votes: Sequence[Vote]) -> Verdict:
    """The option that beats every other one, else whom the completion elects: one decides, more tie.

    With the completion `none` it is no consensus, and the Smith set leads: the fewest options that each beat all the
    others. `scores` are duels won, and half a point for a draw; a completion may elect an option that has won fewer.
    """
    if not votes:
        return no_votes(election)
    completion = rule_of(election, Condorcet).completion
    return _verdict(tuple(blank(election, ())), tuple(map(listed_in, votes)), completion)


@lru_cache(maxsize=256)
def _verdict(options: tuple[str, ...], rankings: tuple[tuple[str, ...], ...], completion: str) -> Verdict:
    """Remembered, because the votes after each wave are counted for several ends."""
    held = duels(options, rankings)
    scores = held.wins()
    if (winner := held.winner()) is not None:
        return verdict_on(scores, (winner,))
    if completion == "none":
        return Verdict("no_consensus", leaders=held.smith_set(), scores=best_first(scores))
    return verdict_on(scores, COMPLETIONS[completion](held))


def schulze(held: Duels) -> tuple[str, ...]:
    """Those whom nobody beats by a stronger path, in the order of the options.

    A path of victories is as strong as the weakest of them. Source: Schulze, A new monotonic, clone-independent,
    reversal symmetric, and Condorcet-consistent single-winner election method, Soc. Choice Welf. 36 (2011). No victory
    leads back into the Smith set, so paths from outside it have no strength.
    """
    smith = held.smith_set()
    places = range(len(smith))
    path = [[held.strength(one, other) if one != other else 0 for other in smith] for one in smith]
    for via in places:
        for start in places:
            if start != via and (first := path[start][via]):
                path[start] = [max(known, min(first, rest)) for known, rest in zip(path[start], path[via], strict=True)]
    return tuple(smith[one] for one in places if all(path[one][other] >= path[other][one] for other in places))


def minimax(held: Duels) -> tuple[str, ...]:
    """Those whose worst defeat is the least, in the order of the options. Source: Simpson (1969), Kramer (1977)."""
    worst = {one: max(held.strength(other, one) for other in held.options if other != one) for one in held.options}
    least = min(worst.values())
    return tuple(one for one in held.options if worst[one] == least)


def ranked_pairs(held: Duels) -> tuple[str, ...]:
    """Those who win under some order of the victories that are equally strong, in the order of the options.

    Victories are locked in from the strongest, but for those that would close a cycle; who is not beaten in what is
    locked wins. Source: Tideman, Independence of clones as a criterion for voting rules, Soc. Choice Welf. 4 (1987).
    Which of the equally strong victories come first can decide; Tideman's definition, and this, elects whoever wins
    under any order of them, which favours no option. To find them all takes too long in general (Brill and Fischer,
    The price of neutrality for the ranked pairs method, AAAI 2012): beyond `MAX_LOCKINGS` states the whole Smith set
    ties, which has all of them. Only duels within the Smith set matter.
    """
    smith = held.among(held.smith_set())
    lockings = _lockings(smith)
    if lockings is None:
        return smith.options
    unbeaten = [any(not _is_beaten(place, locked) for locked in lockings) for place in range(len(smith.options))]
    return tuple(option for option, wins in zip(smith.options, unbeaten, strict=True) if wins)


type Edge = tuple[int, int]
"""A victory: the places of who beats whom among the options."""
type Reach = tuple[int, ...]
"""For each place, whom it beats along what is locked, directly or not: a bit per place."""


def _lockings(held: Duels) -> list[Reach] | None:
    """What can be locked in the end, over all orders of equally strong victories; None if there is too much of it."""
    states: list[Reach] = [(0,) * len(held.options)]
    looked_at = 0
    for victories in _by_strength(held):
        ends: list[Reach] = []
        seen = dict.fromkeys(states)
        for state in states:  # which grows while it is walked
            following = _following(state, victories)
            looked_at += len(following)
            if looked_at > MAX_LOCKINGS:
                return None
            if not following:
                ends.append(state)
            states += [found for found in dict.fromkeys(following) if found not in seen]
            seen |= dict.fromkeys(following)
        states = ends
    return states


def _by_strength(held: Duels) -> list[list[Edge]]:
    """The victories, the strongest first, equals together."""
    places = range(len(held.options))
    strengths = {
        (one, other): held.strength(held.options[one], held.options[other])
        for one in places
        for other in places
        if one != other
    }
    victories = sorted((edge for edge, strength in strengths.items() if strength), key=lambda edge: -strengths[edge])
    return [list(equals) for _, equals in groupby(victories, key=lambda edge: strengths[edge])]


def _following(reach: Reach, victories: Sequence[Edge]) -> list[Reach]:
    """What may be locked next of `victories`; those that are in no cycle, and so keep no other out, without choice."""
    undecided = [edge for edge in victories if not _settles(reach, edge)]
    everything = _with_all(reach, undecided)
    safe = [(one, other) for one, other in undecided if not _has(everything, other, one)]
    return [_with_all(reach, safe)] if safe else [_with(reach, edge) for edge in undecided]


def _settles(reach: Reach, edge: Edge) -> bool:
    """Whether what is locked has one of the two above the other."""
    one, other = edge
    return _has(reach, one, other) or _has(reach, other, one)


def _has(reach: Reach, one: int, other: int) -> bool:
    return bool(reach[one] >> other & 1)


def _with(reach: Reach, edge: Edge) -> Reach:
    one, other = edge
    gained = reach[other] | 1 << other
    return tuple(bits | gained if place == one or bits >> one & 1 else bits for place, bits in enumerate(reach))


def _with_all(reach: Reach, edges: Iterable[Edge]) -> Reach:
    return reduce(_with, edges, reach)


def _is_beaten(place: int, reach: Reach) -> bool:
    return any(bits >> place & 1 for bits in reach)


COMPLETIONS: Mapping[str, Callable[[Duels], tuple[str, ...]]] = {
    "schulze": schulze,
    "ranked_pairs": ranked_pairs,
    "minimax": minimax,
}
"""Whom a completion elects when no option beats all the others."""
