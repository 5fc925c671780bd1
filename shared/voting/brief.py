"""A vote in short, for an answer that it is a part of: in a few lines for those who read, as an object to merge."""

from __future__ import annotations

from pydantic import JsonValue

from shared.contracts.decision import Dissent, TallyLine, VotingOutput
from shared.voting.cells import one_line, shortened
from shared.voting.wording import counted, listed, number, percent, rule_in_words, said

MAX_QUESTION_CHARS = 500
MAX_ANSWER_CHARS = 200
MAX_REASONING_CHARS = 500
MAX_LINES = 5
"""Of the answers in the tally, and of the leaders of a tie: more than these say little beside the decision."""
BREAKERS = {"first": "the order of the answers", "judge": "a judge", "chair": "the chair's vote"}


def brief(question: str, output: VotingOutput) -> str:
    """What was asked, what came of it, how the votes stood, who dissents, and what it is worth.

    But for the decision every text of voters and callers stands on one line, shortened to the limits above; the
    decision, which may be a whole text, comes last if it is long.
    """
    whole = said(output.decision)
    is_long = output.outcome == "decided" and one_line(whole) != _short(output.decision)
    lines = [
        f"Put to the vote: {shortened(one_line(question), MAX_QUESTION_CHARS)}",
        _result(output),
        _tally(output),
        _scores(output),
        _turnout(output),
        _dissent(output.dissent) if output.dissent else None,
        f"Caution: {output.confidence.caution}",
        f"\nThe decision as a whole:\n\n{whole}" if is_long else None,
    ]
    return "\n".join(line for line in lines if line is not None)


def structured(output: VotingOutput) -> dict[str, JsonValue]:
    """The decision as an object: what was decided, how clearly, and by how many votes."""
    return {
        "outcome": output.outcome,
        "decision": output.decision,
        "decided_by": output.decided_by,
        "leaders": [*output.leaders],
        "tally": [{"answer": line.answer, "score": line.score, "share": line.share} for line in output.tally],
        "counted": output.counted,
        "agreement": output.confidence.agreement,
    }


def _result(output: VotingOutput) -> str:
    rule = rule_in_words(output.rule)
    leaders = listed([_short(leader) for leader in output.leaders], MAX_LINES)
    match output.outcome:
        case "decided":
            unit = f" {output.unit}" if output.unit else ""
            breaker = BREAKERS.get(output.decided_by or "") if len(output.leaders) > 1 else None
            tie = f"; the count was a tie of {leaders}, which {breaker} broke" if breaker else ""
            return f"Decision: {_short(output.decision)}{unit} (by {rule}{tie})"
        case "tie":
            return f"No decision: a tie of {leaders} (the rule was {rule})"
        case "no_consensus":
            return f"No decision: no answer met the rule ({rule}); in front: {leaders or 'none'}"
        case "no_votes":
            return "No decision: nobody cast a vote that could be counted"


def _tally(output: VotingOutput) -> str | None:
    if not output.tally:
        return None
    lines = [_line(line) for line in output.tally]
    return f"Tally: {listed(lines, MAX_LINES)}"


def _line(line: TallyLine) -> str:
    return f"{_short(line.answer)} {number(line.score)} ({percent(line.share)})"


def _scores(output: VotingOutput) -> str | None:
    scores = ", ".join(f"{one_line(line.name)} {number(line.score)}" for line in output.criteria)
    overall = "" if output.overall is None else f"; overall {number(output.overall)}"
    return f"Scores: {scores}{overall}" if scores else None


def _turnout(output: VotingOutput) -> str:
    others = [
        f"{count} {status}"
        for count, status in (
            (output.abstained, "abstained"),
            (output.invalid, "invalid"),
            (output.failed, "failed"),
            (output.stop.saved, "not asked"),
        )
        if count
    ]
    agreement = output.confidence.agreement
    figure = "" if agreement is None else f"; agreement {agreement:.2f} (1 if all agree, 0 if fully divided)"
    ended = "; the vote was cut short" if output.stop.reason == "interrupted" else ""
    return f"Votes: {', '.join([f'{output.counted} counted', *others])}{figure}{ended}"


def _dissent(dissent: Dissent) -> str:
    answer = "none of the answers" if dissent.answer is None else _short(dissent.answer)
    who = f"{counted(len(dissent.voters), 'voter')}, {percent(dissent.share)}"
    reasoning = shortened(one_line(dissent.reasoning), MAX_REASONING_CHARS)
    return f"Dissent: {answer} ({who})" + (f": {reasoning}" if reasoning else "")


def _short(value: JsonValue) -> str:
    return shortened(one_line(said(value)), MAX_ANSWER_CHARS)
