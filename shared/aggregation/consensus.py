"""From votes to a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared.contracts.voting import Ballot, ChoiceBallot, TallyLine, Vote, VotingOutput
from shared.normalisation import normalised


def decide(votes: Sequence[Vote], ballot: Ballot, asked: int) -> VotingOutput:
    """The majority of `votes`, which are in voter order; `asked` is how many voters there were.

    Answers that are the same after normalisation count as one.
    """
    lines = tally(votes, ballot)
    best = max((line.votes for line in lines), default=0)
    leaders = [line.answer for line in lines if line.votes == best and best > 0]
    majority = best * 2 > len(votes)
    return VotingOutput(
        outcome="decided" if majority else "tie" if len(leaders) > 1 else "no_majority",
        decision=leaders[0] if majority else None,
        leaders=leaders,
        tally=lines,
        votes=list(votes),
        asked=asked,
        counted=len(votes),
    )


def tally(votes: Sequence[Vote], ballot: Ballot) -> list[TallyLine]:
    """Votes per answer, most first. A choice ballot lists every option, also those without a vote."""
    groups: dict[str, list[Vote]] = {}
    spellings: dict[str, str] = {}
    if isinstance(ballot, ChoiceBallot):
        spellings = {normalised(option): option for option in ballot.options}
        groups = {key: [] for key in spellings}
    for vote in votes:
        groups.setdefault(normalised(vote.answer), []).append(vote)
    lines = [
        TallyLine(
            answer=spellings.get(key) or _usual_spelling(group),
            votes=len(group),
            share=len(group) / len(votes) if votes else 0.0,
            voters=[vote.voter for vote in group],
        )
        for key, group in groups.items()
    ]
    return sorted(lines, key=lambda line: -line.votes)


def _usual_spelling(group: Sequence[Vote]) -> str:
    """The spelling that most voters used; among equals the first."""
    return Counter(vote.answer.strip() for vote in group).most_common(1)[0][0]
