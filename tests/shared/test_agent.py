"""One attempt of one agent, on a model that says what the test tells it to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.agent import checked, run_agent
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, AgentReply, Usage
from shared.errors import AgentError, CallTimedOut, RateLimited, Refused
from shared.model_client import Completion, OpenAIModel
from shared.settings import ModelSettings
from tests.shared.model_server import chat_body, response_body, says, serving

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
ONE_CALL = Usage(model_calls=1, input_tokens=10, output_tokens=2, total_tokens=12)


@dataclass
class FakeModel:
    """Gives its answers in turn; an exception is raised instead."""

    answers: list[str | Completion | AgentError]
    prompts: list[str] = field(default_factory=list[str])
    timeouts: list[float] = field(default_factory=list[float])

    async def complete(self, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        self.prompts.append(prompt)
        self.timeouts.append(timeout_s)
        answer = self.answers.pop(0)
        if isinstance(answer, AgentError):
            raise answer
        return answer if isinstance(answer, Completion) else Completion(answer, ONE_CALL, "fake")


def call(schema: Any = None, within_s: float = 60.0, prompt: str = "<input>\nx\n</input>") -> AgentCall:
    return AgentCall(
        run_id="run",
        branch="branch",
        attempt=1,
        instance="run:branch",
        agent=AgentSpec(instructions="i", output_schema=schema),
        prompt=prompt,
        deadline=datetime.now(UTC) + timedelta(seconds=within_s),
    )


def code_of(reply: AgentReply) -> str:
    assert reply.error is not None
    assert reply.output is None
    return reply.error.code


async def test_a_text_is_the_output_as_it_is() -> None:
    reply = await run_agent(FakeModel([" two words\n"]), call())

    assert reply == AgentReply(output=" two words\n", usage=ONE_CALL, model="fake")


async def test_a_truncated_text_says_so() -> None:
    reply = await run_agent(FakeModel([Completion("cut o", ONE_CALL, "fake", truncated=True)]), call())

    assert reply.truncated


@pytest.mark.parametrize("text", ["", " \n\t"])
async def test_an_empty_text_is_no_answer(text: str) -> None:
    reply = await run_agent(FakeModel([Completion(text, ONE_CALL, "fake", truncated=True)]), call())

    assert code_of(reply) == "invalid_output"
    assert reply.error is not None
    assert "max_output_tokens" in reply.error.message
    assert reply.usage == ONE_CALL


@pytest.mark.parametrize(
    "text", ['{"n": 1}', ' {"n": 1}\n', '```json\n{"n": 1}\n```', '```\n{"n": 1}\n```', '```json{"n": 1}```']
)
async def test_json_is_read_also_from_a_markdown_fence(text: str) -> None:
    model = FakeModel([text])

    assert (await run_agent(model, call(SCHEMA))).output == {"n": 1}
    assert len(model.prompts) == 1


INVALID = [
    "no json",
    "",
    "```",
    "{",
    '{"n": "1"}',
    "{}",
    "[1]",
    '{"n": NaN}',
    '{"n": 1, "x": 1e999}',
    r'{"n": 1, "x": "\ud800"}',
]


@pytest.mark.parametrize("text", INVALID)
async def test_an_answer_that_does_not_fit_is_repaired_once(text: str) -> None:
    model = FakeModel([text, '{"n": 2}'])

    reply = await run_agent(model, call(SCHEMA))

    assert reply.output == {"n": 2}
    assert reply.error is None
    assert reply.usage == ONE_CALL + ONE_CALL
    original, repair = model.prompts
    assert repair.startswith(original)
    assert f"<rejected_answer>\n{text}\n</rejected_answer>" in repair


@pytest.mark.parametrize("text", INVALID)
async def test_after_one_repair_an_answer_that_does_not_fit_is_a_permanent_error(text: str) -> None:
    model = FakeModel([text, text, '{"n": 3}'])

    reply = await run_agent(model, call(SCHEMA))

    assert code_of(reply) == "invalid_output"
    assert reply.error is not None
    assert not reply.error.retriable
    assert reply.usage == ONE_CALL + ONE_CALL
    assert len(model.prompts) == 2


async def test_the_repair_is_told_what_was_wrong() -> None:
    model = FakeModel(['{"n": "1"}', '{"n": 1}'])

    await run_agent(model, call(SCHEMA))

    assert "<problem>\n$.n: '1' is not of type 'integer'\n</problem>" in model.prompts[1]


@pytest.mark.parametrize("depth", [70, 400, 5_000, 200_000])
async def test_a_deeply_nested_answer_is_an_invalid_output_and_no_crash(depth: int) -> None:
    text = '{"n": 1, "x": ' + "[" * depth + "]" * depth + "}"

    reply = await run_agent(FakeModel([text, text]), call(SCHEMA))

    assert code_of(reply) == "invalid_output"
    assert reply.error is not None
    assert len(reply.error.message) < 1_000


@pytest.mark.parametrize(
    "text", ['{"n": 1%s}' % ("0" * 400), '{"n": 0.0, "m": [true, null, "é😀"]}', '{"n": 1, "__class__": 2}']
)
async def test_an_output_survives_history_as_it_is(text: str) -> None:
    reply = await run_agent(FakeModel([text]), call(SCHEMA))

    through_history = AgentReply.model_validate(json.loads(json.dumps(reply.model_dump(mode="json"), allow_nan=False)))
    assert through_history.output == json.loads(text)


async def test_a_truncated_structured_answer_says_that_it_was_cut() -> None:
    cut = Completion('{"n": ', ONE_CALL, "fake", truncated=True)

    reply = await run_agent(FakeModel([cut, cut]), call(SCHEMA))

    assert reply.error is not None
    assert "cut off by max_output_tokens" in reply.error.message


@pytest.mark.parametrize("schema", [None, SCHEMA])
async def test_a_failed_call_is_counted_as_a_call(schema: Any) -> None:
    reply = await run_agent(FakeModel([RateLimited("slow down", http_status=429, retry_after_s=3.0)]), call(schema))

    assert code_of(reply) == "rate_limited"
    assert reply.retry_after_s == 3.0
    assert reply.error is not None
    assert (reply.error.retriable, reply.error.http_status, reply.error.message) == (True, 429, "slow down")
    assert reply.usage == Usage(model_calls=1)


async def test_a_failed_call_whose_cost_is_known_costs_that() -> None:
    reply = await run_agent(FakeModel([Refused("no", usage=ONE_CALL)]), call())

    assert reply.usage == ONE_CALL


async def test_a_call_that_was_never_made_costs_nothing() -> None:
    reply = await run_agent(FakeModel([CallTimedOut("no time was left", usage=Usage())]), call())

    assert reply.usage == Usage()


async def test_when_the_repair_s_call_fails_both_calls_are_counted() -> None:
    reply = await run_agent(FakeModel(["{", RateLimited("slow down")]), call(SCHEMA))

    assert code_of(reply) == "rate_limited"
    assert reply.usage == ONE_CALL + Usage(model_calls=1)


async def test_a_call_gets_the_time_that_is_left_and_its_repair_no_more() -> None:
    model = FakeModel(["{", "{"])

    await run_agent(model, call(SCHEMA, within_s=10.0))

    first, second = model.timeouts
    assert 9.0 < first <= 10.0
    assert second <= first


async def test_after_the_deadline_no_call_is_made() -> None:
    model = OpenAIModel(ModelSettings("compatible", "m", "responses", "http://127.0.0.1:9/v1"))

    reply = await run_agent(model, call(within_s=-1.0))

    assert code_of(reply) == "call_timed_out"
    assert reply.usage == Usage()


async def test_a_defect_of_ours_is_not_hidden_in_a_reply() -> None:
    class Broken:
        async def complete(self, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_agent(Broken(), call())


@pytest.mark.parametrize(("api", "body"), [("responses", response_body), ("chat_completions", chat_body)])
@pytest.mark.parametrize(
    ("texts", "output", "calls"), [(['{"n": 1}'], 1, 1), (["{", '{"n": 2}'], 2, 2), (["{"], None, 2)]
)
async def test_a_repair_goes_over_the_wire_once(
    api: Any, body: Any, texts: list[str], output: int | None, calls: int
) -> None:
    async with serving(*[says(body(text)) for text in texts]) as server:
        model = OpenAIModel(ModelSettings("compatible", "m", api, server.url))
        reply = await run_agent(model, call(SCHEMA))
        await model.close()

    assert reply.output == (None if output is None else {"n": output})
    assert len(server.asked) == reply.usage.model_calls == calls
    assert reply.usage.total_tokens == 12 * calls


def test_checking_says_nothing_about_an_answer_that_fits() -> None:
    spec = AgentSpec(instructions="i", output_schema=SCHEMA)

    assert checked(spec, Completion('{"n": 5}', ONE_CALL, "fake")) == ({"n": 5}, None)
