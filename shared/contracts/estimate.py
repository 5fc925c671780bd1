"""What a run would take, told before it starts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.branch import is_not
from shared.contracts.policy import RunPolicy
from shared.contracts.run import Pattern


class CallEstimate(Contract):
    """Calls to the model: `expected` when nothing fails, `at_most` with every retry, repair and hedge.

    `at_least` is for a vote that its first wave settles without a judge, for a reduction of outputs so short that one
    call reads them all, for a run that stops early as soon as it may, and else what is expected; it is one call if
    `max_total_tokens` is less than the expected tokens. `at_most` takes the answers to be of the usual length, too.
    """

    at_least: int
    expected: int
    at_most: int


class TokenEstimate(Contract):
    """Tokens of the expected calls.

    Input is counted from the prompts, four bytes a token. Output is the agent's `max_output_tokens` if that is
    less than a usual answer, else a usual answer.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int


class RunEstimate(Contract):
    """`POST /api/{pattern}/estimate`: nothing was started.

    `policy` is the one that a run would follow, defaults included. `within_budget` is null without
    `max_total_tokens`. `is_lower_bound` says that the source has more documents than an estimate counts.
    """

    pattern: Pattern
    branches: int
    model_calls: CallEstimate
    tokens: TokenEstimate
    within_budget: bool | None
    policy: RunPolicy
    is_lower_bound: Annotated[bool, Field(exclude_if=is_not)] = False
