from __future__ import annotations

from typing import get_args

import pytest

from shared.contracts.rules import AnyRule, Condorcet
from shared.voting.condorcet import COMPLETIONS
from shared.voting.election import Election
from shared.voting.rules import RULES, count
from tests.shared.voting.given import KINDS


def test_every_rule_of_the_contract_has_a_count() -> None:
    contract = [kind.model_fields["type"].default for kind in get_args(AnyRule)]

    assert list(RULES) == contract


def test_every_completion_of_the_contract_elects_somebody() -> None:
    stated = get_args(Condorcet.model_fields["completion"].annotation)

    assert sorted([*COMPLETIONS, "none"]) == sorted(stated)


def test_the_tests_know_ballots_for_every_rule() -> None:
    assert sorted({kind.rule.type for kind in KINDS.values()}) == sorted(RULES)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.is_open])
def test_without_votes_every_option_is_at_zero(kind: str) -> None:
    found = count(Election(KINDS[kind].rule, ("B", "A")), [])

    assert (found.outcome, found.decision, found.leaders, found.rounds) == ("no_votes", None, (), ())
    assert list(found.scores.items()) == [("B", 0), ("A", 0)]


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.is_open])
def test_without_votes_an_open_vote_has_no_scores(kind: str) -> None:
    found = count(Election(KINDS[kind].rule, criteria={"depth": 1.0}), [])

    assert (found.outcome, found.decision, found.leaders, found.scores) == ("no_votes", None, (), {})
