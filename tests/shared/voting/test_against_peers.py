"""The rules beside other people's implementations of them.

votelib 0.4 is asked while the tests run, where its answer does not depend on how it breaks ties, and of duels where
they go in a circle (its minimax overlooks an option that is ranked first by all).

pref_voting 1.18, which needs 700 MB, was asked once, by `ask_pref_voting.py`. `pref_voting_winners.jsonl` has, for
random elections of 3 to 5 options and 1 to 20 voters, half of them with rankings of some options only, all winners of
its `beat_path`, `minimax`, `ranked_pairs` (each by winning votes; the last where at most four victories are equal),
`top_cycle`, `instant_runoff`, and of `borda` for complete rankings.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from votelib.component.rankscore import Borda as BordaPoints
from votelib.convert import ApprovalToSimpleVotes, RankedToCondorcetVotes, RankedToPositionalVotes
from votelib.evaluate.condorcet import EVALUATORS
from votelib.evaluate.core import Plurality as MostPoints
from votelib.evaluate.sequential import TransferableVoteSelector

from shared.contracts.rules import Approval, Borda, InstantRunoff, Plurality
from shared.voting.election import Election, Verdict, Vote
from shared.voting.rules import count
from tests.shared.voting.given import CONDORCET, LETTERS, RANKED, a_ranking, an_option, leaders, some_options, votes

ELECTIONS = 500
WINNERS = [json.loads(line) for line in Path(__file__).with_name("pref_voting_winners.jsonl").read_text().splitlines()]


def of_letters(rankings: str) -> list[Vote]:
    return votes(*[tuple(ranking) for ranking in rankings.split()])


@pytest.mark.parametrize("name", RANKED)
def test_the_winners_are_those_of_pref_voting(name: str) -> None:
    asked = [known for known in WINNERS if name in known["winners"]]

    for known in asked:
        found = leaders(RANKED[name], of_letters(known["rankings"]), LETTERS[: known["options"]])
        assert found == known["winners"][name], known
    assert sum(len(known["winners"][name]) > 1 for known in asked) > 20, "ties are among them"
    assert len(asked) > 140


def peers_winner(found: Any) -> str | None:
    """The one that votelib elects; None when it names a tie or nobody."""
    return found[0] if found and isinstance(found[0], str) else None


def elections(name: str, answer: Any) -> list[tuple[str, list[Vote], dict[Any, int]]]:
    """Options, votes, and the same as votelib takes them."""
    drawn: list[tuple[str, list[Vote], dict[Any, int]]] = []
    for number in range(ELECTIONS):
        random = Random(f"{name} {number}")
        options = LETTERS[: random.randint(3, 5)]
        cast = votes(*[answer(random, options) for _ in range(random.randint(3, 25))])
        drawn.append((options, cast, dict(Counter(vote.answer for vote in cast))))
    return drawn


@pytest.mark.parametrize(
    ("name", "peer"),
    [("schulze", "schulze"), ("minimax", "minimax_winvotes"), ("ranked_pairs", "rankedpairs_winvotes")],
)
def test_completions_decide_a_cycle_as_votelib_does(name: str, peer: str) -> None:
    asked = 0
    for options, cast, theirs in elections(name, a_complete_ranking):
        found = count(Election(CONDORCET[name], tuple(options)), cast)
        if found.outcome == "decided" and max(found.scores.values()) < len(options) - 1:
            asked += 1
            duels = RankedToCondorcetVotes().convert(theirs)
            assert peers_winner(EVALUATORS[peer].evaluate(duels, 1)) == found.decision, theirs
    assert asked > 20


def a_complete_ranking(random: Random, options: str) -> tuple[str, ...]:
    return tuple(random.sample(options, len(options)))


def test_borda_decides_as_votelib_does() -> None:
    for options, cast, theirs in elections("borda", a_complete_ranking):
        found = count(Election(Borda(), tuple(options)), cast)
        points = RankedToPositionalVotes(BordaPoints(base=0)).convert(theirs)

        assert {**dict.fromkeys(options, 0), **points} == found.scores
        assert peers_winner(MostPoints().evaluate(points, 1)) == found.decision


def test_instant_runoff_decides_as_votelib_does_where_none_tie_for_elimination() -> None:
    asked = 0
    for options, cast, theirs in elections("instant_runoff", a_ranking):
        found = count(Election(InstantRunoff(), tuple(options)), cast)
        if found.outcome == "decided" and all(len(counted.eliminated) < 2 for counted in found.rounds):
            asked += len(found.rounds) > 1
            assert peers_winner(TransferableVoteSelector().evaluate(theirs, 1)) == found.decision, theirs
    assert asked > 100


def test_plurality_and_approval_decide_as_votelib_does() -> None:
    for options, cast, theirs in elections("plurality", an_option):
        check(count(Election(Plurality(), tuple(options)), cast), theirs)
    for options, cast, theirs in elections("approval", some_options):
        approvals = ApprovalToSimpleVotes().convert({frozenset(approved): n for approved, n in theirs.items()})
        check(count(Election(Approval(), tuple(options)), cast), approvals)


def check(found: Verdict, simple_votes: dict[str, int]) -> None:
    assert {answer: score for answer, score in found.scores.items() if score} == simple_votes
    assert peers_winner(MostPoints().evaluate(simple_votes, 1)) == found.decision
