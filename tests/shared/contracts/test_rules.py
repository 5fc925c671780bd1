from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.ballots import (
    ApprovalBallot,
    Ballot,
    BooleanBallot,
    ChoiceBallot,
    Criterion,
    FreeBallot,
    NumberBallot,
    RankingBallot,
    ScoreBallot,
)
from shared.contracts.base import Contract
from shared.contracts.rules import (
    RULES_OF,
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
    Rule,
    SelfConsistency,
    Supermajority,
    TrimmedMean,
    Unanimous,
    Veto,
    Weighted,
    names_of_rules,
    usual_rule,
)
from tests.shared.contracts.rejection import accepted, rejection

BY_NAME: dict[str, AnyRule] = {
    "plurality": Plurality(),
    "majority": Majority(),
    "supermajority": Supermajority(threshold=2 / 3),
    "unanimous": Unanimous(),
    "weighted": Weighted(by="weight", threshold=None),
    "approval": Approval(),
    "borda": Borda(),
    "instant_runoff": InstantRunoff(),
    "condorcet": Condorcet(completion="schulze"),
    "median": Median(),
    "trimmed_mean": TrimmedMean(trim=0.1),
    "per_criterion": PerCriterion(statistic="mean", threshold=None),
    "self_consistency": SelfConsistency(),
    "best_of": BestOf(),
}
ALL_RULES = [*BY_NAME, "veto"]
OF_ANSWERS = {"plurality", "majority", "supermajority", "unanimous", "veto", "weighted"}
OPTIONS = ["a", "b"]
FITTING: list[tuple[Ballot, type[Contract], set[str]]] = [
    (ChoiceBallot(options=OPTIONS), Majority, OF_ANSWERS),
    (BooleanBallot(), Majority, OF_ANSWERS),
    (FreeBallot(), Majority, OF_ANSWERS | {"self_consistency", "best_of"}),
    (ApprovalBallot(options=OPTIONS), Approval, {"approval"}),
    (RankingBallot(options=OPTIONS), Condorcet, {"condorcet", "borda", "instant_runoff"}),
    (ScoreBallot(criteria=[Criterion(name="a")]), PerCriterion, {"per_criterion"}),
    (NumberBallot(), Median, {"median", "trimmed_mean"}),
]


class Decided(Contract):
    """A rule as a field, as in a request."""

    rule: Rule


def rule_of(body: Any) -> AnyRule:
    return accepted(Decided, {"rule": body}).rule


@pytest.mark.parametrize("name", BY_NAME)
def test_a_rule_may_be_its_name_alone(name: str) -> None:
    assert rule_of(name) == rule_of({"type": name}) == BY_NAME[name]


def test_a_veto_says_what_it_is_against() -> None:
    assert rule_of({"type": "veto", "answer": "no"}) == Veto(answer="no", count=1)
    for body in ("veto", {"type": "veto"}):
        assert rejection(Decided, {"rule": body}) == [("rule.veto.answer", "Field required")]


@pytest.mark.parametrize("answer", [True, False])
def test_a_veto_of_true_or_false_stays_one(answer: bool) -> None:
    rule = rule_of({"type": "veto", "answer": answer})

    assert isinstance(rule, Veto)
    assert rule.answer is answer


@pytest.mark.parametrize("answer", ["true", "false", "1", "null"])
def test_a_veto_of_a_text_stays_a_text(answer: str) -> None:
    assert rule_of({"type": "veto", "answer": answer}) == Veto(answer=answer)


@pytest.mark.parametrize("answer", [None, 0, 1, 1.0, [], ["no"], {}, {"boolean": True}])
def test_a_veto_of_another_type_has_one_message(answer: Any) -> None:
    [(location, message)] = rejection(Decided, {"rule": {"type": "veto", "answer": answer}})

    assert (location, message) == ("rule.veto.answer", "give a text, or true or false")


@pytest.mark.parametrize("body", ["mayority", "Majority", "", "none", {"type": "mayority"}])
def test_an_unknown_rule_is_told_which_there_are(body: Any) -> None:
    [(location, message)] = rejection(Decided, {"rule": body})

    assert location == "rule"
    for name in ALL_RULES:
        assert repr(name) in message


