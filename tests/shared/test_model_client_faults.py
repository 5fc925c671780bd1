"""What the model client makes of faults: of the offline model, and of a server that answers by a script."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from local_host.offline_model import OfflineModel
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Usage
from shared.errors import NotAuthenticated
from shared.model_client import Completion, OpenAIModel
from shared.settings import ModelSettings
from tests.shared.model_given import APIS, BODIES, MATERIAL, agent, error_from
from tests.shared.model_server import Answer, chat_body, error_body, response_body, says, says_raw, serving

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
