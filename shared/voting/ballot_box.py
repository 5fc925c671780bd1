"""From the outcomes of voters' branches to ballots, and from ballots to the votes that count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pydantic import JsonValue

from shared.contracts.ballots import Ballot, BooleanBallot, FreeBallot, NumberBallot, OptionsBallot, ScoreBallot
from shared.contracts.branch import BranchOutcome
from shared.contracts.decision import MAX_EVIDENCE, MAX_QUOTE_CHARS, MAX_REASONING_CHARS, CastBallot
from shared.contracts.voting import VotingRequest
from shared.normalisation import normalised
from shared.voting.cells import shortened
from shared.voting.election import Answer, Election, Vote
from shared.voting.voters import Voter

INVALID = "invalid_output"
"""The code of a branch whose answer did not fit the ballot, also after its one repair."""

NO_EVIDENCE = "the vote came without the evidence that was required"
ABSTAINED = "the voter abstained"


@dataclass(frozen=True, slots=True)
class Read:
    """An outcome, the ballot that it is, and the vote in it, if it counts."""

    outcome: BranchOutcome
    ballot: CastBallot
    vote: Vote | None


@dataclass(frozen=True)
class BallotBox:
    """The ballots of the voters asked so far, in voter order; `waves` has the number of voters of each wave.

    `before` is what an earlier box of the same vote `read`: outcomes that are still the same are not read again.
    """

    request: VotingRequest
    voters: Sequence[Voter]
    outcomes: Sequence[BranchOutcome]
    waves: Sequence[int]
    before: Sequence[Read] = ()

    @cached_property
    def read(self) -> list[Read]:
        """What came of each voter."""
        numbers = [number for number, size in enumerate(self.waves, start=1) for _ in range(size)]
        asked = zip(self.voters, self.outcomes, numbers, strict=False)
        known = [*self.before, *[None] * len(self.outcomes)]
        return [
            was if was is not None and was.outcome is outcome else self._read(voter, outcome, wave)
            for was, (voter, outcome, wave) in zip(known, asked, strict=False)
        ]

    @cached_property
    def ballots(self) -> list[CastBallot]:
        """The ballot of each voter asked: not of one whose call was never made, because the run ended before."""
        return [read.ballot for read in self.read if read.outcome.attempts]

    @cached_property
    def votes(self) -> list[Vote]:
        """The votes that count, in voter order."""
        return [read.vote for read in self.read if read.vote is not None]

    def votes_after(self, waves: int) -> list[Vote]:
        """Those of the first so many waves."""
        return [read.vote for read in self.read if read.vote is not None and read.ballot.wave <= waves]

    def asked_in(self, waves: int) -> list[CastBallot]:
        """The ballots of the voters asked in the first so many waves."""
        return [ballot for ballot in self.ballots if ballot.wave <= waves]

    @property
    def remaining(self) -> list[float]:
        """The weights of the voters who have not been asked."""
        asked = {ballot.voter for ballot in self.ballots}
        return [voter.weight for voter in self.voters if voter.name not in asked]

    @cached_property
    def shown(self) -> Mapping[str, JsonValue]:
        """How the answers that votes are counted by are shown: free ones in their most used spelling."""
        if isinstance(self.request.ballot, BooleanBallot):
            return {"true": True, "false": False}
        if not isinstance(self.request.ballot, FreeBallot):
            return {}
        spellings: dict[str, Counter[str]] = {}
        for ballot in self.ballots:
            if ballot.status == "counted":
                text = str(ballot.answer).strip()
                spellings.setdefault(normalised(text), Counter())[text] += 1
        return {key: counter.most_common(1)[0][0] for key, counter in spellings.items()}

    def _read(self, voter: Voter, outcome: BranchOutcome, wave: int) -> Read:
        ballot = cast_ballot(self.request, voter, outcome, wave)
        return Read(outcome, ballot, vote_of(self.request.ballot, ballot) if ballot.status == "counted" else None)


def election_of(request: VotingRequest) -> Election:
    """What the request's votes are counted in."""
    ballot, rule = request.ballot, request.effective_rule
    match ballot:
        case OptionsBallot():
            return Election(rule, options=tuple(ballot.options))
        case BooleanBallot():
            return Election(rule, options=("true", "false"))
        case ScoreBallot():
            weights = {criterion.name: criterion.weight for criterion in ballot.criteria}
            return Election(rule, low=ballot.minimum, high=ballot.maximum, criteria=weights)
        case NumberBallot():
            return Election(rule, low=ballot.minimum, high=ballot.maximum)
        case FreeBallot():
            return Election(rule)


def cast_ballot(request: VotingRequest, voter: Voter, outcome: BranchOutcome, wave: int) -> CastBallot:
    """One voter's ballot. Its shape was checked when it came in: what did not fit is no output, but an error."""
    told: dict[str, Any] = {"voter": voter.name, "wave": wave, "weight": voter.weight, "model": outcome.model}
    if not outcome.succeeded:
        why = outcome.error.message if outcome.error else None
        invalid = outcome.error is not None and outcome.error.code == INVALID
        return CastBallot(**told, status="invalid" if invalid else "failed", why=why)
    said = cast(dict[str, Any], outcome.output)
    evidence = [shortened(quote.strip(), MAX_QUOTE_CHARS) for quote in said.get("evidence", []) if quote.strip()]
    answer = _as_spelled(request.ballot, said["answer"])
    reasoning = shortened(said["reasoning"], MAX_REASONING_CHARS)
    told |= {"answer": answer, "reasoning": reasoning, "evidence": evidence[:MAX_EVIDENCE]}
    told["confidence"] = said.get("confidence")
    if answer is None:
        return CastBallot(**told, status="abstained", why=ABSTAINED)
    if request.require_evidence and not evidence:
        return CastBallot(**told, status="abstained", why=NO_EVIDENCE)
    return CastBallot(**told, status="counted")


def vote_of(ballot: Ballot, given: CastBallot) -> Vote:
    """A counted ballot as a vote."""
    confidence = 1.0 if given.confidence is None else float(given.confidence)
    return Vote(given.voter, _key(ballot, given.answer), weight=given.weight, confidence=confidence)


def _key(ballot: Ballot, answer: Any) -> Answer:
    match ballot:
        case BooleanBallot():
            return "true" if answer else "false"
        case FreeBallot():
            return normalised(answer)
        case NumberBallot():
            return float(answer)
        case ScoreBallot():
            return {name: float(score) for name, score in answer.items()}
        case _:
            return answer if isinstance(answer, str) else tuple(answer)


def _as_spelled(ballot: Ballot, answer: Any) -> Any:
    """Options as the ballot spells them: a ballot of an earlier version of the app took other spellings, too."""
    given = [answer] if isinstance(answer, str) else answer
    if not isinstance(ballot, OptionsBallot) or given is None or all(option in ballot.options for option in given):
        return answer
    spelled = {normalised(option): option for option in ballot.options}
    found = [spelled.get(normalised(option), option) for option in given]
    return found[0] if isinstance(answer, str) else found
