"""Desks, maps and played reductions for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.aggregation.material import Desk, Part
from shared.aggregation.refinement import Refinement
from shared.aggregation.tree import Tree
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Branch, BranchOutcome
from shared.token_estimate import estimated_input_tokens
from tests.shared.aggregation.outcomes import failed, succeeded

AGENT = AgentSpec(instructions="Reduce.")
Reply = Callable[[Branch], Any]


def names(count: int) -> tuple[str, ...]:
    return tuple(f"d{number}" for number in range(count))


def desk(count: int, tokens: int = 2_000, fan_in: int | None = None) -> Desk:
    return Desk(AGENT, tokens, names(count), fan_in)


def mapped(outputs: Sequence[Any]) -> list[BranchOutcome]:
    """The outcomes of `d0`, `d1`, …: an output of None stands for a failure."""
    named = zip(names(len(outputs)), outputs, strict=True)
    return [failed(name) if output is None else succeeded(name, output) for name, output in named]


def played[P: (Tree, Refinement)](plan: P, reply: Reply = lambda _: "short") -> tuple[P, list[list[Branch]]]:
    """The plan at its end and the calls of each level; a reply of None stands for a failure."""
    levels: list[list[Branch]] = []
    while branches := plan.branches:
        levels.append(branches)
        replies = [(branch.name, reply(branch)) for branch in branches]
        plan = plan.heard([failed(name) if said is None else succeeded(name, said) for name, said in replies])
    return plan, levels


def tokens_of(branch: Branch) -> int:
    return estimated_input_tokens(branch.agent, branch.prompt)


def read_by_calls(tree: Tree) -> list[Part]:
    """What the groups of the tree's level hold, in order."""
    return [part for group in tree.groups for part in group.parts]
