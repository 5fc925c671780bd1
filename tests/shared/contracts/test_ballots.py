"""What a ballot may ask for; what its schema lets a voter answer is in `test_ballot_schemas.py`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.contracts.ballots import (
    MAX_ANSWER_CHARS,
    MAX_CRITERIA,
    MAX_OPTIONS,
    Ballot,
    ChoiceBallot,
    Criterion,
    FreeBallot,
    NumberBallot,
    RankingBallot,
    ScoreBallot,
)
from shared.contracts.base import Contract, restored
from tests.shared.contracts.rejection import accepted, rejection

CHOICE: dict[str, Any] = {"type": "choice", "options": ["Yes", "No"]}
SCORE: dict[str, Any] = {"type": "score", "criteria": ["clear", "true"]}
NUMBER: dict[str, Any] = {"type": "number"}


class Asked(Contract):
    """A ballot as a field, as in a request."""

    ballot: Ballot


def ballot_of(body: Any) -> Ballot:
    return accepted(Asked, {"ballot": body}).ballot


def refusal(body: Any) -> tuple[str, str]:
    """The one place, without the ballot's tag, and why."""
    [(location, message)] = rejection(Asked, {"ballot": body})
    kind = body.get("type") if isinstance(body, dict) else None
    return location.removeprefix("ballot").removeprefix(f".{kind}").removeprefix("."), message


def test_what_a_ballot_does_not_state_has_a_default() -> None:
    assert ballot_of(CHOICE) == ChoiceBallot(options=["Yes", "No"], abstain=True, shuffle=True)
    assert ballot_of({**CHOICE, "type": "ranking"}) == RankingBallot(options=["Yes", "No"], complete=True)
    assert ballot_of(NUMBER) == NumberBallot(minimum=None, maximum=None, unit=None)
    assert ballot_of({"type": "free"}) == FreeBallot(max_chars=2_000)
    assert ballot_of({"type": "boolean"}).abstain


def test_a_criterion_may_be_its_name_alone() -> None:
    ballot = ballot_of({"type": "score", "criteria": ["clear", {"name": "true", "weight": 3}]})

    assert ballot == ScoreBallot(
        criteria=[Criterion(name="clear", weight=1), Criterion(name="true", weight=3)], minimum=1, maximum=5
    )


@pytest.mark.parametrize("kind", ["rank", "Choice", "", "borda"])
def test_there_are_ballots_of_these_types_alone(kind: str) -> None:
    _, message = refusal({"type": kind})

    for known in ("choice", "approval", "ranking", "score", "number", "boolean", "free"):
        assert repr(known) in message


