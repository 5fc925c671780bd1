"""What holds for every vote: 1,000 random elections of each kind, the same ones each time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from shared.voting.election import Answer, Election, Vote
from shared.voting.rules import count
from tests.shared.voting.given import KINDS, LETTERS

ELECTIONS = 1_000
OF_OPTIONS = [name for name, kind in KINDS.items() if not kind.is_open]
MONOTONE = [name for name in OF_OPTIONS if name not in ("instant_runoff", "veto", "none")]
NUMERIC = [name for name in KINDS if name.startswith(("median", "trimmed_mean", "per_criterion"))]


def elections(name: str) -> list[tuple[Election, list[Vote], Random]]:
    """Random elections of this kind, each with a source of further randomness."""
    sources = [Random(f"{name} {number}") for number in range(ELECTIONS)]
    return [(*KINDS[name].election(source), source) for source in sources]


def renamed(thing: Any, names: dict[str, str]) -> Any:
    """`thing` with other names for the options in it."""
    match thing:
        case str():
            return names.get(thing, thing)
        case tuple():
            return tuple(renamed(part, names) for part in thing)
        case dict():
            return {renamed(key, names): value for key, value in thing.items()}
        case _:
            return thing


def raised(answer: Answer, winner: str) -> Answer:
    """A vote that says the same of the others, and more in favour of `winner`."""
    match answer:
        case str():
            return winner
        case tuple() if winner in answer:
            place = max(0, answer.index(winner) - 1)
            others = [option for option in answer if option != winner]
            return (*others[:place], winner, *others[place:])
        case tuple():
            return (*answer, winner)
        case _:
            raise TypeError


@pytest.mark.parametrize("name", KINDS)
def test_a_verdict_is_consistent(name: str) -> None:
    for election, cast, _ in elections(name):
        found = count(election, cast)
        answers = list(election.options or dict.fromkeys(vote.answer for vote in cast if isinstance(vote.answer, str)))

        assert found == count(election, cast)
        assert (found.decision is not None) == (found.outcome == "decided")
        if name in NUMERIC:
            assert (found.outcome, found.leaders) == ("decided", ())
            assert list(found.scores) == (list(election.criteria) if name.startswith("per_criterion") else [])
            continue
        assert sorted(found.scores) == sorted(answers), "all options and answers have a score"
        assert list(found.leaders) == [answer for answer in answers if answer in found.leaders], "leaders are in order"
        assert found.outcome != "tie" or len(found.leaders) > 1
        assert found.outcome != "decided" or found.leaders == (found.decision,)
        if name != "instant_runoff":
            assert list(found.scores.values()) == sorted(found.scores.values(), reverse=True)


@pytest.mark.parametrize("name", KINDS)
def test_the_order_of_the_voters_does_not_matter(name: str) -> None:
    for election, cast, random in elections(name):
        found, other = count(election, cast), count(election, random.sample(cast, len(cast)))

        if election.options is None:
            assert (found.outcome, found.decision, found.interval) == (other.outcome, other.decision, other.interval)
            assert (sorted(found.leaders), found.scores) == (sorted(other.leaders), other.scores)
        else:
            assert found == other
            assert list(found.scores.items()) == list(other.scores.items())


@pytest.mark.parametrize("name", [name for name in OF_OPTIONS if name != "veto"])
def test_the_names_and_the_order_of_the_options_do_not_matter(name: str) -> None:
    for election, cast, random in elections(name):
        options = election.options or ()
        names = dict(zip(LETTERS, random.sample(LETTERS, len(LETTERS)), strict=True))
        mixed = replace(election, options=tuple(names[option] for option in random.sample(options, len(options))))
        others = [replace(vote, answer=renamed(vote.answer, names)) for vote in cast]

        found, other = count(election, cast), count(mixed, others)

        assert other.outcome == found.outcome
        assert other.decision == renamed(found.decision, names)
        assert sorted(other.leaders) == sorted(renamed(found.leaders, names))
        assert other.scores == renamed(found.scores, names)


@pytest.mark.parametrize("name", MONOTONE)
def test_more_support_for_the_winner_leaves_it_the_winner(name: str) -> None:
    for election, cast, random in elections(name):
        winner = count(election, cast).decision
        if isinstance(winner, str):
            place = random.randrange(len(cast))
            more = [*cast]
            more[place] = replace(cast[place], answer=raised(cast[place].answer, winner))

            assert count(election, more).decision == winner


def test_the_elections_are_of_every_kind() -> None:
    outcomes = Counter(
        (name, count(election, cast).outcome) for name in OF_OPTIONS for election, cast, _ in elections(name)
    )

    assert all(outcomes[name, "decided"] > 30 for name in OF_OPTIONS if name != "none"), outcomes
    assert all(outcomes[name, "tie"] > 30 for name in OF_OPTIONS if name not in ("none", "weighted by both")), outcomes
    assert outcomes["none", "no_consensus"] > 30
    assert outcomes["majority", "no_consensus"] > 30
