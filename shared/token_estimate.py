"""Tokens of a call before the model has counted them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from shared.contracts.base import MAX_TEXT_CHARS
from shared.prompts import instructions_for
from shared.tokens import BYTES_PER_TOKEN, estimated_tokens

if TYPE_CHECKING:
    from shared.contracts.agent import AgentSpec

USUAL_OUTPUT_TOKENS = 500
"""Of an answer, before any is known."""
MAX_BATCH_TOKENS = MAX_TEXT_CHARS // BYTES_PER_TOKEN
"""Of the texts of a batch together; one alone may have more."""


class Bounded(Protocol):
    """Whose answers may have a bound: an agent, or what it is called for."""

    @property
    def max_output_tokens(self) -> int | None:
        """The bound, if any."""
        ...


def estimated_input_tokens(agent: AgentSpec, prompt: str) -> int:
    """About how many input tokens a call of `agent` on `prompt` has."""
    schema = json.dumps(agent.output_schema) if agent.output_schema is not None else ""
    return sum(estimated_tokens(text) for text in (instructions_for(agent.instructions), prompt, schema))


def estimated_output_tokens(agent: Bounded, usual_tokens: int = USUAL_OUTPUT_TOKENS) -> int:
    """About how many tokens an answer of `agent` has, when its answers usually have `usual_tokens`."""
    return usual_tokens if agent.max_output_tokens is None else min(agent.max_output_tokens, usual_tokens)
