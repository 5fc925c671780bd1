"""The model client over real HTTP: the offline model, and a server that notes what it is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.identity
import pytest
from azure.core.exceptions import ServiceRequestError
from jsonschema import validate

from local_host.offline_model import Faults, OfflineModel
from shared.contracts.ballots import RankingBallot, ballot_schema
from shared.contracts.branch import Usage
from shared.model_client import AZURE_SCOPE, OpenAIModel
from shared.prompts import DATA_NOTICE
from shared.settings import load_model_settings
from shared.strict_mode import strict_form
from tests.shared.model_given import APIS, BODIES, MATERIAL, agent, error_from
from tests.shared.model_server import chat_body, response_body, says, serving

ROOT = Path(__file__).parents[2]
SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"summary": {"type": "string"}, "points": {"type": "array", "items": {"type": "string"}}},
    "required": ["summary", "points"],
    "additionalProperties": False,
}


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
