"""The decision as a report for people, in GitHub's Markdown. All texts of callers and models go through `cell`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from shared.contracts.decision import MAX_REASONING_CHARS, CastBallot, Judgement, VotingOutput
from shared.contracts.jury import StopConfident
from shared.voting.cells import cell, one_line
from shared.voting.shapes import SHAPES
from shared.voting.wording import counted, listed, number, percent, rule_in_words, said

MAX_QUESTION_CHARS = 500
MAX_HEADING_CHARS = 120
MAX_DECISION_CHARS = 4_000
MAX_RULE_CHARS = 400
MAX_ANSWER_CHARS = 200
MAX_SENTENCE_CHARS = 200
MAX_WHY_CHARS = 120
MAX_NAMES_CHARS = 700
MAX_NAMES = 10
MAX_ROWS = 40
MAX_ROUNDS = 12
"""More rounds than these are not read side by side; the last ones decide."""

SCORES: Mapping[str, str] = {
    "weighted": "Weight",
    "approval": "Approvals",
    "borda": "Points",
    "instant_runoff": "First preferences",
    "condorcet": "Pairwise wins",
    "best_of": "Points",
}
"""What a tally counts, by the type of the rule; votes under all others."""

BREAKERS: Mapping[str, str] = {
    "first": "the order of the answers",
    "judge": "the judge",
    "chair": "the chair's vote",
}
NO_JUDGE: Mapping[str, str] = {
    "self_consistency": "No judge grouped the answers: only those of the same words count together.",
    "best_of": "No judge has ranked the answers.",
}
METHODS: Mapping[str, str] = {"order_statistics": "order statistics", "student_t": "Student's t"}
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[^\sa-z])|(?<=[。！？])")
"""A new sentence does not start with a small letter, so "e.g. this" is not cut."""


def markdown_of(question: str, output: VotingOutput) -> str:
    """A report on `output`, the answer to `question`: what was decided, how, and how far it can be relied on.

    Nothing in the texts of the question, the voters and the judge can add headings, links, images, HTML or cells to
    it. They are shortened to the limits above; the whole is in `output`, whose own `markdown` is not read.
    """
    asked = f"> {cell(question, MAX_QUESTION_CHARS)}"
    sections = [section(output) for section in SECTIONS]
    return "\n\n".join([_title(output), asked, *(section for section in sections if section)]) + "\n"


# The decision


def _title(output: VotingOutput) -> str:
    match output.outcome:
        case "decided":
            unit = f" {cell(output.unit, MAX_HEADING_CHARS)}" if output.unit else ""
            words = f"Decision: {_answer(output.decision, MAX_HEADING_CHARS)}{unit}"
        case "tie":
            words = "Tie"
        case "no_consensus":
            words = "No consensus"
        case "no_votes":
            words = "No votes"
    return f"# {words}"


def _how(output: VotingOutput) -> str:
    rule = cell(rule_in_words(output.rule), MAX_RULE_CHARS)
    match output.outcome:
        case "decided" if (breaker := BREAKERS.get(output.decided_by or "")) and len(output.leaders) > 1:
            told = f"The count was a tie of {_leaders(output)}, which {breaker} broke. The rule: {rule}."
        case "decided":
            told = f"Decided by {rule}."
        case "tie":
            told = f"These share the lead: {_leaders(output)}. The rule: {rule}."
        case "no_consensus":
            told = f"No answer met the rule ({rule}). In front: {_leaders(output) or 'none'}."
        case "no_votes":
            told = f"Nobody cast a vote that could be counted. The rule would have been {rule}."
    return " ".join([told, *_unheard_judge(output)])


def _unheard_judge(output: VotingOutput) -> list[str]:
    """What came of answers that a judge should have compared, and did not: its call failed, or never started."""
    if output.judgements or len(output.tally) < 2:  # noqa: PLR2004 - a lone answer needs no judge
        return []
    return [NO_JUDGE[output.rule.type]] if output.rule.type in NO_JUDGE else []


def _leaders(output: VotingOutput) -> str:
    shown = [f"**{_answer(leader)}**" for leader in output.leaders]
    return listed(shown, MAX_NAMES)


def _whole_decision(output: VotingOutput) -> str | None:
    """The decision once more, if the heading has only its beginning."""
    if len(one_line(said(output.decision))) <= MAX_HEADING_CHARS:
        return None
    return f"> {_answer(output.decision, MAX_DECISION_CHARS)}"


def _answer(value: JsonValue, most: int = MAX_ANSWER_CHARS) -> str:
    return cell(said(value), most) or "(blank)"


# The count


def _count(output: VotingOutput) -> str | None:
    if output.rounds:
        return _rounds(output)
    if not output.tally:
        return None
    rows = [
        [_answer(line.answer), number(line.score), percent(line.share), _names(line.voters)]
        for line in output.tally[:MAX_ROWS]
    ]
    table = _table(["Answer", SCORES.get(output.rule.type, "Votes"), "Share", "Voters"], rows)
    return _section("Tally", table, _and_more(len(output.tally), "answer"))


def _rounds(output: VotingOutput) -> str:
    """The scores by round, with those who stayed longest on top."""
    rounds = list(enumerate(output.rounds, start=1))[-MAX_ROUNDS:]
    answers = list(dict.fromkeys(answer for _, one in reversed(rounds) for answer in one.scores))
    rows: list[list[str]] = []
    for answer in answers[:MAX_ROWS]:
        scores = [
            f"{number(one.scores[answer])}{' (out)' if answer in one.eliminated else ''}"
            if answer in one.scores
            else ""
            for _, one in rounds
        ]
        rows.append([_answer(answer), *scores])
    table = _table(["Option", *(f"Round {place}" for place, _ in rounds)], rows)
    left_out = len(output.rounds) - len(rounds)
    note = f"{counted(left_out, 'round')} before these left out." if left_out else None
    return _section("Tally by round", table, _and_more(len(answers), "option"), note)


def _interval(output: VotingOutput) -> str | None:
    if SHAPES[output.rule.type] != "numbers" or output.outcome != "decided":
        return None
    if (interval := output.interval) is None:
        return _section("Interval", "There are too few votes for an interval.")
    bounds = f"**{number(interval.low)} to {number(interval.high)}**"
    return _section(
        "Interval",
        f"{bounds} at {percent(interval.level)} confidence, by {METHODS[interval.method]}: where the number of a "
        "larger jury would lie, if these voters are a sample of it.",
    )


def _criteria(output: VotingOutput) -> str | None:
    if not output.criteria:
        return None
    rows = [
        [_answer(line.name), number(line.score), number(line.minimum), number(line.maximum), number(line.deviation)]
        for line in output.criteria
    ]
    table = _table(["Criterion", "Score", "Lowest", "Highest", "Deviation"], rows)
    overall = None if output.overall is None else f"Overall score: **{number(output.overall)}**."
    return _section("Criteria", table, overall)


def _turnout(output: VotingOutput) -> str:
    names = ["Asked", "Counted", "Abstained", "Invalid", "Failed", "Saved"]
    figures = [output.asked, output.counted, output.abstained, output.invalid, output.failed, output.stop.saved]
    return _section("Turnout", _table(names, [[str(figure) for figure in figures]]), _why_it_stopped(output))


def _why_it_stopped(output: VotingOutput) -> str:
    stop = output.stop
    match stop.reason:
        case "all_asked":
            told = "All voters were asked"
        case "decided":
            told = "The voters who were not asked could no longer change the decision"
        case "confident":
            level = f"at least {percent(stop.rule.level)}" if isinstance(stop.rule, StopConfident) else "high"
            told = f"Asking all voters would have left the same answer in front, with {level} probability"
        case "interrupted":
            told = "The run was ended before the vote was complete; its `completion_reason` says why"
    return f"{told} (after {counted(len(stop.waves), 'wave')})." if stop.waves else f"{told}."


# What it is worth


def _confidence(output: VotingOutput) -> str:
    told = output.confidence
    figures: list[tuple[str, str | None, str]] = [
        ("Agreement", _of_one(told.agreement), "1 if all agree, 0 if they are as divided as they could be"),
        ("Margin", _share(told.margin), "how far the first is ahead of the next"),
        (
            "Effective voters",
            None if told.effective_voters is None else f"{told.effective_voters:.1f} of {output.counted}",
            "how many independent voters these are worth at least, if all agreement beyond chance is shared error",
        ),
        ("Lead", _share(told.lead_probability), "probability that a jury without end would put the same answer first"),
        (
            "Unchanged",
            _share(told.unchanged_probability),
            "probability that the decision would stand after all voters that were planned",
        ),
        ("Stated", _share(told.stated), "what the voters say of themselves, on average"),
    ]
    rows = [[name, figure, words] for name, figure, words in figures if figure is not None]
    table = _table(["Figure", "Value", "What it says"], rows) if rows else None
    return _section("Confidence", table, f"> **Caution:** {cell(told.caution, MAX_REASONING_CHARS)}")


def _of_one(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _share(value: float | None) -> str | None:
    """A share in percent; one that is not whole is not rounded to it."""
    if value is not None and 0.9995 <= value < 1:  # noqa: PLR2004 - percent() would say 100
        return "over 99.9 %"
    return None if value is None else percent(value)


def _minority(output: VotingOutput) -> str | None:
    if (dissent := output.dissent) is None:
        return None
    part = "of the weight" if output.rule.type == "weighted" else "of the votes"
    who = f"{counted(len(dissent.voters), 'voter')} ({percent(dissent.share)} {part}): {_names(dissent.voters)}"
    answer = "None of the answers" if dissent.answer is None else f"**{_answer(dissent.answer)}**"
    speaker = f"{cell(dissent.voter, MAX_NAMES_CHARS)}, {percent(dissent.confidence)} confident"
    reasoning = cell(dissent.reasoning, MAX_REASONING_CHARS) or "(no reasoning given)"
    return _section("Minority report", f"{answer}: {who}.", f"> {reasoning}\n>\n> — {speaker}")


def _judgements(output: VotingOutput) -> str | None:
    if not output.judgements:
        return None
    rows = [
        [judgement.task, _names(judgement.shown), _found(judgement), _first_sentence(judgement.reasoning)]
        for judgement in output.judgements
    ]
    table = _table(["Task", "Shown in this order", "Judgement", "Reasoning"], rows[:MAX_ROWS])
    return _section("Judge", table, _and_more(len(rows), "judgement"), *_orders(output.judgements))


def _found(judgement: Judgement) -> str:
    if judgement.task == "ranking":
        return cell(" > ".join(judgement.ranking), MAX_NAMES_CHARS)
    return cell(" / ".join(", ".join(group) for group in judgement.groups), MAX_NAMES_CHARS)


def _orders(judgements: Sequence[Judgement]) -> list[str]:
    """Whether a judge who saw the same candidates in two orders ranked them alike."""
    by_candidates: dict[tuple[str, ...], list[list[str]]] = {}
    for judgement in judgements:
        if judgement.task == "ranking":
            by_candidates.setdefault(tuple(sorted(judgement.shown)), []).append(judgement.ranking)
    return [_alike(rankings) for rankings in by_candidates.values() if len(rankings) > 1]


def _alike(rankings: Sequence[list[str]]) -> str:
    if all(ranking == rankings[0] for ranking in rankings):
        return "The judge ranked the candidates alike in both orders."
    if all(ranking[:1] == rankings[0][:1] for ranking in rankings):
        return "In both orders the judge put the same candidate first; the ranks below it differ."
    return "The judge put another candidate first in the other order: position has had its part in this judgement."


# The ballots


def _ballots(output: VotingOutput) -> str | None:
    if not output.ballots:
        return None
    separator = " > " if SHAPES[output.rule.type] == "rankings" else ", "
    rows = [
        [
            cell(ballot.voter, MAX_NAMES_CHARS),
            _vote(ballot, separator),
            "" if ballot.confidence is None else percent(ballot.confidence),
            _first_sentence(ballot.reasoning),
        ]
        for ballot in output.ballots[:MAX_ROWS]
    ]
    table = _table(["Voter", "Vote", "Confidence", "Reasoning"], rows)
    return _section("Ballots", table, _and_more(len(output.ballots), "ballot"))


def _vote(ballot: CastBallot, separator: str) -> str:
    if ballot.status == "counted":
        return cell(said(ballot.answer, separator=separator), MAX_ANSWER_CHARS)
    return f"*{ballot.status}*" + (f": {cell(ballot.why, MAX_WHY_CHARS)}" if ballot.why else "")


def _first_sentence(text: str) -> str:
    return cell(SENTENCE_END.split(one_line(text), maxsplit=1)[0], MAX_SENTENCE_CHARS)


def _names(names: Sequence[str]) -> str:
    return cell(listed(names, MAX_NAMES), MAX_NAMES_CHARS)


# Markdown


def _section(title: str, *parts: str | None) -> str:
    return "\n\n".join([f"## {title}", *(part for part in parts if part)])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _and_more(count: int, noun: str) -> str | None:
    return f"and {counted(count - MAX_ROWS, f'more {noun}')}" if count > MAX_ROWS else None


SECTIONS: Sequence[Callable[[VotingOutput], str | None]] = (
    _how,
    _whole_decision,
    _count,
    _interval,
    _criteria,
    _turnout,
    _confidence,
    _minority,
    _judgements,
    _ballots,
)
"""The report after its title and the question, in order; a section that has nothing to say is left out."""
