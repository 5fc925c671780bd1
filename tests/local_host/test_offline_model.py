"""The offline model as the real `openai` client and plain HTTP meet it, in this process and as one of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI
from openai.types import Model
from openai.types.chat import ChatCompletion
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses import Response
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from local_host.offline.asks import CHAT_PARAMETERS, RESPONSES_PARAMETERS
from local_host.offline_model import OfflineModel
from tests.local_host.offline_calls import start_process

APP_DIR = Path(__file__).parents[2]
LIMIT_S = 20.0
TEXT = "The disk was full. The service failed. Engineers cleaned the disk."
SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "severity": {"enum": ["low", "high"]}},
    "required": ["summary", "severity"],
    "additionalProperties": False,
}


@pytest.fixture
async def model() -> AsyncIterator[OfflineModel]:
    async with OfflineModel() as running:
        yield running


@pytest.fixture
async def client(model: OfflineModel) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0) as opened:
        yield opened


async def request(
    model: OfflineModel, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any, Mapping[str, str]]:
    """One plain HTTP request: status, JSON, headers."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    url = model.base_url.removesuffix("/v1") + path
    sent = {"Authorization": "Bearer any"} if headers is None else headers
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data, headers=sent) as answer,
    ):
        return answer.status, await answer.json(content_type=None), answer.headers


