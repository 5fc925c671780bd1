"""One call for several branches: the offline model over HTTP, and answers that are told apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_host.offline_model import OfflineModel
from shared.batch_call import run_batch
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, AgentReply
from shared.model_client import OpenAIModel
from shared.settings import ModelSettings

NAMES = ["a", "b+2", "c"]
COUNT: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
Ask = Callable[..., Awaitable[AgentReply]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Ask about three documents an agent that gives these answers."""
    async with OfflineModel(directed_answers=True) as offline:
        model = OpenAIModel(ModelSettings("compatible", "offline", "responses", offline.base_url))

        async def asked(answer: Any, *, max_tokens: int | None = None, **agent: Any) -> AgentReply:
            said = f"Read. [[answer:{json.dumps(answer)}]]" if answer is not None else "Read."
            documents = [
                f'<document number="{number}" id="{name}">\nIt is {name}.\n</document>'
                for number, name in enumerate(NAMES, start=1)
            ]
            call = AgentCall(
                run_id="run",
                branch="~batch-1",
                attempt=1,
                instance="run:~batch-1",
                agent=AgentSpec(instructions=said, **agent),
                prompt="\n\n".join(documents),
                deadline=datetime.now(UTC) + timedelta(seconds=10),
                max_tokens=max_tokens,
                batch=NAMES,
            )
            async with asyncio.timeout(20):
                return await run_batch(model, call)

        yield asked
        await model.close()


def answers(*items: tuple[int, Any]) -> Any:
    return {"answers": [{"number": number, "answer": answer} for number, answer in items]}


async def test_each_branch_has_its_answer_under_its_name(ask: Ask) -> None:
    reply = await ask(None)

    assert reply.output == {name: f"It is {name}." for name in NAMES}
    assert (reply.usage.model_calls, reply.error) == (1, None)


@pytest.mark.parametrize(
    ("items", "answered"),
    [
        ([(3, "c"), (1, "a")], {"a": "a", "c": "c"}),
        ([(1, "a"), (2, "b"), (2, "b"), (3, "c")], {"a": "a", "c": "c"}),
        ([(1, "a"), (2, " "), (3, "c"), (4, "d")], {"a": "a", "c": "c"}),
        ([(9, "nine")], {}),
    ],
)
async def test_one_that_is_missing_or_there_twice_or_empty_is_left_out(
    ask: Ask, items: list[tuple[int, Any]], answered: dict[str, str]
) -> None:
    reply = await ask(answers(*items))

    assert (reply.output, reply.error, reply.usage.model_calls) == (answered, None, 1)


async def test_an_answer_that_does_not_fit_the_agent_s_schema_is_left_out_and_not_repaired(ask: Ask) -> None:
    reply = await ask(answers((1, {"n": 1}), (2, {"n": "two"}), (3, {"n": 3})), output_schema=COUNT)

    assert (reply.output, reply.usage.model_calls) == ({"a": {"n": 1}, "c": {"n": 3}}, 1)


async def test_an_answer_that_is_no_list_is_repaired_once_and_then_fails_for_good(ask: Ask) -> None:
    reply = await ask({"n": 1}, output_schema=COUNT)

    assert reply.error is not None
    assert (reply.error.code, reply.error.retriable, reply.usage.model_calls) == ("invalid_output", False, 2)


async def test_without_tokens_left_nothing_is_repaired(ask: Ask) -> None:
    reply = await ask({"n": 1}, max_tokens=1)

    assert reply.error is not None
    assert (reply.error.code, reply.usage.model_calls) == ("invalid_output", 1)
