"""What a judge is asked, and what its answers mean.

A judge reads texts under names that tell nothing (`candidate-1`, …), in an order that has nothing to do with who wrote
them. Candidates are judged twice, in this order and in its reverse, because judges favour places (Shi et al., Judging
the Judges, arXiv 2406.07791). Both rankings are added up: what a place alone makes of them cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, cast

from pydantic import JsonValue

from shared.contracts.agent import AgentSpec
from shared.contracts.base import repeated
from shared.contracts.branch import JUDGE, Branch, BranchError, BranchOutcome
from shared.contracts.decision import MAX_REASONING_CHARS, Judgement
from shared.contracts.rules import BestOf, SelfConsistency
from shared.contracts.voting import VotingRequest
from shared.voting.cells import shortened
from shared.voting.prompts import GROUPING_TASK, RANKING_TASK, judging_prompt

Task = Literal["ranking", "grouping"]

TAGS: dict[Task, str] = {"ranking": "candidate", "grouping": "answer"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text for a judge, under the `key` by which votes are counted; `name` is what results call it."""

    key: str
    name: str
    text: str


def shuffled(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates in an order that a replay repeats and that their authors cannot choose."""
    return sorted(candidates, key=lambda candidate: sha256(f"{candidate.name}\0{candidate.text}".encode()).digest())


def ranking_branches(request: VotingRequest, candidates: Sequence[Candidate]) -> list[Branch]:
    """Two calls that rank the candidates: in an order, and in its reverse."""
    order = shuffled(candidates)
    return [
        _branch(request, f"{JUDGE}-1", "ranking", order),
        _branch(request, f"{JUDGE}-2", "ranking", order[::-1]),
    ]


def grouping_branch(request: VotingRequest, candidates: Sequence[Candidate]) -> Branch:
    """One call that groups the candidates by their meaning."""
    return _branch(request, f"{JUDGE}-grouping", "grouping", shuffled(candidates))


def rankings_of(candidates: Sequence[Candidate], outcomes: Sequence[BranchOutcome]) -> list[Judgement]:
    """The rankings of a judge whose calls both succeeded; none otherwise."""
    order = shuffled(candidates)
    if not all(outcome.succeeded for outcome in outcomes):
        return []
    return [_ranking(shown, outcome.output) for shown, outcome in zip((order, order[::-1]), outcomes, strict=True)]


def grouping_of(candidates: Sequence[Candidate], outcome: BranchOutcome) -> Judgement | None:
    """The groups that a judge made; None when its call failed or it put an answer into two groups.

    An answer that the judge left out stays alone.
    """
    if not without_overlap(outcome).succeeded:
        return None
    shown = shuffled(candidates)
    names = _names("grouping", shown)
    said = cast(dict[str, Any], outcome.output)
    groups = [[names[label] for label in group] for group in said["groups"] if group]
    grouped = {name for group in groups for name in group}
    alone = [[candidate.name] for candidate in shown if candidate.name not in grouped]
    return Judgement(task="grouping", shown=list(names.values()), groups=[*groups, *alone], reasoning=_reasoning(said))


def without_overlap(outcome: BranchOutcome) -> BranchOutcome:
    """The outcome of a call for groups, failed when a text is in two of them, which no JSON Schema can forbid."""
    said = cast(dict[str, Any], outcome.output) if outcome.succeeded else {}
    if not (twice := repeated([label for group in said.get("groups", []) for label in group])):
        return outcome
    message = f"the judge put an answer into more than one group: {', '.join(twice)}"
    error = BranchError(code="invalid_output", message=message, retriable=True)
    return outcome.model_copy(update={"status": "failed", "output": None, "error": error})


def judges_of(request: VotingRequest) -> list[AgentSpec]:
    """The judge of each call that the rule itself takes, if voters give more than one answer."""
    match request.effective_rule:
        case _ if request.plan.most == 1:
            return []
        case SelfConsistency():
            return [judge_of(request, "grouping", labels("grouping", request.plan.most))]
        case BestOf():
            return [judge_of(request, "ranking", labels("ranking", request.plan.most))] * 2
        case _:
            return []


def tie_breakers_of(request: VotingRequest) -> list[AgentSpec]:
    """The judge of each call that a tie would take besides; two leaders are assumed."""
    if request.tie_break != "judge" or isinstance(request.effective_rule, BestOf):
        return []
    return [judge_of(request, "ranking", labels("ranking", 2))] * 2


def schema_of(task: Task, names: Sequence[str]) -> dict[str, JsonValue]:
    """The JSON Schema that a judge's answer about texts of these names must fit."""
    named: dict[str, JsonValue] = {"type": "string", "enum": list(names)}
    every: dict[str, JsonValue] = {"type": "array", "items": named, "uniqueItems": True}
    ranking: dict[str, JsonValue] = {**every, "minItems": len(names), "maxItems": len(names)}
    answer: dict[str, JsonValue] = ranking if task == "ranking" else {"type": "array", "items": every}
    field = "ranking" if task == "ranking" else "groups"
    return {
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, field: answer},
        "required": ["reasoning", field],
        "additionalProperties": False,
    }


def judge_of(request: VotingRequest, task: Task, names: Sequence[str]) -> AgentSpec:
    """The agent that judges: the request's own, or one that knows its task alone."""
    told = RANKING_TASK if task == "ranking" else GROUPING_TASK
    own = request.judge
    judge = AgentSpec(name="judge", instructions=told) if own is None else own
    if own is not None:
        judge = own.model_copy(update={"instructions": f"{own.instructions}\n\n{told}"})
    return judge.with_defaults(request.defaults).model_copy(update={"output_schema": schema_of(task, names)})


def _branch(request: VotingRequest, name: str, task: Task, shown: Sequence[Candidate]) -> Branch:
    names = labels(task, len(shown))
    texts = [(label, candidate.text) for label, candidate in zip(names, shown, strict=True)]
    return Branch(name=name, agent=judge_of(request, task, names), prompt=judging_prompt(request, TAGS[task], texts))


def labels(task: Task, count: int) -> list[str]:
    """The names under which a judge sees so many texts, in the order in which it sees them."""
    return [f"{TAGS[task]}-{number}" for number in range(1, count + 1)]


def _ranking(shown: Sequence[Candidate], output: JsonValue) -> Judgement:
    said = cast(dict[str, Any], output)
    names = _names("ranking", shown)
    ranking = [names[label] for label in said["ranking"]]
    return Judgement(task="ranking", shown=list(names.values()), ranking=ranking, reasoning=_reasoning(said))


def _reasoning(said: Mapping[str, Any]) -> str:
    return shortened(said["reasoning"], MAX_REASONING_CHARS)


def _names(task: Task, shown: Sequence[Candidate]) -> dict[str, str]:
    """What results call the candidates, by the labels that the judge saw."""
    seen = zip(labels(task, len(shown)), shown, strict=True)
    return {label: candidate.name for label, candidate in seen}
