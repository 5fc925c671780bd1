"""The poll under way, as its outcomes come in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts.branch import BranchOutcome
from shared.contracts.voting import VotingRequest
from shared.voting import ballot_box
from shared.voting.polling import Polling
from tests.shared.contracts.rejection import accepted

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def polling(**fields: Any) -> Polling:
    """Up to nine voters on yes or no, two at a time."""
    plan = {"min": 2, "max": 9, "wave": 2}
    request = {"question": "q", "voters": plan, "ballot": {"type": "boolean"}, **fields}
    return Polling(accepted(VotingRequest, request))


def outcome(number: int, answer: Any) -> BranchOutcome:
    output = {"reasoning": "r", "evidence": [], "answer": answer, "confidence": 0.5}
    return BranchOutcome(
        name=f"voter-{number}", status="succeeded", attempts=1, output=output, started_at=NOW, ended_at=NOW
    )


def test_an_outcome_is_read_once_however_many_waves_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = ballot_box.cast_ballot

    def counting(request: Any, voter: Any, came: Any, wave: int) -> Any:
        read.append(voter.name)
        return original(request, voter, came, wave)

    monkeypatch.setattr(ballot_box, "cast_ballot", counting)
    poll, outcomes = polling(), list[BranchOutcome]()
    while wave := poll.next_wave(outcomes):
        outcomes += [outcome(len(outcomes) + place, place % 2 == 0) for place in range(1, len(wave) + 1)]

    assert len(poll.box(outcomes).ballots) == 9
    assert read == [f"voter-{number}" for number in range(1, 10)]


def test_an_outcome_that_has_changed_is_read_again() -> None:
    poll, outcomes = polling(), [outcome(1, None), outcome(2, None)]
    before = poll.box(outcomes).ballots[1].status
    after = poll.box([outcomes[0], outcome(2, answer=True)]).ballots[1].status

    assert (before, after) == ("abstained", "counted")


def test_waves_are_those_whose_outcomes_have_come() -> None:
    poll = polling()
    poll.next_wave([])
    outcomes = [outcome(1, answer=True), outcome(2, answer=False)]
    poll.next_wave(outcomes)

    assert poll.box(outcomes).waves == (2,), "the next wave was named, and never set out"
    assert poll.box([*outcomes, outcome(3, answer=True)]).waves == (2, 1)