@pytest.mark.parametrize("body", [{}, {"options": ["a", "b"]}, "free", None, 3, [], True])
def test_a_ballot_is_an_object_with_its_type(body: Any) -> None:
    assert refusal(body)[0] == ""


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ({**CHOICE, "surprise": 1}, "surprise", "Extra inputs"),
        ({**CHOICE, "complete": False}, "complete", "Extra inputs"),
        ({"type": "free", "options": ["a", "b"]}, "options", "Extra inputs"),
        ({"type": "choice"}, "options", "Field required"),
        ({"type": "score"}, "criteria", "Field required"),
        ({**CHOICE, "abstain": "true"}, "abstain", "valid boolean"),
        ({**CHOICE, "abstain": 1}, "abstain", "valid boolean"),
        ({**CHOICE, "abstain": None}, "abstain", "valid boolean"),
        ({**CHOICE, "shuffle": 0}, "shuffle", "valid boolean"),
        ({**CHOICE, "type": "ranking", "complete": "no"}, "complete", "valid boolean"),
        ({**CHOICE, "options": "ab"}, "options", "valid array"),
        ({**CHOICE, "options": ["only"]}, "options", "at least 2"),
        ({**CHOICE, "options": ["a", 2]}, "options.1", "valid string"),
        ({**CHOICE, "options": ["a", True]}, "options.1", "valid string"),
        ({**CHOICE, "options": ["a", None]}, "options.1", "valid string"),
        ({**CHOICE, "options": ["a", ""]}, "options.1", "at least 1"),
        ({**CHOICE, "options": ["a", "b" * 201]}, "options.1", "at most 200"),
        ({**CHOICE, "options": ["a", "+"]}, "options.1", "a letter or a digit"),
        ({**CHOICE, "options": ["a", "\u200b"]}, "options.1", "a letter or a digit"),
        ({**SCORE, "criteria": []}, "criteria", "at least 1"),
        ({**SCORE, "criteria": {"name": "a"}}, "criteria", "valid array"),
        ({**SCORE, "criteria": [3]}, "criteria.0", "give its name, or an object with its 'name'"),
        ({**SCORE, "criteria": [{}]}, "criteria.0.name", "Field required"),
        ({**SCORE, "criteria": [{"name": "a", "weight": "1"}]}, "criteria.0.weight", "valid number"),
        ({**SCORE, "criteria": [{"name": "a", "weight": True}]}, "criteria.0.weight", "valid number"),
        ({**SCORE, "criteria": [{"name": "a", "description": " "}]}, "criteria.0.description", "match pattern"),
        ({**SCORE, "minimum": "1"}, "minimum", "valid number"),
        ({**SCORE, "maximum": None}, "maximum", "valid number"),
        ({**NUMBER, "minimum": True}, "minimum", "valid number"),
        ({**NUMBER, "unit": " "}, "unit", "match pattern"),
        ({**NUMBER, "unit": "km\nh"}, "unit", "one line"),
        ({"type": "free", "max_chars": 1.0}, "max_chars", "valid integer"),
        ({"type": "free", "max_chars": "9"}, "max_chars", "valid integer"),
        ({"type": "boolean", "options": ["a", "b"]}, "options", "Extra inputs"),
    ],
)
def test_a_field_that_does_not_fit_is_rejected_by_its_path(body: Any, where: str, why: str) -> None:
    location, message = refusal(body)

    assert location == where
    assert why in message


@pytest.mark.parametrize(
    ("inside", "beyond", "where"),
    [
        ({**CHOICE, "options": ["a", "b" * 200]}, {**CHOICE, "options": ["a", "b" * 201]}, "options.1"),
        (
            {**CHOICE, "options": [f"o{number}" for number in range(MAX_OPTIONS)]},
            {**CHOICE, "options": [f"o{number}" for number in range(MAX_OPTIONS + 1)]},
            "options",
        ),
        (
            {**SCORE, "criteria": [f"c{number}" for number in range(MAX_CRITERIA)]},
            {**SCORE, "criteria": [f"c{number}" for number in range(MAX_CRITERIA + 1)]},
            "criteria",
        ),
        (
            {**SCORE, "criteria": [{"name": "a", "weight": 1_000}, {"name": "b", "weight": 0.001}]},
            {**SCORE, "criteria": [{"name": "a", "weight": 1_000.5}]},
            "criteria.0.weight",
        ),
        (
            {**SCORE, "criteria": [{"name": "a", "weight": 0.001}]},
            {**SCORE, "criteria": [{"name": "a", "weight": 0}]},
            "criteria.0.weight",
        ),
        (
            {**SCORE, "criteria": [{"name": "a", "description": "d" * 1_000}]},
            {**SCORE, "criteria": [{"name": "a", "description": "d" * 1_001}]},
            "criteria.0.description",
        ),
        ({**SCORE, "minimum": -1e15}, {**SCORE, "minimum": -1.1e15}, "minimum"),
        ({**SCORE, "maximum": 1e15}, {**SCORE, "maximum": 10**400}, "maximum"),
        ({**NUMBER, "minimum": -1e15, "maximum": 1e15}, {**NUMBER, "minimum": -1.1e15}, "minimum"),
        ({**NUMBER, "unit": "u" * 60}, {**NUMBER, "unit": "u" * 61}, "unit"),
        ({"type": "free", "max_chars": 1}, {"type": "free", "max_chars": 0}, "max_chars"),
        (
            {"type": "free", "max_chars": MAX_ANSWER_CHARS},
            {"type": "free", "max_chars": MAX_ANSWER_CHARS + 1},
            "max_chars",
        ),
    ],
)
def test_a_bound_is_inclusive(inside: Any, beyond: Any, where: str) -> None:
    ballot_of(inside)

    assert refusal(beyond)[0] == where


