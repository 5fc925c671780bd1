"""Sectioning: one agent a section, or a vote of several, then one answer.

1. All agents start, and the first voters of each vote; then the next voters of the votes that are still open, until
   none is. All of them are branches of one fan-out.
2. The votes are counted, and judges called where that takes any.
3. The sections' answers, votes told in short, become one.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.announced import announced
from orchestrators.fan_out import call_aggregators, fan_out_in_waves
from orchestrators.judges import consult
from orchestrators.run import FannedOut, Run, may_go_on
from shared.aggregation.concatenation import concatenated
from shared.aggregation.merge import merged
from shared.branching import synthesizer_of
from shared.contracts.base import restored
from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.run import RunInput
from shared.contracts.sectioning import SectioningOutput, SectioningRequest
from shared.prompts import answers_prompt
from shared.sections import Answers, Sections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

SYNTHESIS = "~synthesis"


@announced
def sectioning(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a `SectioningRequest`, which comes in a `RunInput`, to its `RunResult`."""
    given = restored(RunInput, context.get_input())
    request = restored(SectioningRequest, given.request)
    run = Run.start(context, "sectioning", request.policy, given.redrive, given.recipe)
    sections = Sections(request)
    asked = yield from ask(run, sections)
    if not run.wants_answer(asked):
        return run.end(asked, output=None)
    countings, judges = sections.countings(asked.outcomes), FannedOut([])
    if run.may_call(asked):
        countings, judges = yield from consult(run, countings, total=len(asked.outcomes))
    answers = sections.answers(asked.outcomes, countings, asked.interruption)
    may_call = run.may_call(asked) and may_go_on(judges.interruption)
    if request.aggregation != "synthesize" or not may_call or not answers.texts:
        return run.end(asked, joined(request, answers), judges=judges, undecided=answers.undecided)
    run.enter("aggregation", total=len(asked.outcomes))
    synthesis = yield from call_aggregators(run, [synthesis_branch(request, answers)])
    output = synthesized(request, answers, synthesis)
    return run.end(asked, output, synthesis, judges=judges, undecided=answers.undecided)


def ask(run: Run, sections: Sections) -> Generator[Task[Any], Any, FannedOut]:
    """Ask all agents, and voters until enough is known; outcomes are in the request's order."""

    def next_wave(outcomes: Sequence[BranchOutcome]) -> list[Branch]:
        branches = sections.next_wave(outcomes)
        if branches:
            run.enter("branches", total=len(outcomes) + len(branches))
        return branches

    asked = yield from fan_out_in_waves(run, sections.most, next_wave)
    return FannedOut(sections.in_order(asked.outcomes), asked.interruption)


def synthesis_branch(request: SectioningRequest, answers: Answers) -> Branch:
    """The branch that writes one answer from those of the sections, and is told which have none."""
    return Branch(
        name=SYNTHESIS,
        agent=synthesizer_of(request),
        prompt=answers_prompt("section", answers.texts, answers.missing),
    )


def joined(request: SectioningRequest, answers: Answers) -> SectioningOutput:
    """The sections as one answer without another agent; also what a failed synthesis leaves."""
    if request.aggregation == "merge":
        content, conflicts = merged(answers.values)
        return SectioningOutput(
            aggregation="merge", requested="merge", content=content, conflicts=conflicts, votes=answers.votes
        )
    return SectioningOutput(
        aggregation="concatenate",
        requested=request.aggregation,
        content=concatenated(answers.texts),
        votes=answers.votes,
    )


def synthesized(request: SectioningRequest, answers: Answers, synthesis: FannedOut) -> SectioningOutput:
    """The synthesis, or the sections as they are when it did not succeed."""
    if synthesis.missing:
        return joined(request, answers)
    return SectioningOutput(
        aggregation="synthesize",
        requested="synthesize",
        content=synthesis.outcomes[0].output,
        votes=answers.votes,
    )
