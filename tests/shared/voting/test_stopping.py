"""Whether a vote is decided, against every way in which it could go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, combinations_with_replacement, permutations, product

import pytest

from shared.contracts.rules import (
    AnyRule,
    Approval,
    BestOf,
    Borda,
    Condorcet,
    InstantRunoff,
    Majority,
    Median,
    PerCriterion,
    Plurality,
    SelfConsistency,
    Supermajority,
    TrimmedMean,
    Unanimous,
    Veto,
    Weighted,
)
from shared.voting.election import Answer, Election, Vote
from shared.voting.rules import RULES, count
from shared.voting.stopping import SETTLED, is_decided

ABC = ("a", "b", "c")
UNBREAKABLE = (Supermajority, Unanimous, Median, TrimmedMean, PerCriterion)


@dataclass(frozen=True)
class Case:
    """An election, the ballots that there can be, how many were cast, and the weights of voters who are left."""

    election: Election
    ballots: tuple[tuple[Answer, float], ...]
    """Answers and confidences."""
    cast: int = 4
    left: tuple[tuple[float, ...], ...] = ((), (1.0,), (1.0, 1.0), (1.0, 1.0, 1.0))
    weights: tuple[float, ...] = (1.0,)


def sure(answers: Sequence[Answer]) -> tuple[tuple[Answer, float], ...]:
    return tuple((answer, 1.0) for answer in answers)


def closed(rule: AnyRule) -> Case:
    return Case(Election(rule, ABC), sure(ABC), cast=10)


def opened(rule: AnyRule) -> Case:
    return Case(Election(rule), sure([*ABC, "new"]), cast=5)


def weighing(rule: Weighted, options: tuple[str, ...] | None = ABC) -> Case:
    confidences = (1.0,) if rule.by == "weight" else (0.0, 0.5, 1.0)
    ballots = tuple(product(ABC[:2] if rule.by != "weight" else ABC, confidences))
    weights = (1.0,) if rule.by == "confidence" else (1.0, 2.5)
    left = ((), (1.0,), (1.0, 1.0)) if rule.by == "confidence" else ((), (0.5,), (1.0, 2.5), (3.0,))
    return Case(Election(rule, options), ballots, 3, left, weights)


def ranking(rule: AnyRule, *, partial: bool = False) -> Case:
    shortest = 1 if partial else 3
    ballots = chain.from_iterable(permutations(ABC, places) for places in range(shortest, 4))
    return Case(Election(rule, ABC), sure(list(ballots)), 2 if partial else 5, ((), (1.0,), (1.0, 1.0)))


def numbers(rule: AnyRule, *, bounded: bool = True) -> Case:
    grid = (0.0, 0.5, 2.0) if bounded else (-100.0, 0.0, 0.5, 100.0)
    low, high = (0.0, 2.0) if bounded else (None, None)
    return Case(Election(rule, low=low, high=high), sure(grid), cast=5)


def half_bounded(rule: AnyRule) -> Case:
    return Case(Election(rule, low=0.0), sure((0.0, 1.0, 100.0)), cast=5)


def scores(rule: PerCriterion) -> Case:
    answers: list[Answer] = [{"depth": depth, "style": style} for depth, style in product((1.0, 5.0), (1.0, 3.0, 5.0))]
    return Case(
        Election(rule, low=1.0, high=5.0, criteria={"depth": 2.0, "style": 1.0}), sure(answers), 3, ((), (1.0,), (1, 1))
    )


EXACT = {
    "plurality": closed(Plurality()),
    "plurality, open": opened(Plurality()),
    "majority": closed(Majority()),
    "majority, open": opened(Majority()),
    "supermajority": closed(Supermajority()),
    "supermajority, open": opened(Supermajority(threshold=0.6)),
    "unanimous": closed(Unanimous()),
    "unanimous, open": opened(Unanimous()),
    "one veto": closed(Veto(answer="a")),
    "two vetoes": closed(Veto(answer="B", count=2)),
    "a veto that nobody gave": opened(Veto(answer="New!", count=2)),
    "a veto among two": Case(Election(Veto(answer=True, count=3), ("true", "false")), sure(("true", "false")), cast=6),
    "weighted": weighing(Weighted()),
    "weighted, open": weighing(Weighted(), None),
    "by confidence": weighing(Weighted(by="confidence")),
    "by both": weighing(Weighted(by="both")),
    "approval": Case(
        Election(Approval(), ABC), sure([some for size in range(4) for some in combinations(ABC, size)]), 3
    ),
    "borda": ranking(Borda()),
    "borda, partial": ranking(Borda(), partial=True),
    "median": numbers(Median()),
    "median, unbounded": numbers(Median(), bounded=False),
    "median, from zero": half_bounded(Median()),
    "mean": numbers(TrimmedMean(trim=0)),
    "trimmed mean": numbers(TrimmedMean(trim=0.3)),
    "trimmed mean, unbounded": numbers(TrimmedMean(trim=0.4), bounded=False),
    "pass or fail by means": scores(PerCriterion(threshold=3)),
    "pass or fail by medians": scores(PerCriterion(statistic="median", threshold=3.5)),
    "overall score": scores(PerCriterion(statistic="median")),
}
CAREFUL = {
    "weighted, with a threshold": weighing(Weighted(threshold=0.6)),
    "by confidence, with a threshold": weighing(Weighted(by="confidence", threshold=0.6)),
    "condorcet": ranking(Condorcet()),
    "condorcet, ranked pairs": ranking(Condorcet(completion="ranked_pairs"), partial=True),
    "condorcet, minimax": ranking(Condorcet(completion="minimax"), partial=True),
    "condorcet, no completion": ranking(Condorcet(completion="none")),
    "instant runoff": ranking(InstantRunoff()),
    "instant runoff, partial": ranking(InstantRunoff(), partial=True),
    "self-consistency": opened(SelfConsistency()),
    "best of": opened(BestOf()),
}
NEVER_DECIDED = {"best of", "mean"}
CASES = EXACT | CAREFUL


def votings(case: Case) -> Iterator[list[Vote]]:
    """Every multiset of up to `case.cast` votes."""
    votes = [
        Vote("", answer, weight, confidence) for (answer, confidence), weight in product(case.ballots, case.weights)
    ]
    for cast in range(case.cast + 1):
        yield from map(list, combinations_with_replacement(votes, cast))


def completions(case: Case, left: tuple[float, ...]) -> Iterator[list[Vote]]:
    """Everything that the voters who are left could cast, nothing included."""
    ballots = [None, *case.ballots]
    alike = len(set(left)) <= 1
    chosen = combinations_with_replacement(ballots, len(left)) if alike else product(ballots, repeat=len(left))
    for each in chosen:
        yield [
            Vote("", ballot[0], weight, ballot[1])
            for ballot, weight in zip(each, left, strict=True)
            if ballot is not None
        ]


def standing(election: Election, votes: Sequence[Vote]) -> object:
    """The decision; None without one; ties that something could break are never the same twice."""
    verdict = count(election, votes)
    if verdict.outcome == "tie" and not isinstance(election.rule, UNBREAKABLE):
        return object()
    return verdict.decision if verdict.outcome == "decided" else None


def can_change(case: Case, votes: list[Vote], left: tuple[float, ...]) -> bool:
    now = standing(case.election, votes)
    return any(standing(case.election, [*votes, *more]) != now for more in completions(case, left))


@pytest.mark.parametrize("name", CASES)
def test_no_completion_changes_what_is_decided(name: str) -> None:
    case = CASES[name]
    decided = [
        (votes, left) for left in case.left[1:] for votes in votings(case) if is_decided(case.election, votes, left)
    ]

    assert bool(decided) == (name not in NEVER_DECIDED)
    assert [(votes, left) for votes, left in decided if can_change(case, votes, left)] == []


@pytest.mark.parametrize("name", EXACT)
def test_some_completion_changes_what_is_not_decided(name: str) -> None:
    case = EXACT[name]
    undecided = [
        (votes, left) for left in case.left[1:] for votes in votings(case) if not is_decided(case.election, votes, left)
    ]

    assert undecided
    assert [(votes, left) for votes, left in undecided if not can_change(case, votes, left)] == []


@pytest.mark.parametrize("name", CASES)
def test_what_nobody_is_left_to_change_is_decided(name: str) -> None:
    case = CASES[name]

    assert all(is_decided(case.election, votes, ()) for votes in votings(case))


def test_every_rule_says_when_it_is_settled() -> None:
    assert set(SETTLED) == set(RULES) == {case.election.rule.type for case in CASES.values()}


# --- Groups that a judge has yet to make ---


def test_answers_that_may_yet_be_found_the_same_are_counted_together() -> None:
    election = Election(SelfConsistency())
    votes = [Vote("", text) for text in ["it is 42", "it is 42", "it is 42", "42", "forty two"]]

    assert not is_decided(election, votes, (1.0,))
    assert is_decided(election, [*votes, Vote("", "it is 42")], (1.0,))
    assert is_decided(Election(Plurality()), votes, (1.0,))
