"""The next calls of a reduction in storage."""

from __future__ import annotations

from shared.aggregation.material import Budget
from shared.blobs import Blobs
from shared.contracts.stored_reduction import LevelPlan, PlanLevel
from shared.stored_reduction.reader import keep_reader
from shared.stored_reduction.steps import plan_step
from shared.stored_reduction.survey import surveyed
from shared.stored_reduction.tree import plan_tree_level


async def plan_level(blobs: Blobs, given: PlanLevel) -> LevelPlan:
    """The calls of the next level or step, written to its pages; none when the reduction has ended."""
    if given.number == 1:
        await keep_reader(blobs, given.folder, given.way)
    budget = Budget(given.way.agent, given.way.max_input_tokens)
    survey = await surveyed(blobs, given.folder, given.pages, given.redrive_of, budget.prompt_bytes)
    plan = plan_tree_level if given.way.type == "tree" else plan_step
    return await plan(blobs, given, survey)
