"""Elections and votes for the tests of what a decision tells of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.contracts.decision import CastBallot
from shared.contracts.rules import Approval, Borda, Condorcet, Plurality
from shared.voting.election import Answer, Election, Verdict, Vote

ABC = ("a", "b", "c")
CHOICE = Election(Plurality(), ABC)
OPEN = Election(Plurality())
APPROVAL = Election(Approval(), ABC)
BORDA = Election(Borda(), ABC)
CONDORCET = Election(Condorcet(), ABC)


def votes_for(*answers: Answer, weights: Sequence[float] = (), confidences: Sequence[float] = ()) -> list[Vote]:
    """A vote of `v1`, `v2`, … for each answer."""
    return [
        Vote(
            f"v{number + 1}",
            answer,
            weight=weights[number] if weights else 1.0,
            confidence=confidences[number] if confidences else 1.0,
        )
        for number, answer in enumerate(answers)
    ]


def plurality_of(votes: Sequence[Vote], options: Sequence[str] = ()) -> Verdict:
    """The answer with the most votes, else a tie."""
    counts = Counter[str](dict.fromkeys(options, 0))
    counts.update(vote.answer for vote in votes if isinstance(vote.answer, str))
    scores = {answer: float(count) for answer, count in counts.most_common()}
    leaders = [answer for answer, score in scores.items() if score == max(scores.values())]
    return decided(leaders[0], scores) if len(leaders) == 1 else tied(leaders, scores)


def decided(decision: str | float, scores: Mapping[str, float] | None = None) -> Verdict:
    """A verdict with a decision."""
    leaders = (decision,) if isinstance(decision, str) else ()
    return Verdict("decided", decision, leaders, scores or {})


def tied(leaders: Sequence[str], scores: Mapping[str, float]) -> Verdict:
    """A verdict without one."""
    return Verdict("tie", None, tuple(leaders), scores)


def ballots_of(votes: Sequence[Vote]) -> list[CastBallot]:
    """Each voter's ballot, with a reasoning that names the voter."""
    return [
        CastBallot(
            voter=vote.voter,
            wave=1,
            status="counted",
            confidence=vote.confidence,
            reasoning=f"Because of {vote.voter}.",
        )
        for vote in votes
    ]
