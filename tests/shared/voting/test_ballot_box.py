"""From the outcomes of voters' branches to the votes that count."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts.branch import BranchError, BranchOutcome
from shared.contracts.voting import VotingRequest
from shared.normalisation import normalised
from shared.voting.ballot_box import BallotBox, election_of
from shared.voting.voters import voters_of
from tests.shared.contracts.rejection import accepted

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def given(answer: Any, **fields: Any) -> dict[str, Any]:
    return {"reasoning": "r", "evidence": [], "answer": answer, "confidence": 0.5, **fields}


def outcome(number: int, output: Any = None, error: BranchError | None = None) -> BranchOutcome:
    status = "succeeded" if error is None else "failed"
    return BranchOutcome(
        name=f"voter-{number}", status=status, output=output, error=error, attempts=1, started_at=NOW, ended_at=NOW
    )


def box(*answers: Any, waves: tuple[int, ...] | None = None, voters: int = 5, **fields: Any) -> BallotBox:
    request = accepted(VotingRequest, {"question": "q", "voters": voters, **fields})
    outcomes = [
        outcome(number, None, told) if isinstance(told, BranchError) else outcome(number, told)
        for number, told in enumerate(answers, start=1)
    ]
    return BallotBox(request, voters_of(request), outcomes, waves or (len(answers),))


@pytest.mark.parametrize(
    ("ballot", "answer", "key"),
    [
        ({"type": "choice", "options": ["A b", "C"]}, "A b", "A b"),
        ({"type": "approval", "options": ["a", "b"]}, ["b", "a"], ("b", "a")),
        ({"type": "approval", "options": ["a", "b"]}, [], ()),
        ({"type": "ranking", "options": ["a", "b"]}, ["b", "a"], ("b", "a")),
        ({"type": "score", "criteria": ["c"]}, {"c": 3}, {"c": 3.0}),
        ({"type": "number"}, 7, 7.0),
        ({"type": "boolean"}, True, "true"),
        ({"type": "boolean"}, False, "false"),
        ({"type": "free"}, " Don't! ", "dont"),
    ],
)
def test_answers_become_what_votes_are_counted_by(ballot: dict[str, Any], answer: Any, key: Any) -> None:
    [vote] = box(given(answer), ballot=ballot).votes

    assert (vote.answer, vote.confidence) == (key, 0.5)


@pytest.mark.parametrize("answer", [False, 0, [], {"c": 1}])
def test_an_answer_that_python_holds_for_false_is_no_abstention(answer: Any) -> None:
    ballots: dict[type, Any] = {
        bool: {"type": "boolean"},
        int: {"type": "number"},
        list: {"type": "approval", "options": ["a", "b"]},
        dict: {"type": "score", "criteria": ["c"]},
    }

    assert len(box(given(answer), ballot=ballots[type(answer)]).votes) == 1


def test_each_ballot_knows_its_wave() -> None:
    cast = box(*[given("a") for _ in range(4)], waves=(1, 3), voters=6)

    assert [ballot.wave for ballot in cast.ballots] == [1, 2, 2, 2]
    assert [len(cast.votes_after(waves)) for waves in (0, 1, 2)] == [0, 1, 4]
    assert len(cast.remaining) == 2


def test_what_does_not_count_says_why() -> None:
    invalid = BranchError(code="invalid_output", message="no JSON", retriable=False)
    lost = BranchError(code="model_unavailable", message="gone", retriable=True)
    ballots = box(given("a"), given(None), invalid, lost, given("b"), require_evidence=True).ballots

    assert [(ballot.status, ballot.why) for ballot in ballots] == [
        ("abstained", "the vote came without the evidence that was required"),
        ("abstained", "the voter abstained"),
        ("invalid", "no JSON"),
        ("failed", "gone"),
        ("abstained", "the vote came without the evidence that was required"),
    ]


def test_free_answers_are_shown_in_their_most_used_spelling_among_equals_the_first() -> None:
    cast = box(given("paris"), given("Paris!"), given("Paris!"), given("ROME"), given("Rome"))

    assert cast.shown == {"paris": "Paris!", "rome": "ROME"}


def test_what_is_counted_follows_the_ballot() -> None:
    def election(**ballot: Any) -> Any:
        return election_of(accepted(VotingRequest, {"question": "q", "ballot": ballot}))

    assert election(type="boolean").options == ("true", "false")
    assert election(type="choice", options=["b", "a"]).options == ("b", "a")
    assert election(type="free").options is None
    scores = election(type="score", criteria=["x", {"name": "y", "weight": 2}], minimum=0, maximum=9)
    assert (scores.low, scores.high, scores.criteria) == (0, 9, {"x": 1, "y": 2})
    assert (election(type="number", maximum=4).low, election(type="number", maximum=4).high) == (None, 4)


def test_another_wave_and_another_replay_normalise_no_free_answer_again() -> None:
    answers = [given(f"Answer {number}, in a voter's own words.") for number in range(200)]
    first = box(*answers, voters=200)
    assert (len(first.votes), len(first.shown)) == (200, 200)
    done = normalised.cache_info().misses

    replayed = box(*answers, voters=200)
    assert (replayed.votes, replayed.shown) == (first.votes, first.shown)
    assert normalised.cache_info().misses == done


def test_a_long_reasoning_and_long_evidence_are_shortened_and_count_all_the_same() -> None:
    said = given(True, reasoning="r" * 5_000, evidence=["e" * 5_000] * 50)
    cast = box(said, ballot={"type": "boolean"}, require_evidence=True)

    [ballot] = cast.ballots
    assert (len(ballot.reasoning), len(ballot.evidence), len(ballot.evidence[0])) == (2_000, 10, 500)
    assert ballot.reasoning.endswith("r…")
    assert len(cast.votes) == 1
