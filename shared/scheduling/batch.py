"""Batches of branches: what one call is about, and how branches are put into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.contracts.branch import BATCH_PREFIX, Branch
from shared.prompts import numbered
from shared.token_estimate import MAX_BATCH_TOKENS, estimated_input_tokens
from shared.tokens import estimated_tokens


@dataclass(frozen=True, slots=True)
class Batch:
    """Two or more `branches` of the same agent that one call is about."""

    name: str
    branches: Sequence[Branch]

    @property
    def weight(self) -> int:
        """Its branches."""
        return len(self.branches)

    @property
    def max_output_tokens(self) -> int | None:
        """As much as all of its answers may have."""
        bound = self.branches[0].max_output_tokens
        return bound and bound * self.weight

    def estimated_input_tokens(self) -> int:
        """About how many input tokens a call for it has."""
        prompts = sum(estimated_tokens(branch.prompt) for branch in self.branches)
        return estimated_input_tokens(self.branches[0].agent, "") + prompts

    def asked(self) -> Branch:
        """What its call is given: each prompt once, with its number."""
        prompts = [numbered(branch.prompt, number) for number, branch in enumerate(self.branches, start=1)]
        names = [branch.name for branch in self.branches]
        return Branch(name=self.name, agent=self.branches[0].agent, prompt="\n\n".join(prompts), batch=names)


BranchJob = Branch | Batch
"""What a call of a fan-out is about."""


def in_batches(branches: Sequence[Branch], size: int) -> list[BranchJob]:
    """Batches of at most `size` branches and `MAX_BATCH_TOKENS`, in order; a branch that is left alone stays one."""
    if size == 1:
        return list(branches)
    return [
        Batch(f"{BATCH_PREFIX}{number}", group) if len(group) > 1 else group[0]
        for number, group in enumerate(_groups(branches, size), start=1)
    ]


def _groups(branches: Sequence[Branch], size: int) -> Iterator[list[Branch]]:
    group: list[Branch] = []
    tokens = 0
    for branch in branches:
        more = estimated_tokens(branch.prompt)
        if group and (len(group) == size or tokens + more > MAX_BATCH_TOKENS):
            yield group
            group, tokens = [], 0
        group.append(branch)
        tokens += more
    if group:
        yield group
