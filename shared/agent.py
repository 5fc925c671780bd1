"""One attempt of one agent: the call, and for structured output its validation and single repair."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import JsonValue

from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, AgentReply, BranchError, Usage
from shared.errors import AgentError, InvalidOutput
from shared.json_values import problem_with
from shared.model_client import Completion, Model
from shared.prompts import repair_prompt
from shared.schemas import first_violation

type Check = Callable[[AgentSpec, Completion], tuple[JsonValue, str | None]]
"""What gives an answer's value, and how it breaks what was asked for (None when it fits)."""

FAILED_CALL = Usage(model_calls=1)
"""What a call counts for that the service did not account for."""


async def run_agent(model: Model, call: AgentCall, check: Check | None = None) -> AgentReply:
    """Answer `call` within its deadline. Failures are data; the usage counts every call that was made.

    A structured answer is held to the agent's schema as a whole, or to `check`.
    """
    spent: list[Usage] = []
    try:
        completion = await _complete(model, call, call.prompt, spent)
        if call.agent.output_schema is None:
            output: JsonValue = _answer_text(completion)
        else:
            completion, output = await _structured(model, call, completion, spent, check or checked)
    except AgentError as exc:
        return AgentReply(error=error_of(exc), retry_after_s=exc.retry_after_s, usage=_sum(spent))
    return AgentReply(output=output, usage=_sum(spent), model=completion.model, truncated=completion.truncated)


def error_of(error: AgentError) -> BranchError:
    """An error as the API shows it."""
    return BranchError(code=error.code, message=error.message, retriable=error.retriable, http_status=error.http_status)


async def _complete(model: Model, call: AgentCall, prompt: str, spent: list[Usage]) -> Completion:
    remaining_s = (call.deadline - datetime.now(UTC)).total_seconds()
    try:
        completion = await model.complete(call.agent, prompt, remaining_s)
    except AgentError as exc:
        spent.append(FAILED_CALL if exc.usage is None else exc.usage)
        raise
    spent.append(completion.usage)
    return completion


async def _structured(
    model: Model, call: AgentCall, first: Completion, spent: list[Usage], check: Check
) -> tuple[Completion, JsonValue]:
    output, violation = await asyncio.to_thread(check, call.agent, first)
    if violation is None:
        return first, output
    if call.max_tokens is not None and first.usage.total_tokens >= call.max_tokens:
        raise InvalidOutput(
            f"the answer does not fit the output schema, and no tokens are left to repair it: {violation}"
        )
    second = await _complete(
        model, call, repair_prompt(call.prompt, first.text, violation, call.agent.output_schema), spent
    )
    output, violation = await asyncio.to_thread(check, call.agent, second)
    if violation is not None:
        raise InvalidOutput(f"the answer does not fit the output schema, also after one repair: {violation}")
    return second, output


def _answer_text(completion: Completion) -> str:
    if not completion.text.strip():
        cut = "; all of max_output_tokens went into its reasoning" if completion.truncated else ""
        raise InvalidOutput(f"the model's answer is empty{cut}")
    return completion.text


def checked(agent: AgentSpec, completion: Completion) -> tuple[JsonValue, str | None]:
    """The answer's value, and how it breaks the agent's schema (None when it fits)."""
    value, violation = parsed(completion)
    if violation is not None:
        return None, violation
    if problem := problem_with(value):
        return None, f"not usable JSON: {problem}"
    return value, first_violation(value, agent.output_schema or {})


def parsed(completion: Completion) -> tuple[JsonValue, str | None]:
    """The answer's value, and why it has none (None when it has)."""
    try:
        value: JsonValue = json.loads(_without_fence(completion.text))
    except ValueError as exc:
        cut = " (it was cut off by max_output_tokens)" if completion.truncated else ""
        return None, f"not valid JSON{cut}: {exc}"
    except RecursionError:
        return None, "not valid JSON: nested too deeply"
    return value, None


def _without_fence(text: str) -> str:
    """Some models wrap JSON in a Markdown fence although told not to."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped[3:-3].removeprefix("json").strip()
    return stripped


def _sum(usages: list[Usage]) -> Usage:
    return sum(usages, start=Usage())