async def test_the_responses_api_answers_in_the_shape_that_the_client_declares(client: AsyncOpenAI) -> None:
    raw = await client.responses.with_raw_response.create(
        model="gpt-5", instructions="Summarise in one sentence.", input=TEXT, max_output_tokens=50, store=False
    )
    Response.model_validate(json.loads(raw.text), strict=True)
    response = raw.parse()
    assert response.status == "completed"
    assert response.model == "offline-extractive"
    assert response.output_text in TEXT
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.output_tokens == -(-len(response.output_text) // 4)


async def test_chat_completions_answer_in_the_shape_that_the_client_declares(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="gpt-5",
        messages=[
            {"role": "system", "content": "Summarise in one sentence."},
            {"role": "user", "content": [{"type": "text", "text": TEXT}]},
        ],
    )
    ChatCompletion.model_validate(json.loads(raw.text), strict=True)
    completion = raw.parse()
    assert completion.model == "offline-extractive"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content in TEXT
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 10


async def test_both_apis_give_the_same_text_and_give_it_again(client: AsyncOpenAI) -> None:
    async def responses() -> str:
        return (await client.responses.create(model="a", instructions="List risks.", input=TEXT)).output_text

    chat = await client.chat.completions.create(
        model="b",
        messages=[{"role": "developer", "content": "List risks."}, {"role": "user", "content": TEXT}],
    )
    assert await responses() == chat.choices[0].message.content == await responses()


async def test_items_and_parts_of_input_are_read_with_their_roles(client: AsyncOpenAI) -> None:
    response = await client.responses.create(
        model="m",
        input=[
            {"role": "developer", "content": "Summarise."},
            {"role": "assistant", "content": "An earlier answer that is no material."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": TEXT}]},
        ],
    )
    assert "disk" in response.output_text
    assert "earlier" not in response.output_text


async def test_structured_output_is_valid_json_through_both_apis(client: AsyncOpenAI) -> None:
    response = await client.responses.create(
        model="m",
        input=TEXT,
        text={"format": {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True}},
    )
    chat = await client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": TEXT}],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
    )
    assert json.loads(response.output_text) == json.loads(chat.choices[0].message.content or "")
    value = json.loads(response.output_text)
    assert value.keys() == {"summary", "severity"}
    assert value["severity"] in ("low", "high")
    assert value["summary"] in TEXT


async def test_a_token_limit_cuts_the_answer_and_says_so(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="m", input=TEXT, max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert len(response.output_text) == 12
    for limit in ("max_tokens", "max_completion_tokens"):
        chat = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": TEXT}], **{limit: 3}
        )
        assert chat.choices[0].finish_reason == "length"
        assert chat.usage is not None
        assert chat.usage.completion_tokens == 3


async def test_the_models_list_names_the_offline_model_alone(client: AsyncOpenAI) -> None:
    listed = [item.id async for item in client.models.list()]
    assert listed == ["offline-extractive"]
    found = await client.models.retrieve("offline-extractive")
    Model.model_validate(found.model_dump(), strict=True)
    with pytest.raises(openai.NotFoundError) as missing:
        await client.models.retrieve("gpt-5")
    assert missing.value.code == "model_not_found"


async def test_the_azure_path_serves_the_same_api(model: OfflineModel) -> None:
    base_url = model.base_url.replace("/v1", "/openai/v1/")
    async with AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
        assert (await client.responses.create(model="deployment", input=TEXT)).output_text
    status, _, _ = await request(
        model, "POST", "/openai/v1/responses", {"model": "m", "input": TEXT}, {"api-key": "any"}
    )
    assert status == 200


def test_the_parameters_are_those_of_the_client() -> None:
    """Of the newest client that the lists were read from: a newer one may know more, an older one less."""
    chat = set(CompletionCreateParamsNonStreaming.__annotations__)
    responses = set(ResponseCreateParamsNonStreaming.__annotations__)
    assert chat >= CHAT_PARAMETERS
    assert responses >= RESPONSES_PARAMETERS - {"background_options"}
    if tuple(map(int, openai.__version__.split(".")[:2])) <= (3, 54):
        assert chat <= CHAT_PARAMETERS
        assert responses <= RESPONSES_PARAMETERS


CHAT = "/v1/chat/completions"
USER = [{"role": "user", "content": "x"}]


def responses(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": "x", **fields}


def schema_format(**fields: Any) -> dict[str, Any]:
    return {"text": {"format": {"type": "json_schema", "name": "x", **fields}}}


IMAGE = {"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}
STRICT_AND_OPEN = responses(
    **schema_format(strict=True, schema={"type": "object", "properties": {"a": {"type": "string"}}})
)


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("/v1/responses", b"{", None, None),
        ("/v1/responses", b"\xff", None, None),
        ("/v1/responses", [], None, "invalid_type"),
        ("/v1/responses", {"input": "x"}, "model", "missing_required_parameter"),
        ("/v1/responses", {"model": "m"}, "input", "missing_required_parameter"),
        ("/v1/responses", {"model": 3, "input": "x"}, "model", "invalid_type"),
        ("/v1/responses", {"model": "m", "input": 3}, "input", "invalid_type"),
        ("/v1/responses", {"model": "m", "input": [3]}, "input[0]", "invalid_type"),
        ("/v1/responses", {"model": "m", "input": [{"content": "x"}]}, "input[0].role", "missing_required_parameter"),
        ("/v1/responses", {"model": "m", "input": "x", "instructions": []}, "instructions", "invalid_type"),
        ("/v1/responses", {"model": "m", "input": "x", "stream": True}, "stream", "unsupported_value"),
        ("/v1/responses", {"model": "m", "input": "x", "max_tokens": 5}, "max_tokens", "unknown_parameter"),
        ("/v1/responses", responses(max_output_tokens=0), "max_output_tokens", "integer_below_min_value"),
        ("/v1/responses", responses(max_output_tokens="5"), "max_output_tokens", "invalid_type"),
        ("/v1/responses", {"model": "m", "input": "x", "temperature": 3}, "temperature", "decimal_out_of_range"),
        ("/v1/responses", responses(text={"format": {"type": "xml"}}), "text.format.type", "invalid_value"),
        ("/v1/responses", responses(**schema_format()), "text.format.schema", "missing_required_parameter"),
        ("/v1/responses", responses(**schema_format(schema={"type": "nonsense"})), None, "invalid_json_schema"),
        ("/v1/responses", STRICT_AND_OPEN, "text.format.schema", "invalid_json_schema"),
        ("/v1/responses", responses(input=[IMAGE]), "input[0].content[0].type", "invalid_value"),
        (CHAT, {"model": "m"}, "messages", "missing_required_parameter"),
        (CHAT, {"model": "m", "messages": []}, "messages", "empty_array"),
        (CHAT, {"model": "m", "messages": "x"}, "messages", "invalid_type"),
        (CHAT, {"model": "m", "messages": [{"role": "king", "content": "x"}]}, "messages[0].role", "invalid_value"),
        (CHAT, {"model": "m", "messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        (CHAT, {"model": "m", "messages": USER, "n": 2}, "n", "invalid_value"),
        (CHAT, {"model": "m", "messages": USER, "input": "x"}, "input", "unknown_parameter"),
        (CHAT, {"model": "m", "messages": USER, "response_format": {"type": "json_schema"}},
         "response_format.json_schema", "missing_required_parameter"),
        (CHAT, {"model": "m", "messages": USER, "response_format": {"type": "json_object"}}, "response_format", None),
    ],
)  # fmt: skip
async def test_a_bad_request_is_a_400_that_names_the_parameter(
    model: OfflineModel, path: str, body: Any, param: str | None, code: str | None
) -> None:
    status, answer, headers = await request(model, "POST", path, body)
    assert status == 400
    assert answer["error"].keys() == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, code)
    assert headers["x-request-id"]


async def test_unknown_routes_and_wrong_methods_are_answered_as_openai_does(model: OfflineModel) -> None:
    status, answer, _ = await request(model, "POST", "/v1/embeddings", {})
    assert (status, answer["error"]["message"]) == (404, "Invalid URL (POST /v1/embeddings)")
    status, answer, headers = await request(model, "GET", "/v1/responses")
    assert (status, answer["error"]["code"]) == (405, "method_not_supported")
    assert "POST" in headers["Allow"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic x"}, {"Authorization": "Bearer "}])
async def test_without_a_key_the_answer_is_401(model: OfflineModel, headers: dict[str, str]) -> None:
    status, answer, _ = await request(model, "GET", "/v1/models", headers=headers)
    assert status == 401
    assert "API key" in answer["error"]["message"]


async def test_every_answer_has_its_own_request_id(model: OfflineModel) -> None:
    ids = {(await request(model, "GET", "/v1/models"))[2]["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_the_model_counts_what_it_did(model: OfflineModel, client: AsyncOpenAI) -> None:
    answers = await asyncio.gather(*(client.responses.create(model="m", input=TEXT) for _ in range(3)))
    await request(model, "POST", "/v1/responses", {})
    _, counted, _ = await request(model, "GET", "/admin/stats", headers={})
    assert counted["calls"] == model.calls == 4
    assert counted["by_route"]["POST /v1/responses"] == {"200": 3, "400": 1}
    assert counted["tokens"]["total"] == model.tokens == sum(a.usage.total_tokens for a in answers if a.usage)
    assert counted["active"] == 0
    _, after, _ = await request(model, "POST", "/admin/reset", headers={})
    assert after["calls"] == model.calls == model.tokens == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_obeys_its_options_and_stops_cleanly_amid_a_hang(number: signal.Signals) -> None:
    process, base_url = await start_process("--directed-faults", "--latency", "0.05")
    try:
        async with AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            assert (await client.responses.create(model="m", input=TEXT)).output_text
            with pytest.raises(openai.APITimeoutError):
                await client.responses.create(model="m", input="[[fault:hang]]", timeout=0.3)
            process.send_signal(number)
            async with asyncio.timeout(LIMIT_S):
                _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert errors == b""


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [(["--error-rate", "2"], 2, "error_rate is 2.0"), (["--host", "203.0.113.1"], 1, "cannot listen on 203.0.113.1")],
)
async def test_what_cannot_be_served_is_said_in_one_line(options: list[str], code: int, complaint: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local_host.offline_model", "--port", "0", *options,
        cwd=APP_DIR, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(LIMIT_S):
        _, errors = await process.communicate()
    assert process.returncode == code
    assert complaint in errors.decode()
    assert errors.count(b"\n") == 1
