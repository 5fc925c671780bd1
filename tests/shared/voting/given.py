"""Votes, elections and random ballots for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

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
from shared.voting.election import Answer, Election, Verdict, Vote
from shared.voting.rules import count

LETTERS = "ABCDEFGH"


def votes(*answers: Answer) -> list[Vote]:
    """One vote each."""
    return [Vote(f"v{number}", answer) for number, answer in enumerate(answers)]


def rankings(*groups: str) -> list[Vote]:
    """`"3 ABC"` is three voters who rank A over B over C."""
    parts = [group.split() for group in groups]
    return votes(*[tuple(ranking) for number, ranking in parts for _ in range(int(number))])


def verdict(rule: AnyRule, cast: Sequence[Vote], options: Sequence[str] | None = None, **fields: Any) -> Verdict:
    """What `rule` makes of them."""
    return count(Election(rule, tuple(options) if options else None, **fields), cast)


def leaders(rule: AnyRule, cast: Sequence[Vote], options: Sequence[str]) -> str:
    """Who leads, as one word of letters."""
    return "".join(verdict(rule, cast, options).leaders)


@dataclass(frozen=True, slots=True)
class Kind:
    """A rule and random ballots for it."""

    rule: AnyRule
    answer: Callable[[Random, Sequence[str]], Answer]
    is_open: bool = False
    """Voters name answers that are no options."""

    def election(self, random: Random) -> tuple[Election, list[Vote]]:
        """One of up to five options and twelve voters."""
        options = LETTERS[: random.randint(2, 5)]
        criteria = {"depth": 1.0, "style": 2.5}
        election = Election(self.rule, None if self.is_open else tuple(options), low=0.0, high=5.0, criteria=criteria)
        return election, [self._vote(random, number, options) for number in range(random.randint(1, 12))]

    def _vote(self, random: Random, number: int, options: str) -> Vote:
        weight, confidence = random.choice((0.1, 0.2, 0.3, 1.0, 2.0)), random.choice((0.1, 0.5, 0.7, 1.0))
        return Vote(f"v{number}", self.answer(random, options), weight, confidence)


def an_option(random: Random, options: Sequence[str]) -> str:
    return random.choice(options)


def some_options(random: Random, options: Sequence[str]) -> tuple[str, ...]:
    return tuple(option for option in options if random.random() < 0.5)


def a_ranking(random: Random, options: Sequence[str]) -> tuple[str, ...]:
    """Complete as often as not."""
    ranked = len(options) if random.random() < 0.5 else random.randint(1, len(options))
    return tuple(random.sample(options, ranked))


def a_number(random: Random, _: Sequence[str]) -> float:
    return random.choice((0.1, 0.2, 0.3, 1.0, 4.9, random.uniform(0, 5)))


def some_scores(random: Random, _: Sequence[str]) -> dict[str, float]:
    return {"depth": a_number(random, ""), "style": a_number(random, "")}


CONDORCET = {
    "schulze": Condorcet(completion="schulze"),
    "ranked_pairs": Condorcet(completion="ranked_pairs"),
    "minimax": Condorcet(completion="minimax"),
    "none": Condorcet(completion="none"),
}
RANKED = {"borda": Borda(), "instant_runoff": InstantRunoff(), **CONDORCET}
KINDS: dict[str, Kind] = {
    "plurality": Kind(Plurality(), an_option),
    "majority": Kind(Majority(), an_option),
    "supermajority": Kind(Supermajority(), an_option),
    "unanimous": Kind(Unanimous(), an_option),
    "veto": Kind(Veto(answer="A", count=2), an_option),
    "weighted": Kind(Weighted(), an_option),
    "weighted by both": Kind(Weighted(by="both", threshold=0.4), an_option),
    "approval": Kind(Approval(), some_options),
    **{name: Kind(rule, a_ranking) for name, rule in RANKED.items()},
    "self_consistency": Kind(SelfConsistency(), an_option, is_open=True),
    "best_of": Kind(BestOf(), an_option, is_open=True),
    "median": Kind(Median(), a_number, is_open=True),
    "trimmed_mean": Kind(TrimmedMean(), a_number, is_open=True),
    "per_criterion": Kind(PerCriterion(), some_scores, is_open=True),
    "per_criterion with a threshold": Kind(PerCriterion(threshold=2.5), some_scores, is_open=True),
}
