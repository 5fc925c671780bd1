"""The model client over real HTTP: the offline model with its faults, and a server that notes what it is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import azure.identity
import pytest
from aiohttp import web
from azure.core.exceptions import ServiceRequestError
from jsonschema import validate

from local_host.offline_model import Faults, OfflineModel
from shared.contracts.agent import AgentSpec
from shared.contracts.ballots import RankingBallot, ballot_schema
from shared.contracts.branch import Usage
from shared.errors import AgentError, NotAuthenticated
from shared.model_client import AZURE_SCOPE, Completion, OpenAIModel
from shared.prompts import DATA_NOTICE
from shared.settings import ModelSettings, load_model_settings
from shared.strict_mode import strict_form
from tests.shared.model_server import Answer, chat_body, error_body, response_body, says, says_raw, serving

ROOT = Path(__file__).parents[2]
APIS = ["responses", "chat_completions"]
SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "points": {"type": "array", "items": {"type": "string"}}},
    "required": ["summary", "points"],
    "additionalProperties": False,
}
MATERIAL = (
    "<input>\nThe server failed at noon. The disk was full. Nobody was told for an hour. It was restarted.\n</input>"
)
BODIES: dict[str, Callable[..., Any]] = {"responses": response_body, "chat_completions": chat_body}


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[..., OpenAIModel]]:
    """Make a client with these settings; it is closed after the test."""
    clients: list[OpenAIModel] = []

    def make(url: str, api: Any = "responses", **fields: Any) -> OpenAIModel:
        settings = ModelSettings(**{"provider": "compatible", "model": "m", "api": api, "base_url": url, **fields})
        clients.append(OpenAIModel(settings))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def offline() -> AsyncIterator[OfflineModel]:
    async with OfflineModel(directed_faults=True) as model:
        yield model


def agent(**fields: Any) -> AgentSpec:
    return AgentSpec(**{"instructions": "Summarise.", **fields})


async def error_from(client: OpenAIModel, prompt: str = "x", timeout_s: float = 5.0, **fields: Any) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await client.complete(agent(**fields), prompt, timeout_s)
    return caught.value


# Answers


@pytest.mark.parametrize("api", APIS)
async def test_a_text_comes_with_its_model_and_the_tokens_that_were_counted(
    api: str, offline: OfflineModel, client_of: Any
) -> None:
    completion = await client_of(offline.base_url, api).complete(agent(), MATERIAL, 5.0)

    assert completion.text.strip()
    assert completion.text.split(".")[0] in MATERIAL
    assert completion.model == "offline-extractive"
    assert not completion.truncated
    usage = completion.usage
    assert usage.model_calls == 1
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens == offline.tokens


@pytest.mark.parametrize("api", APIS)
async def test_a_structured_answer_fits_its_schema(api: str, offline: OfflineModel, client_of: Any) -> None:
    completion = await client_of(offline.base_url, api).complete(agent(output_schema=SHAPE), MATERIAL, 5.0)

    validate(json.loads(completion.text), SHAPE)


@pytest.mark.parametrize("api", APIS)
async def test_a_bounded_answer_fits_its_bounds_in_strict_mode(api: str, offline: OfflineModel, client_of: Any) -> None:
    ballot = RankingBallot(options=["restart", "wait", "free the disk"])
    schema = ballot_schema(ballot)

    completion = await client_of(offline.base_url, api).complete(agent(output_schema=schema), MATERIAL, 5.0)

    assert strict_form(schema) is not None
    validate(json.loads(completion.text), schema)


@pytest.mark.parametrize("api", APIS)
async def test_an_answer_that_hit_the_token_limit_says_so(api: str, offline: OfflineModel, client_of: Any) -> None:
    long = MATERIAL.replace("The disk", "The very large disk of the very old server in the very small room " * 5)

    completion = await client_of(offline.base_url, api).complete(agent(max_output_tokens=16), long, 5.0)

    assert completion.truncated
    assert completion.usage.output_tokens == 16


@pytest.mark.parametrize("api", APIS)
async def test_calls_run_side_by_side(api: str, client_of: Any) -> None:
    async with OfflineModel(faults=Faults(latency_s=0.2)) as model:
        client = client_of(model.base_url, api)
        await asyncio.gather(*(client.complete(agent(), MATERIAL, 5.0) for _ in range(20)))

        assert model.highest_concurrency == 20


# Requests


async def test_the_responses_api_gets_what_the_agent_states(client_of: Any) -> None:
    stated = agent(model="own", temperature=0.5, max_output_tokens=99, output_schema=SHAPE, name="a.b-c")
    async with serving(says(response_body())) as server:
        await client_of(f"{server.url}/v1").complete(stated, "the material", 5.0)

    [asked] = server.asked
    assert asked.path == "/v1/responses"
    assert asked.body == {
        "model": "own",
        "instructions": f"Summarise.\n\n{DATA_NOTICE}",
        "input": "the material",
        "store": False,
        "temperature": 0.5,
        "max_output_tokens": 99,
        "text": {"format": {"type": "json_schema", "name": "a_b_c", "schema": SHAPE, "strict": True}},
    }


async def test_the_chat_api_gets_what_the_agent_states(client_of: Any) -> None:
    stated = agent(model="own", temperature=0.5, max_output_tokens=99, output_schema={"type": "object"})
    async with serving(says(chat_body())) as server:
        await client_of(f"{server.url}/v1", "chat_completions").complete(stated, "the material", 5.0)

    [asked] = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "own",
        "messages": [
            {"role": "system", "content": f"Summarise.\n\n{DATA_NOTICE}"},
            {"role": "user", "content": "the material"},
        ],
        "temperature": 0.5,
        "max_tokens": 99,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "agent", "schema": {"type": "object"}, "strict": False},
        },
    }


async def test_bounds_that_strict_mode_does_not_take_are_told_in_the_description(client_of: Any) -> None:
    bounded = {**SHAPE, "properties": {**SHAPE["properties"], "summary": {"type": "string", "minLength": 9}}}
    told = {**SHAPE["properties"], "summary": {"type": "string", "description": 'Must also fit {"minLength": 9}.'}}
    async with serving(says(response_body())) as server:
        await client_of(f"{server.url}/v1").complete(agent(output_schema=bounded), "x", 5.0)

    [asked] = server.asked
    assert asked.body["text"]["format"] == {
        "type": "json_schema",
        "name": "agent",
        "schema": {**SHAPE, "properties": told},
        "strict": True,
    }


@pytest.mark.parametrize("api", APIS)
async def test_what_the_agent_does_not_state_is_not_sent(api: str, client_of: Any) -> None:
    async with serving(says(BODIES[api]())) as server:
        await client_of(f"{server.url}/v1", api).complete(agent(), "x", 5.0)

    assert server.asked[0].body["model"] == "m"
    assert not server.asked[0].body.keys() & {
        "temperature", "max_output_tokens", "max_tokens", "max_completion_tokens", "text", "response_format",
    }  # fmt: skip


@pytest.mark.parametrize("provider", ["openai", "azure"])
async def test_openai_s_own_chat_api_gets_the_newer_name_of_the_token_limit(provider: str, client_of: Any) -> None:
    async with serving(says(chat_body())) as server:
        client = client_of(server.url, "chat_completions", provider=provider, api_key="k")
        await client.complete(agent(max_output_tokens=99), "x", 5.0)

    assert server.asked[0].body["max_completion_tokens"] == 99
    assert "max_tokens" not in server.asked[0].body


async def test_one_client_and_one_connection_serve_calls_one_after_the_other(client_of: Any) -> None:
    async with serving(says(response_body())) as server:
        client = client_of(server.url)
        for _ in range(3):
            await client.complete(agent(), "x", 5.0)

    assert len({asked.connection for asked in server.asked}) == 1


async def test_a_closed_client_opens_again(client_of: Any) -> None:
    async with serving(says(response_body())) as server:
        client = client_of(server.url)
        await client.complete(agent(), "x", 5.0)
        await client.close()

        assert (await client.complete(agent(), "x", 5.0)).text == "fine"


def test_openai_is_imported_with_the_first_call_only() -> None:
    code = (
        "import sys; from shared.model_client import OpenAIModel; from shared.settings import load_model_settings; "
        "OpenAIModel(load_model_settings({'OPENAI_API_KEY': 'k'})); "
        "print(sorted({'openai', 'azure.identity'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


# Credentials


@pytest.mark.parametrize("provider", ["openai", "compatible", "azure"])
async def test_a_key_is_sent_as_a_bearer_token(provider: str, client_of: Any) -> None:
    async with serving(says(response_body())) as server:
        await client_of(server.url, provider=provider, api_key="sk-1").complete(agent(), "x", 5.0)

    assert server.asked[0].headers["authorization"] == "Bearer sk-1"


async def test_a_server_without_a_key_gets_no_secret_of_ours(client_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    async with serving(says(response_body())) as server:
        await client_of(server.url).complete(agent(), "x", 5.0)

    assert server.asked[0].headers["authorization"] == "Bearer not-needed"


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tokens that Entra ID will give in turn; an exception is raised instead. Scopes asked for are put in front."""
    given: list[Any] = []

    def provider(_: Any, scope: str) -> Callable[[], str]:
        assert scope == AZURE_SCOPE

        def token() -> str:
            following = given.pop(0)
            if isinstance(following, Exception):
                raise following
            return following

        return token

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", object)
    monkeypatch.setattr(azure.identity, "get_bearer_token_provider", provider)
    return given