@pytest.mark.parametrize("kind", ["choice", "approval", "ranking"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes", "yes"), ("Yes", " yes! "), ("not safe", "Not-Safe"), ("don't", "dont"), ("5.0", "5"),
        ("approve", "ap\u200bprove"), ("approve", "\u202eapprove"), ("straße", "STRASSE"),
    ],
)  # fmt: skip
def test_options_that_a_reader_takes_for_the_same_are_rejected(kind: str, one: str, other: str) -> None:
    where, message = refusal({"type": kind, "options": [one, other]})

    assert where == ""
    assert message.startswith("options must differ in more than case, space and punctuation: ")


@pytest.mark.parametrize("options", [["-5 %", "5 %"], ["C", "C++"], ["null", "none"], ["true", "false"], ["_", "a_"]])
def test_options_that_a_reader_tells_apart_are_accepted(options: list[str]) -> None:
    assert ballot_of({"type": "choice", "options": options}) == ChoiceBallot(options=options)


def test_criteria_that_a_reader_takes_for_the_same_are_rejected() -> None:
    _, message = refusal({**SCORE, "criteria": ["clear", {"name": "Clear!"}]})

    assert message == "criteria must have different names; repeated: clear"


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"])
def test_what_a_prompt_lists_line_by_line_is_one_line(character: str) -> None:
    text = f"a{character}- b"

    assert refusal({**CHOICE, "options": ["c", text]}) == (
        "options.1",
        "must be one line, without tabs and other control characters",
    )
    assert refusal({**SCORE, "criteria": [text]})[0] == "criteria.0.name"


@pytest.mark.parametrize("joined", ["👩\u200d🔬 scientist", "می\u200cخواهم"])
def test_a_joiner_is_part_of_a_word(joined: str) -> None:
    assert ballot_of({**CHOICE, "options": [joined, "b"]}) == ChoiceBallot(options=[joined, "b"])


@pytest.mark.parametrize("name", ['a "b"', "a\\b"])
def test_a_criterion_is_a_plain_key(name: str) -> None:
    where, message = refusal({**SCORE, "criteria": [{"name": name}]})

    assert where == "criteria.0.name"
    assert "without quotation mark and backslash" in message


@pytest.mark.parametrize(
    "body",
    [
        {**CHOICE, "options": [f"{number:02}{'щ' * 198}" for number in range(MAX_OPTIONS)]},
        {**SCORE, "criteria": [f"{number:02}{'щ' * 198}" for number in range(MAX_CRITERIA)]},
    ],
)
def test_a_ballot_whose_schema_no_agent_would_take_is_rejected(body: Any) -> None:
    _, message = refusal(body)

    assert "at most 32,768 are accepted: give fewer or shorter ones" in message


@pytest.mark.parametrize("body", [{**SCORE, "maximum": 1}, {**SCORE, "minimum": 5}, {**SCORE, "minimum": 9}])
def test_scores_have_a_range_defaults_included(body: Any) -> None:
    where, message = refusal(body)

    assert where == ""
    assert message.startswith("maximum is ")
    assert "must be above minimum" in message


def test_numbers_have_a_range() -> None:
    assert ballot_of({**NUMBER, "minimum": 7}) == NumberBallot(minimum=7)
    assert refusal({**NUMBER, "minimum": 7, "maximum": 7})[1] == "maximum is 7; it must be above minimum, which is 7"


@pytest.mark.parametrize("field", ["minimum", "maximum"])
@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_bound_is_a_finite_number(field: str, token: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        TypeAdapter(NumberBallot).validate_json(f'{{"{field}": {token}}}', strict=True)


def test_a_ballot_from_history_is_not_checked_against_rules_that_came_later() -> None:
    options = ["one\ntwo", "ap\u200bprove", "approve"]

    assert restored(Asked, {"ballot": {**CHOICE, "options": options}}).ballot == ChoiceBallot.model_construct(
        type="choice", options=options
    )