@pytest.mark.parametrize("body", [3, True, None, ["majority"], 0.5])
def test_a_rule_is_a_name_or_an_object(body: Any) -> None:
    assert rejection(Decided, {"rule": body}) == [("rule", "give its name, or an object with its 'type'")]


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ({"type": "majority", "threshold": 0.6}, "majority.threshold", "Extra inputs"),
        ({"type": "supermajority", "threshold": 0.5}, "supermajority.threshold", "greater than 0.5"),
        ({"type": "supermajority", "threshold": 1.01}, "supermajority.threshold", "less than or equal to 1"),
        ({"type": "supermajority", "threshold": "0.6"}, "supermajority.threshold", "valid number"),
        ({"type": "supermajority", "threshold": True}, "supermajority.threshold", "valid number"),
        ({"type": "supermajority", "threshold": None}, "supermajority.threshold", "valid number"),
        ({"type": "weighted", "threshold": 0}, "weighted.threshold", "greater than 0"),
        ({"type": "weighted", "threshold": 1.01}, "weighted.threshold", "less than or equal to 1"),
        ({"type": "weighted", "by": "votes"}, "weighted.by", "'weight', 'confidence' or 'both'"),
        ({"type": "veto", "answer": "a", "count": 0}, "veto.count", "greater than or equal to 1"),
        ({"type": "veto", "answer": "a", "count": 1.0}, "veto.count", "valid integer"),
        ({"type": "veto", "answer": "a", "count": "1"}, "veto.count", "valid integer"),
        ({"type": "veto", "answer": "a", "count": True}, "veto.count", "valid integer"),
        ({"type": "veto", "answer": ""}, "veto.answer.text", "at least 1"),
        ({"type": "veto", "answer": "a" * 201}, "veto.answer.text", "at most 200"),
        ({"type": "veto", "answer": "+"}, "veto.answer.text", "a letter or a digit"),
        ({"type": "condorcet", "completion": "borda"}, "condorcet.completion", "'schulze', 'ranked_pairs'"),
        ({"type": "trimmed_mean", "trim": -0.01}, "trimmed_mean.trim", "greater than or equal to 0"),
        ({"type": "trimmed_mean", "trim": 0.5}, "trimmed_mean.trim", "less than 0.5"),
        ({"type": "per_criterion", "statistic": "mode"}, "per_criterion.statistic", "'mean' or 'median'"),
        ({"type": "per_criterion", "threshold": "3"}, "per_criterion.threshold", "valid number"),
        ({"type": "per_criterion", "threshold": True}, "per_criterion.threshold", "valid number"),
    ],
)
def test_a_field_that_does_not_fit_is_rejected(body: Any, where: str, why: str) -> None:
    [(location, message)] = rejection(Decided, {"rule": body})

    assert location == f"rule.{where}"
    assert why in message


@pytest.mark.parametrize(
    "body",
    [
        {"type": "supermajority", "threshold": 0.5000001},
        {"type": "supermajority", "threshold": 1},
        {"type": "weighted", "threshold": 1},
        {"type": "weighted", "threshold": 1e-9},
        {"type": "veto", "answer": "a" * 200, "count": 1},
        {"type": "trimmed_mean", "trim": 0},
        {"type": "trimmed_mean", "trim": 0.49999},
        {"type": "per_criterion", "threshold": -3},
    ],
)
def test_a_field_at_its_bound_is_accepted(body: Any) -> None:
    assert rule_of(body).model_dump(include=set(body)) == body


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("supermajority", "threshold"),
        ("weighted", "threshold"),
        ("trimmed_mean", "trim"),
        ("per_criterion", "threshold"),
    ],
)
def test_a_number_that_is_not_finite_is_no_threshold(kind: str, field: str, token: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        Decided.model_validate_json(f'{{"rule": {{"type": "{kind}", "{field}": {token}}}}}', strict=True)


@pytest.mark.parametrize(("ballot", "usual", "names"), FITTING)
def test_a_ballot_has_its_usual_rule_and_those_that_fit_it(
    ballot: Ballot, usual: type[Contract], names: set[str]
) -> None:
    assert usual_rule(ballot) == usual()
    assert set(names_of_rules(ballot)) == names


def test_every_rule_fits_some_ballot() -> None:
    assert {rule.model_fields["type"].default for rules in RULES_OF.values() for rule in rules} == set(ALL_RULES)