async def test_azure_without_a_key_gets_a_fresh_entra_token_at_its_v1_url(credential: list[Any]) -> None:
    credential += ["token-1", "token-2"]
    async with serving(says(response_body())) as server:
        client = OpenAIModel(load_model_settings({"AZURE_OPENAI_ENDPOINT": server.url, "CHORUS_MODEL": "deployed"}))
        await client.complete(agent(), "x", 5.0)
        await client.complete(agent(), "x", 5.0)
        await client.close()

    assert [asked.path for asked in server.asked] == ["/openai/v1/responses"] * 2
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer token-1", "Bearer token-2"]
    assert server.asked[0].body["model"] == "deployed"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (azure.identity.CredentialUnavailableError(message="no identity here"), "not_authenticated"),
        (ServiceRequestError("login.example cannot be reached"), "connection_failed"),
    ],
)
async def test_without_an_entra_token_no_call_is_made_or_counted(
    failure: Exception, code: str, credential: list[Any], client_of: Any
) -> None:
    credential.append(failure)
    async with serving(says(response_body())) as server:
        error = await error_from(client_of(server.url, provider="azure"))

    assert error.code == code
    assert "no identity here" in error.message or "cannot be reached" in error.message
    assert error.usage == Usage()
    assert server.asked == []


# Failures of the service


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("throttle", ("rate_limited", 429)),
        ("error", ("model_unavailable", 500)),
        ("cut", ("connection_failed", None)),
        ("broken-body", ("model_unavailable", None)),
        ("bad-request", ("invalid_call", 400)),
        ("unauthorized", ("not_authenticated", 401)),
        ("content-filter", ("content_filtered", 400)),
        ("refusal", ("refused", None)),
    ],
)
async def test_each_fault_of_the_model_is_told_after_one_call(
    api: str, fault: str, expected: tuple[str, int | None], offline: OfflineModel, client_of: Any
) -> None:
    error = await error_from(client_of(offline.base_url, api), f"{MATERIAL} [[fault:{fault}]]")

    assert (error.code, error.http_status) == expected
    assert offline.calls == 1
    assert offline.statistics.faults[fault] == 1


