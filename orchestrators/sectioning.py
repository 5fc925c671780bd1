"""Sectioning: one agent a section, then one answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.announced import announced
from orchestrators.fan_out import call_aggregators, fan_out
from orchestrators.run import FannedOut, Run
from shared.aggregation.concatenation import concatenated
from shared.aggregation.merge import merged
from shared.branching import section_branches, synthesizer_of
from shared.contracts.base import restored
from shared.contracts.branch import Branch
from shared.contracts.run import RunInput
from shared.contracts.sectioning import SectioningOutput, SectioningRequest
from shared.prompts import answers_prompt

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

SYNTHESIS = "~synthesis"


@announced
def sectioning(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a `SectioningRequest`, which comes in a `RunInput`, to its `RunResult`."""
    given = restored(RunInput, context.get_input())
    request = restored(SectioningRequest, given.request)
    run = Run.start(context, "sectioning", request.policy, given.redrive, given.recipe)
    run.enter("branches", total=len(request.sections))
    sections = yield from fan_out(run, section_branches(request))
    if not run.wants_answer(sections):
        return run.end(sections, output=None)
    if request.aggregation != "synthesize" or not run.may_call(sections):
        return run.end(sections, joined(request, sections))
    run.enter("aggregation", total=len(request.sections))
    synthesis = yield from call_aggregators(run, [synthesis_branch(request, sections)])
    return run.end(sections, synthesized(request, sections, synthesis), synthesis)


def synthesis_branch(request: SectioningRequest, sections: FannedOut) -> Branch:
    """The branch that writes one answer from the sections that succeeded, and is told which did not."""
    return Branch(
        name=SYNTHESIS,
        agent=synthesizer_of(request),
        prompt=answers_prompt("section", sections.succeeded, sections.missing),
    )


def joined(request: SectioningRequest, sections: FannedOut) -> SectioningOutput:
    """The sections as one answer without another agent; also what a failed synthesis leaves."""
    if request.aggregation == "merge":
        content, conflicts = merged(sections.succeeded)
        return SectioningOutput(aggregation="merge", requested="merge", content=content, conflicts=conflicts)
    return SectioningOutput(
        aggregation="concatenate", requested=request.aggregation, content=concatenated(sections.succeeded)
    )


def synthesized(request: SectioningRequest, sections: FannedOut, synthesis: FannedOut) -> SectioningOutput:
    """The synthesis, or the sections as they are when it did not succeed."""
    if synthesis.missing:
        return joined(request, sections)
    return SectioningOutput(aggregation="synthesize", requested="synthesize", content=synthesis.outcomes[0].output)
