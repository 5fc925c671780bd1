from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from activities.call_agent import answer, call_agent, shared_model
from activities.in_flight import IN_FLIGHT
from activities.names import CALL_GIVEN_UP
from local_host.offline_model import OfflineModel
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, AgentReply
from shared.model_client import OpenAIModel
from shared.settings import load_model_settings

SETTINGS = [
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_KEY",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "CHORUS_MODEL",
    "CHORUS_MODEL_API",
]

# Only a call that takes seconds opens its durable client.
NO_CLIENT = ""


@pytest.fixture
async def offline(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OfflineModel]:
    """The app's environment names the offline model."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    async with OfflineModel(directed_faults=True) as model:
        monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
        yield model
        opened = shared_model(load_model_settings({"OPENAI_BASE_URL": model.base_url}))
        assert isinstance(opened, OpenAIModel)
        await opened.close()
    shared_model.cache_clear()


def call(prompt: str = "<input>\nThe disk is full. The night was quiet.\n</input>", **fields: Any) -> AgentCall:
    return AgentCall(
        run_id="run",
        branch="branch",
        attempt=1,
        instance="run:branch",
        agent=AgentSpec(instructions="Summarise.", **fields),
        prompt=prompt,
        deadline=datetime.now(UTC) + timedelta(seconds=10),
    )


async def test_the_activity_takes_and_gives_json(offline: OfflineModel) -> None:
    given = json.loads(json.dumps(call().model_dump(mode="json")))

    reply = json.loads(json.dumps(await call_agent(given, NO_CLIENT), allow_nan=False))

    assert AgentReply.model_validate(reply).error is None
    assert "disk" in reply["output"]
    assert offline.calls == 1


async def test_a_batch_s_answers_have_the_names_of_its_branches(offline: OfflineModel) -> None:
    texts = {"a": "The disk is full.", "b": "A fan."}
    prompt = "\n\n".join(
        f'<document number="{number}" id="{name}">\n{text}\n</document>'
        for number, (name, text) in enumerate(texts.items(), start=1)
    )
    given = call(prompt).model_copy(update={"batch": ["a", "b"]}).model_dump(mode="json")

    reply = await call_agent(given, NO_CLIENT)

    assert list(reply["output"]) == ["a", "b"]
    assert ("disk" in reply["output"]["a"], "fan" in reply["output"]["b"]) == (True, True)
    assert (offline.calls, reply["usage"]["model_calls"]) == (1, 1)


async def test_a_failure_of_the_model_is_data(offline: OfflineModel) -> None:
    reply = await call_agent(call("x [[fault:unauthorized]]").model_dump(mode="json"), NO_CLIENT)

    assert reply["error"]["code"] == "not_authenticated"
    assert reply["usage"]["model_calls"] == 1


async def test_a_reply_tells_how_long_the_worker_was_at_it(offline: OfflineModel) -> None:
    began_s = time.monotonic()
    reply = await call_agent(call("x [[fault:slow:0.2]]").model_dump(mode="json"), NO_CLIENT)

    assert 0.2 <= reply["worked_s"] <= time.monotonic() - began_s + 0.001


async def test_a_call_that_is_given_up_says_so(offline: OfflineModel) -> None:
    given = call("x [[fault:hang]]")
    async with asyncio.timeout(10):
        pending = asyncio.create_task(call_agent(given.model_dump(mode="json"), NO_CLIENT))
        while offline.calls == 0:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        IN_FLIGHT.give_up([given.instance])
        reply = await pending

    assert (reply["error"]["code"], reply["usage"]["model_calls"]) == (CALL_GIVEN_UP, 1)


async def test_a_missing_setting_is_a_permanent_error_that_names_it() -> None:
    reply = await answer(call(), {"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com"})

    assert reply.error is not None
    assert (reply.error.code, reply.error.retriable) == ("not_configured", False)
    assert "CHORUS_MODEL is not set" in reply.error.message
    assert reply.usage.model_calls == 0


async def test_an_input_that_is_no_call_is_a_defect_and_raises() -> None:
    with pytest.raises(ValidationError):
        await call_agent({"prompt": "x"}, NO_CLIENT)


def test_equal_settings_share_one_client() -> None:
    env = {"OPENAI_BASE_URL": "http://localhost:1/v1"}

    assert shared_model(load_model_settings(env)) is shared_model(load_model_settings(dict(env)))
    assert shared_model(load_model_settings(env)) is not shared_model(load_model_settings({**env, "CHORUS_MODEL": "x"}))
    shared_model.cache_clear()
