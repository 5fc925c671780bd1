"""The minority report: who disagreed, and the best that they had to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose

from pydantic import JsonValue

from shared.contracts.decision import CastBallot, Dissent
from shared.contracts.rules import PerCriterion
from shared.voting.election import Election, Verdict, Vote
from shared.voting.exact import exact
from shared.voting.numeric import weighted_mean
from shared.voting.shapes import SHAPES, Shape, support

TOLERANCE = 1e-9
"""Relative difference below which numbers are the same: a decision is a mean, rounded, and rounding makes no more."""


@dataclass(frozen=True, slots=True)
class Minority:
    """An answer other than the decision, those who stand for it, and those of them who can speak for it."""

    answer: JsonValue
    voters: Sequence[Vote]
    speakers: Sequence[Vote]


def dissent_of(
    election: Election,
    votes: Sequence[Vote],
    verdict: Verdict,
    ballots: Sequence[CastBallot],
    shown: Mapping[str, JsonValue],
) -> Dissent | None:
    """The strongest minority among the counted `votes`; None when nobody dissents.

    It is the answer, other than the decision or else the first leader, with the most votes (weight, first
    preferences), told by its most confident voter in the words of that voter's ballot. On an approval ballot it is
    those who did not approve of the decision, and of numbers the vote farthest from it, if it is beyond the interval.
    `shown` maps answers to how they are displayed; `verdict` is the one after a tie was broken, if it was.
    """
    minority = MINORITIES[SHAPES[election.rule.type]](election, votes, verdict)
    if minority is None:
        return None
    speaker = max(minority.speakers, key=lambda vote: vote.confidence)
    said = next((ballot.reasoning for ballot in ballots if ballot.voter == speaker.voter), "")
    total = support(votes, election.rule)
    return Dissent(
        answer=shown.get(minority.answer, minority.answer) if isinstance(minority.answer, str) else minority.answer,
        voters=[vote.voter for vote in minority.voters],
        share=float(support(minority.voters, election.rule) / total) if total else 0.0,
        voter=speaker.voter,
        reasoning=said,
        confidence=speaker.confidence,
    )


def _first(verdict: Verdict) -> str | None:
    """What there can be dissent from: the decision, or the first leader without one."""
    return verdict.decision if isinstance(verdict.decision, str) else next(iter(verdict.leaders), None)


def _other_answer(election: Election, votes: Sequence[Vote], verdict: Verdict) -> Minority | None:
    return _strongest_but(_first(verdict), _by_answer(votes), election, verdict)


def _other_first_preference(election: Election, votes: Sequence[Vote], verdict: Verdict) -> Minority | None:
    return _strongest_but(_first(verdict), _by_first_preference(votes), election, verdict)


def _by_answer(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    groups: dict[str, list[Vote]] = {}
    for vote in votes:
        if isinstance(vote.answer, str):
            groups.setdefault(vote.answer, []).append(vote)
    return groups


def _by_first_preference(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    groups: dict[str, list[Vote]] = {}
    for vote in votes:
        if isinstance(vote.answer, tuple) and vote.answer:
            groups.setdefault(vote.answer[0], []).append(vote)
    return groups


def _strongest_but(
    first: str | None, groups: Mapping[str, Sequence[Vote]], election: Election, verdict: Verdict
) -> Minority | None:
    """The group with the most support but that of `first`; among equals the one that the rule puts first."""
    standing = [*verdict.scores, *(answer for answer in groups if answer not in verdict.scores)]
    rivals = [(answer, groups[answer]) for answer in standing if answer in groups and answer != first]
    if first is None or not rivals:
        return None
    answer, group = max(rivals, key=lambda rival: support(rival[1], election.rule))
    return Minority(answer, group, group)


def _without_approval(_: Election, votes: Sequence[Vote], verdict: Verdict) -> Minority | None:
    """Those who did not approve; the option that most of them approve of speaks for them, by one who does."""
    first = _first(verdict)
    against = [vote for vote in votes if isinstance(vote.answer, tuple) and first not in vote.answer]
    if first is None or not against:
        return None
    approvers: dict[str, list[Vote]] = {option: [] for option in verdict.scores}
    for vote in against:
        for option in vote.answer if isinstance(vote.answer, tuple) else ():
            approvers.setdefault(option, []).append(vote)
    option = max(approvers, key=lambda option: len(approvers[option]), default=None)
    if option is None or not approvers[option]:
        return Minority(None, against, against)
    return Minority(option, against, approvers[option])


def _farthest_number(_: Election, votes: Sequence[Vote], verdict: Verdict) -> Minority | None:
    return _farthest([(vote, vote.answer) for vote in votes if isinstance(vote.answer, int | float)], verdict)


def _other_verdict(election: Election, votes: Sequence[Vote], verdict: Verdict) -> Minority | None:
    """Those whose own sheet passes what was failed, or the reverse; without a threshold, the farthest overall score."""
    sheets = [
        (vote, weighted_mean(election, {name: exact(score) for name, score in vote.answer.items()}))
        for vote in votes
        if isinstance(vote.answer, Mapping)
    ]
    threshold = election.rule.threshold if isinstance(election.rule, PerCriterion) else None
    if threshold is None:
        return _farthest([(vote, float(overall)) for vote, overall in sheets], verdict)
    own = [(vote, "pass" if overall >= exact(threshold) else "fail") for vote, overall in sheets]
    others = [vote for vote, said in own if said != verdict.decision]
    if verdict.decision is None or not others:
        return None
    return Minority("fail" if verdict.decision == "pass" else "pass", others, others)


def _farthest(numbers: Sequence[tuple[Vote, float]], verdict: Verdict) -> Minority | None:
    """Those who gave the number farthest from the decision, of the numbers that differ and lie beyond the interval."""
    middle, interval = verdict.decision, verdict.interval
    if not isinstance(middle, int | float):
        return None
    beyond = [
        number
        for _, number in numbers
        if not isclose(number, middle, rel_tol=TOLERANCE)
        and (interval is None or not interval.low <= number <= interval.high)
    ]
    if not beyond:
        return None
    most = max(abs(number - middle) for number in beyond)
    far = next(number for number in beyond if isclose(abs(number - middle), most, rel_tol=TOLERANCE))
    voters = [vote for vote, number in numbers if isclose(number, far, rel_tol=TOLERANCE)]
    return Minority(far, voters, voters)


MINORITIES: Mapping[Shape, Callable[[Election, Sequence[Vote], Verdict], Minority | None]] = {
    "answers": _other_answer,
    "approvals": _without_approval,
    "rankings": _other_first_preference,
    "numbers": _farthest_number,
    "scores": _other_verdict,
}
"""How the strongest minority is found, for each shape of answers."""
