"""What is told of a decision, beside the rules that make it: every rule, on votes drawn at random."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.rules import (
    Approval,
    Borda,
    Condorcet,
    InstantRunoff,
    Majority,
    Median,
    PerCriterion,
    Plurality,
    Supermajority,
    TrimmedMean,
    Unanimous,
    Veto,
    Weighted,
)
from shared.voting.confidence import honest_confidence
from shared.voting.dissent import dissent_of
from shared.voting.election import Election, Verdict, Vote
from shared.voting.rules import count
from shared.voting.shapes import SHAPES
from tests.shared.voting.tell_given import ABC, ballots_of

NUMBERS = st.integers(0, 10).map(float)
ANSWERS: dict[str, st.SearchStrategy[Any]] = {
    "answers": st.sampled_from(ABC),
    "approvals": st.lists(st.sampled_from(ABC), unique=True).map(tuple),
    "rankings": st.lists(st.sampled_from(ABC), unique=True, min_size=1).map(tuple),
    "numbers": NUMBERS,
    "scores": st.fixed_dictionaries({"style": NUMBERS, "depth": NUMBERS}),
}
TENTHS = st.integers(0, 10).map(lambda tenths: tenths / 10)
RULES = [
    Plurality(),
    Majority(),
    Supermajority(),
    Unanimous(),
    Veto(answer="c"),
    Weighted(),
    Weighted(by="both"),
    Approval(),
    Borda(),
    InstantRunoff(),
    Condorcet(),
    Condorcet(completion="none"),
    Median(),
    TrimmedMean(),
    PerCriterion(),
    PerCriterion(threshold=5),
]


@st.composite
def elections(draw: st.DrawFn, rule: Any) -> tuple[Election, list[Vote], Verdict]:
    """An election, its votes, and what the rule makes of them."""
    shape = SHAPES[rule.type]
    bounded: dict[str, Any] = {"low": 0.0, "high": 10.0} if shape in ("numbers", "scores") else {"options": ABC}
    criteria = {"style": 0.1, "depth": 0.2} if shape == "scores" else {}
    election = Election(rule, criteria=criteria, **bounded)
    cast = draw(st.lists(st.tuples(ANSWERS[shape], TENTHS, TENTHS), max_size=9))
    votes = [Vote(f"v{place}", answer, weight + 0.1, sure) for place, (answer, weight, sure) in enumerate(cast)]
    return election, votes, count(election, votes)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
@given(data=st.data())
@settings(max_examples=60)
def test_figures_stay_within_their_bounds_under_every_rule(rule: Any, data: st.DataObject) -> None:
    election, votes, verdict = data.draw(elections(rule))
    figures = honest_confidence(election, votes, verdict, lead_probability=None, unchanged_probability=None)

    for share in (figures.agreement, figures.margin, figures.stated):
        assert share is None or 0 <= share <= 1
    assert figures.effective_voters is None or 1 <= figures.effective_voters <= len(votes)
    assert (figures.stated is None) == (not votes)
    if verdict.outcome == "tie":
        assert figures.margin == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
@given(data=st.data())
@settings(max_examples=60)
def test_dissent_is_never_for_what_was_decided_and_only_of_voters_under_every_rule(
    rule: Any, data: st.DataObject
) -> None:
    election, votes, verdict = data.draw(elections(rule))
    found = dissent_of(election, votes, verdict, ballots_of(votes), {})

    if found is not None:
        names = [vote.voter for vote in votes]
        assert found.answer != (verdict.decision if verdict.decision is not None else verdict.leaders[0])
        assert found.voters == [name for name in names if name in found.voters] != []
        assert found.voter in found.voters
        assert found.reasoning == f"Because of {found.voter}."
        assert 0 <= found.share <= 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
@given(data=st.data())
@settings(max_examples=30)
def test_voters_who_all_say_the_same_agree_and_nobody_dissents(rule: Any, data: st.DataObject) -> None:
    answer = data.draw(ANSWERS[SHAPES[rule.type]])
    election, _, _ = data.draw(elections(rule))
    votes = [Vote(f"v{place}", answer) for place in range(4)]
    verdict = count(election, votes)
    figures = honest_confidence(election, votes, verdict, lead_probability=None, unchanged_probability=None)

    assert figures.agreement == 1
    assert dissent_of(election, votes, verdict, [], {}) is None