@pytest.mark.parametrize("api", APIS)
async def test_a_throttle_says_how_long_to_wait(api: str, offline: OfflineModel, client_of: Any) -> None:
    error = await error_from(client_of(offline.base_url, api), f"{MATERIAL} [[fault:throttle:7.5]]")

    assert error.retry_after_s == 7.5
    assert error.retriable


@pytest.mark.parametrize("api", APIS)
async def test_a_refusal_costs_what_the_service_counted(api: str, offline: OfflineModel, client_of: Any) -> None:
    error = await error_from(client_of(offline.base_url, api), f"{MATERIAL} [[fault:refusal]]")

    assert error.usage is not None
    assert error.usage.total_tokens == offline.tokens > 0


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("fault", ["hang", "slow:30"])
async def test_a_call_ends_within_its_time(api: str, fault: str, offline: OfflineModel, client_of: Any) -> None:
    client = client_of(offline.base_url, api)
    await client.complete(agent(), "x", 5.0)
    started = time.monotonic()

    error = await error_from(client, f"{MATERIAL} [[fault:{fault}]]", timeout_s=0.3)

    assert error.code == "call_timed_out"
    assert 0.25 <= time.monotonic() - started < 2.0


async def trickle(request: web.Request) -> web.StreamResponse:
    """An answer of which a byte comes every 50 ms, for a minute."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(1_200):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


@pytest.mark.parametrize("api", APIS)
async def test_an_answer_that_trickles_in_does_not_outlive_its_time(api: str, client_of: Any) -> None:
    async with serving(says(BODIES[api]()), trickle) as server:
        client = client_of(server.url, api)
        await client.complete(agent(), "x", 5.0)
        started = time.monotonic()

        error = await error_from(client, timeout_s=0.4)

        assert error.code == "call_timed_out"
        assert 0.35 <= time.monotonic() - started < 2.0


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
async def test_without_time_left_no_call_is_made_or_counted(
    timeout_s: float, offline: OfflineModel, client_of: Any
) -> None:
    error = await error_from(client_of(offline.base_url), timeout_s=timeout_s)

    assert error.code == "call_timed_out"
    assert error.usage == Usage()
    assert offline.calls == 0


async def test_a_server_that_is_not_there_is_a_failed_connection(client_of: Any) -> None:
    async with serving(says({})) as server:
        gone = server.url

    assert (await error_from(client_of(gone))).code == "connection_failed"


async def test_cancelling_the_caller_ends_the_call(client_of: Any) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError("nobody sets this event")

    async with serving(hang) as server, asyncio.timeout(5):
        call = asyncio.create_task(client_of(server.url).complete(agent(), "x", 60.0))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await left.wait()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("status", "error_code", "code"),
    [
        (400, None, "invalid_call"),
        (400, "content_policy_violation", "content_filtered"),
        (402, None, "invalid_call"),
        (403, None, "not_allowed"),
        (404, "DeploymentNotFound", "model_not_found"),
        (408, None, "call_timed_out"),
        (409, None, "model_conflict"),
        (413, None, "invalid_call"),
        (422, None, "invalid_call"),
        (429, "insufficient_quota", "quota_exhausted"),
        (429, "429", "rate_limited"),
        (500, None, "model_unavailable"),
        (503, None, "model_unavailable"),
        (529, None, "model_unavailable"),
    ],
)
async def test_each_status_has_its_error(
    api: str, status: int, error_code: str | None, code: str, client_of: Any
) -> None:
    async with serving(says(error_body("what it said", error_code), status=status)) as server:
        error = await error_from(client_of(server.url, api))

    assert (error.code, error.http_status) == (code, status)
    assert error.message == f"the model answered {status}: what it said"
    assert len(server.asked) == 1


async def test_a_long_message_of_the_service_is_cut(client_of: Any) -> None:
    async with serving(says(error_body("x" * 100_000), status=400)) as server:
        assert len((await error_from(client_of(server.url))).message) < 600


UNREADABLE: list[Answer] = [
    says_raw("<html>welcome</html>", "text/html"),
    says_raw("welcome", "text/plain"),
    says_raw(""),
    says_raw("{"),
    says_raw("[]"),
    says_raw("null"),
    says_raw('"text"'),
    says({}),
    says({"output": "text", "choices": "text"}),
    says({"output": [{"type": "message"}], "choices": [{"index": 0}]}),
    says({"output": [None], "choices": [None]}),
    says(response_body(usage={"input_tokens": "many"}) | chat_body(usage={"prompt_tokens": "many"})),
]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("answer", UNREADABLE)
async def test_an_answer_of_another_shape_is_a_fault_of_the_service(api: str, answer: Answer, client_of: Any) -> None:
    async with serving(answer) as server:
        error = await error_from(client_of(server.url, api))

    assert error.code == "model_unavailable"
    assert error.retriable


@pytest.mark.parametrize(
    ("api", "body", "code"),
    [
        (
            "responses",
            response_body(status="incomplete", incomplete_details={"reason": "content_filter"}),
            "content_filtered",
        ),
        (
            "responses",
            response_body(status="failed", error={"code": "server_error", "message": "boom"}),
            "model_unavailable",
        ),
        ("responses", response_body(status="failed", output=[]), "model_unavailable"),
        ("chat_completions", chat_body(finish_reason="content_filter"), "content_filtered"),
        ("chat_completions", chat_body(choices=[]), "model_unavailable"),
    ],
)
async def test_an_answer_that_is_none_costs_what_was_counted(api: str, body: Any, code: str, client_of: Any) -> None:
    async with serving(says(body)) as server:
        error = await error_from(client_of(server.url, api))

    assert error.code == code
    assert error.usage == Usage(model_calls=1, input_tokens=7, output_tokens=5, total_tokens=12)


@pytest.mark.parametrize("api", APIS)
async def test_half_a_surrogate_pair_in_an_answer_does_no_harm(api: str, client_of: Any) -> None:
    async with serving(says(BODIES[api]("cut \ud83d"))) as server:
        completion = await client_of(server.url, api).complete(agent(), "x", 5.0)

    assert completion == Completion("cut ?", completion.usage, "the-model")


@pytest.mark.parametrize("api", APIS)
async def test_an_answer_without_usage_counts_one_call(api: str, client_of: Any) -> None:
    async with serving(says(BODIES[api](usage=None))) as server:
        completion = await client_of(server.url, api).complete(agent(), "x", 5.0)

    assert completion.usage == Usage(model_calls=1)


async def test_a_key_that_the_service_quotes_stays_out_of_the_error() -> None:
    rejection = {"error": {"message": "Incorrect API key provided: sk-very-secret.", "code": "invalid_api_key"}}
    async with serving(says(rejection, status=401)) as server:
        model = OpenAIModel(ModelSettings("compatible", "m", "responses", server.url, "sk-very-secret"))
        with pytest.raises(NotAuthenticated) as caught:
            await model.complete(AgentSpec(instructions="i"), "p", 5)
        await model.close()
    assert "sk-very-secret" not in caught.value.message
    assert "Incorrect API key provided: [key]" in caught.value.message
