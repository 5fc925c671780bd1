from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.voting import (
    MAX_OPTIONS,
    MAX_VOTERS,
    ChoiceBallot,
    FreeBallot,
    VotingRequest,
    ballot_schema,
)
from shared.schemas import check_output_schema, first_violation
from tests.shared.contracts.rejection import accepted, rejection

QUESTION = {"question": "Is it safe?"}
JUROR = {"name": "ann", "instructions": "be careful"}


def test_a_question_alone_works_with_five_equal_voters_and_free_answers() -> None:
    request = accepted(VotingRequest, QUESTION)

    assert request.ballot == FreeBallot()
    assert [agent.name for agent in request.agents()] == [f"voter-{number}" for number in range(1, 6)]


@pytest.mark.parametrize(
    "voters", ["3", 3.0, 3.5, True, None, {}, {"count": 3}, 0, -1, MAX_VOTERS + 1, 10**30, [], ["ann"]]
)
def test_voters_are_a_positive_integer_or_a_list_of_agents(voters: Any) -> None:
    for location, _ in rejection(VotingRequest, {**QUESTION, "voters": voters}):
        assert location.startswith("voters")


def test_there_are_at_most_so_many_jurors() -> None:
    jury = [{**JUROR, "name": f"v{number}"} for number in range(MAX_VOTERS + 1)]

    assert len(accepted(VotingRequest, {**QUESTION, "voters": jury[:-1]}).agents()) == MAX_VOTERS
    [(_, message)] = rejection(VotingRequest, {**QUESTION, "voters": jury})
    assert f"at most {MAX_VOTERS}" in message


def test_a_juror_s_missing_field_is_named() -> None:
    [(location, message)] = rejection(VotingRequest, {**QUESTION, "voters": [JUROR, {"name": "bob"}]})

    assert location == "voters.jury.1.instructions"
    assert message == "Field required"


@pytest.mark.parametrize("second", [JUROR, {"instructions": "unnamed"}])
def test_jurors_must_have_names_that_differ(second: Any) -> None:
    first = JUROR if "name" in second else {"instructions": "also unnamed"}

    [(_, message)] = rejection(VotingRequest, {**QUESTION, "voters": [first, second]})

    assert "voters must have unique names" in message


def test_jurors_take_no_output_schema_because_the_ballot_is_it() -> None:
    juror = {**JUROR, "output_schema": {"type": "object"}}

    [(_, message)] = rejection(VotingRequest, {**QUESTION, "voters": [juror]})

    assert "remove it from: ann" in message


@pytest.mark.parametrize(
    ("ballot", "where"),
    [
        ({}, "ballot"),
        ({"options": ["a", "b"]}, "ballot"),
        ({"type": "rank"}, "ballot"),
        ("free", "ballot"),
        (None, "ballot"),
        ({"type": "free", "options": ["a", "b"]}, "ballot.free.options"),
        ({"type": "choice"}, "ballot.choice.options"),
        ({"type": "choice", "options": ["only"]}, "ballot.choice.options"),
        ({"type": "choice", "options": "ab"}, "ballot.choice.options"),
        ({"type": "choice", "options": ["a", 2]}, "ballot.choice.options.1"),
        ({"type": "choice", "options": ["a", "+"]}, "ballot.choice.options.1"),
        ({"type": "choice", "options": ["a", "b" * 201]}, "ballot.choice.options.1"),
        ({"type": "choice", "options": [f"o{n}" for n in range(MAX_OPTIONS + 1)]}, "ballot.choice.options"),
    ],
)
def test_a_ballot_that_does_not_fit_is_rejected(ballot: Any, where: str) -> None:
    [(location, _)] = rejection(VotingRequest, {**QUESTION, "ballot": ballot})

    assert location == where


@pytest.mark.parametrize(
    ("one", "other"), [("Yes", "yes"), ("Yes", " yes! "), ("not safe", "Not-Safe"), ("don't", "dont"), ("5.0", "5")]
)
def test_options_must_differ_after_normalisation(one: str, other: str) -> None:
    [(location, message)] = rejection(
        VotingRequest, {**QUESTION, "ballot": {"type": "choice", "options": [one, other]}}
    )

    assert location == "ballot.choice"
    assert "options must differ in more than case, space and punctuation" in message


def test_options_that_differ_only_in_their_sign_are_different() -> None:
    assert ChoiceBallot(options=["-5 %", "5 %"]).options == ["-5 %", "5 %"]


def test_more_successes_than_voters_cannot_be_asked_for() -> None:
    [(_, message)] = rejection(VotingRequest, {**QUESTION, "voters": 2, "policy": {"min_successful": 3}})

    assert "min_successful is 3, but the run has only 2 branches" in message


@pytest.mark.parametrize("ballot", [FreeBallot(), ChoiceBallot(options=["Yes", "No"])])
def test_a_ballot_s_schema_is_one_that_agents_accept(ballot: Any) -> None:
    schema = ballot_schema(ballot)

    assert check_output_schema(schema) == schema
    assert first_violation({"reasoning": "why", "answer": "Yes"}, schema) is None
    assert first_violation({"reasoning": "why", "answer": ""}, schema) is not None
    assert first_violation({"answer": "Yes"}, schema) is not None


def test_a_choice_ballot_s_schema_takes_its_options_alone() -> None:
    schema = ballot_schema(ChoiceBallot(options=["Yes", "No"]))

    assert first_violation({"reasoning": "", "answer": "yes"}, schema) is not None
