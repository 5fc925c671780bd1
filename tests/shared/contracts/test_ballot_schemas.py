"""What the schema of a ballot lets a voter answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.contracts.ballots import (
    MAX_NUMBER,
    ApprovalBallot,
    Ballot,
    BooleanBallot,
    ChoiceBallot,
    Criterion,
    FreeBallot,
    NumberBallot,
    RankingBallot,
    ScoreBallot,
    ballot_schema,
)
from shared.schemas import check_output_schema, first_violation
from tests.shared.strategies import BALLOTS, TEXTS

PARSED: TypeAdapter[Ballot] = TypeAdapter(Ballot)
OPTIONS = ["Yes", "No", "Later"]
CHOICE, APPROVAL, RANKING = (kind(options=OPTIONS) for kind in (ChoiceBallot, ApprovalBallot, RankingBallot))
SCORE = ScoreBallot(criteria=[Criterion(name="clear"), Criterion(name="true")])
ONE_OF_EACH: list[Ballot] = [CHOICE, APPROVAL, RANKING, SCORE, NumberBallot(), BooleanBallot(), FreeBallot()]


def vote(answer: Any, **changed: Any) -> dict[str, Any]:
    return {"reasoning": "why", "evidence": ["a quote"], "answer": answer, "confidence": 0.5} | changed


def fits(ballot: Ballot, answer: Any) -> bool:
    return first_violation(vote(answer), ballot_schema(ballot)) is None


def in_bounds(ballot: NumberBallot | ScoreBallot) -> st.SearchStrategy[float]:
    low = -MAX_NUMBER if ballot.minimum is None else ballot.minimum
    return st.floats(low, MAX_NUMBER if ballot.maximum is None else ballot.maximum)


def answers_to(ballot: Ballot) -> st.SearchStrategy[Any]:
    """What a voter may answer, but for null."""
    match ballot:
        case ChoiceBallot() | BooleanBallot():
            return st.sampled_from(ballot.options if isinstance(ballot, ChoiceBallot) else [True, False])
        case ApprovalBallot():
            return st.lists(st.sampled_from(ballot.options), unique=True)
        case RankingBallot():
            cut = st.just(len(ballot.options)) if ballot.complete else st.integers(1, len(ballot.options))
            return st.builds(lambda ranked, length: ranked[:length], st.permutations(ballot.options), cut)
        case ScoreBallot():
            return st.fixed_dictionaries({criterion.name: in_bounds(ballot) for criterion in ballot.criteria})
        case NumberBallot():
            return in_bounds(ballot)
        case FreeBallot():
            return TEXTS.map(lambda text: text.strip()[: ballot.max_chars])


@given(data=st.data())
def test_every_ballot_s_schema_is_one_that_agents_accept_in_any_order_of_the_options(data: st.DataObject) -> None:
    ballot = PARSED.validate_python(data.draw(BALLOTS))
    shuffled = data.draw(st.permutations(ballot.options)) if hasattr(ballot, "options") else None

    schema = ballot_schema(ballot, shuffled)

    assert check_output_schema(json.loads(json.dumps(schema))) == schema
    assert first_violation(vote(data.draw(answers_to(ballot))), schema) is None
    assert (first_violation(vote(None), schema) is None) is ballot.abstain


@pytest.mark.parametrize("ballot", ONE_OF_EACH)
@pytest.mark.parametrize("missing", ["reasoning", "evidence", "answer", "confidence"])
def test_a_vote_has_all_its_fields(ballot: Ballot, missing: str) -> None:
    whole = vote(None)
    del whole[missing]

    assert f"'{missing}' is a required property" in (first_violation(whole, ballot_schema(ballot)) or "")


@pytest.mark.parametrize(
    "changed",
    [
        {"confidence": -0.01}, {"confidence": 1.01}, {"confidence": "high"}, {"confidence": None}, {"confidence": True},
        {"evidence": None}, {"evidence": "a quote"}, {"evidence": [1]}, {"reasoning": None}, {"surprise": 1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("ballot", ONE_OF_EACH)
def test_the_other_fields_of_a_vote_are_checked_too(ballot: Ballot, changed: dict[str, Any]) -> None:
    assert first_violation(vote(None, **changed), ballot_schema(ballot)) is not None


@pytest.mark.parametrize("changed", [{"confidence": 0}, {"confidence": 1}, {"evidence": []}, {"reasoning": ""}])
def test_confidence_is_from_0_to_1_and_evidence_may_be_empty(changed: dict[str, Any]) -> None:
    assert first_violation(vote("Yes", **changed), ballot_schema(CHOICE)) is None


@pytest.mark.parametrize(
    ("ballot", "answer"),
    [
        (CHOICE, "yes"), (CHOICE, "Maybe"), (CHOICE, ""), (CHOICE, ["Yes"]), (CHOICE, 1), (CHOICE, "null"),
        (APPROVAL, ["Maybe"]), (APPROVAL, ["Yes", "Yes"]), (APPROVAL, "Yes"), (APPROVAL, [None]),
        (RANKING, ["Yes", "No"]), (RANKING, ["Yes", "No", "No"]), (RANKING, ["Yes", "No", "Maybe"]), (RANKING, []),
        (RANKING, [*OPTIONS, "Maybe"]),
        (SCORE, {"clear": 1}), (SCORE, {"clear": 1, "true": 0.9}), (SCORE, {"clear": 1, "true": 5.1}),
        (SCORE, {"clear": 1, "true": "5"}), (SCORE, {"clear": 1, "true": None}), (SCORE, {}), (SCORE, 3),
        (SCORE, {"clear": 1, "true": 5, "kind": 3}), (SCORE, {"clear": True, "true": 5}),
        (NumberBallot(minimum=0, maximum=1), -0.1), (NumberBallot(minimum=0, maximum=1), 1.1),
        (NumberBallot(), "5"), (NumberBallot(), True), (NumberBallot(), [5]), (NumberBallot(), 10**400),
        (NumberBallot(minimum=0), 1e101), (NumberBallot(maximum=0), -1e101),
        (BooleanBallot(), "true"), (BooleanBallot(), 1), (BooleanBallot(), "yes"),
        (FreeBallot(), ""), (FreeBallot(), " \n\t"), (FreeBallot(max_chars=3), "four"), (FreeBallot(), 4),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_on_the_ballot_does_not_fit(ballot: Ballot, answer: Any) -> None:
    assert not fits(ballot, answer)


@pytest.mark.parametrize(
    ("ballot", "answer"),
    [
        (APPROVAL, []),
        (RankingBallot(options=OPTIONS, complete=False), ["Later"]),
        (SCORE, {"clear": 1, "true": 5}),
        (NumberBallot(minimum=0, maximum=1), 0),
        (NumberBallot(minimum=0, maximum=1), 1),
        (NumberBallot(), MAX_NUMBER),
        (BooleanBallot(), False),
        (FreeBallot(max_chars=3), "two"),
    ],
)
def test_an_answer_at_the_edge_of_the_ballot_fits(ballot: Ballot, answer: Any) -> None:
    assert fits(ballot, answer)


def test_an_incomplete_ranking_ranks_something() -> None:
    assert not fits(RankingBallot(options=OPTIONS, complete=False), [])


def test_an_option_called_null_is_no_abstention() -> None:
    asked, forced = (ChoiceBallot(options=["null", "none"], abstain=abstain) for abstain in (True, False))

    assert [fits(asked, "null"), fits(asked, None)] == [True, True]
    assert [fits(forced, "null"), fits(forced, None)] == [True, False]


def test_options_called_true_and_false_are_texts() -> None:
    ballot = ChoiceBallot(options=["true", "false"])

    assert [fits(ballot, "true"), fits(ballot, True)] == [True, False]


@pytest.mark.parametrize(
    "name",
    [
        "reasoning",
        "answer",
        "type",
        "properties",
        "required",
        "$ref",
        "$id",
        "$defs",
        "__proto__",
        "constructor",
        "a/b",
    ],
)
def test_a_criterion_may_be_called_what_a_schema_or_a_language_calls_its_own(name: str) -> None:
    ballot = ScoreBallot(criteria=[Criterion(name=name), Criterion(name="other")])

    assert check_output_schema(ballot_schema(ballot))
    assert fits(ballot, {name: 3, "other": 3})
    assert not fits(ballot, {name: 9, "other": 3})
    assert not fits(ballot, {"other": 3})


def test_a_voter_sees_the_options_in_the_order_that_is_asked_for() -> None:
    properties = ballot_schema(CHOICE, ["Later", "Yes", "No"])["properties"]

    assert properties["answer"]["enum"] == ["Later", "Yes", "No", None]  # type: ignore[index, call-overload]
