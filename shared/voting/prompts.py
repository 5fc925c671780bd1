"""What voters and judges are told, and what they are given to judge."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.ballots import (
    Ballot,
    FreeBallot,
    NumberBallot,
    RankingBallot,
    ScoreBallot,
)
from shared.contracts.jury import Juror
from shared.contracts.voting import VotingRequest
from shared.prompts import block

EVIDENCE = "As evidence, quote the passages of the material that your answer rests on; the list may be empty."
REQUIRED_EVIDENCE = "A vote without evidence is not counted: quote the passages of the material that it rests on."
CONFIDENCE = "Give your confidence from 0 to 1: of a hundred such answers of yours, what share is right?"
ABSTENTION = "If you cannot judge, answer null: an abstention is better than a guess."

HOW = {
    "choice": "Answer with the one option that is right.",
    "approval": "Answer with the list of all options that are acceptable, and no others; it may be empty.",
    "boolean": "Answer true for yes or false for no.",
}

RANKING_TASK = (
    "You judge candidates, which are answers to the question by authors you do not know. Compare them on their merits: "
    "correctness first, then completeness, then clarity. Neither their order nor their length is a merit. "
    "Rank all of them, best first, by their names."
)
GROUPING_TASK = (
    "You are given answers to the question. Group those that mean the same, whatever their words; answers that differ "
    "in substance belong in different groups. Every answer belongs in exactly one group. Judge no answer."
)


def voter_instructions(juror: Juror, request: VotingRequest) -> str:
    """Who the voter is, what it is to do, and how to fill the ballot in."""
    parts = [juror.persona, juror.instructions, ballot_note(request.ballot, require_evidence=request.require_evidence)]
    return "\n\n".join(part for part in parts if part)


def ballot_note(ballot: Ballot, *, require_evidence: bool) -> str:
    """How to fill the ballot in."""
    parts = [_how(ballot), REQUIRED_EVIDENCE if require_evidence else EVIDENCE, CONFIDENCE]
    return " ".join([*parts, ABSTENTION] if ballot.abstain else parts)


def ballot_prompt(request: VotingRequest, options: Sequence[str] | None) -> str:
    """What a voter votes on, with the options in the order in which it sees them."""
    parts = [block("question", request.question)]
    if request.context is not None:
        parts.append(block("context", request.context))
    if options is not None:
        parts.append(block("options", "\n".join(f"- {option}" for option in options)))
    if isinstance(request.ballot, ScoreBallot):
        parts.append(block("criteria", "\n".join(_criteria(request.ballot))))
    return "\n\n".join(parts)


def judging_prompt(request: VotingRequest, tag: str, texts: Sequence[tuple[str, str]]) -> str:
    """The question with its material, and `texts` by the names under which a judge sees them."""
    parts = [block("question", request.question)]
    if request.context is not None:
        parts.append(block("context", request.context))
    return "\n\n".join([*parts, *(block(tag, text, name=name) for name, text in texts)])


def _how(ballot: Ballot) -> str:
    match ballot:
        case RankingBallot():
            whole = "all options" if ballot.complete else "the options that you can rank"
            return f"Answer with a list of {whole}, from best to worst, each once."
        case ScoreBallot():
            return f"Score each criterion by itself, from {ballot.minimum:g} (worst) to {ballot.maximum:g} (best)."
        case NumberBallot():
            return _how_many(ballot)
        case FreeBallot():
            return f"Answer in your own words, in at most {ballot.max_chars:,} characters."
        case _:
            return HOW[ballot.type]


def _how_many(ballot: NumberBallot) -> str:
    unit = f" in {ballot.unit}" if ballot.unit else ""
    least = f", at least {ballot.minimum:g}" if ballot.minimum is not None else ""
    most = f", at most {ballot.maximum:g}" if ballot.maximum is not None else ""
    return f"Answer with one number{unit}{least}{most}."


def _criteria(ballot: ScoreBallot) -> list[str]:
    return [f"- {criterion.name}{_told(criterion.description)}" for criterion in ballot.criteria]


def _told(description: str | None) -> str:
    return f": {description}" if description else ""
