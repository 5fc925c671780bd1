"""Faults by rate and by marker: drawn the same way again, carried out on the wire as a client meets them."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI

from local_host.offline.errors import ApiError
from local_host.offline.faults import DIRECTED_KINDS, RATE_KINDS, DirectedFaults, Fault, Faults
from local_host.offline_model import OfflineModel
from tests.local_host.offline_calls import until

LIMIT_S = 10.0
JSON_FORMAT = {
    "type": "json_schema",
    "name": "x",
    "schema": {"type": "object", "properties": {"summary": {"type": "string"}}},
}
NO_FAULT = Fault()


def client_of(model: OfflineModel) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0, timeout=LIMIT_S)


async def ask(model: OfflineModel, prompt: str = "The disk was full.", **options: Any) -> Any:
    async with client_of(model) as client:
        return await client.responses.create(model="m", input=prompt, **options)


@pytest.fixture
async def directed() -> AsyncIterator[OfflineModel]:
    async with OfflineModel(directed_faults=True) as model:
        yield model


def test_the_same_seed_draws_the_same_faults_and_another_seed_others() -> None:
    faults = Faults(latency_s=1, latency_sigma=1, straggler_rate=0.1, error_rate=0.2, throttle_rate=0.2, seed=7)
    first = [faults.draw(number) for number in range(200)]
    assert first == [faults.draw(number) for number in range(200)]
    other = Faults(latency_s=1, latency_sigma=1, straggler_rate=0.1, error_rate=0.2, throttle_rate=0.2, seed=8)
    assert first != [other.draw(number) for number in range(200)]


@pytest.mark.parametrize("kind", RATE_KINDS)
def test_a_rate_is_met_over_many_calls(kind: str) -> None:
    faults = Faults(**{f"{kind.replace('-', '_')}_rate": 0.3})
    drawn = Counter(faults.draw(number).kind for number in range(4000))
    assert 0.26 < drawn[kind] / 4000 < 0.34
    assert set(drawn) == {kind, None}


def test_the_latency_is_long_tailed_around_its_median() -> None:
    delays = [Faults(latency_s=0.5, latency_sigma=1.0).draw(number).delay_s for number in range(4000)]
    assert 0.45 < statistics.median(delays) < 0.55
    assert statistics.mean(delays) > 1.3 * statistics.median(delays)
    assert {Faults(latency_s=0.5).draw(number).delay_s for number in range(10)} == {0.5}


def test_stragglers_take_the_given_times_as_long() -> None:
    faults = Faults(latency_s=0.5, straggler_rate=0.05, straggler_factor=10)
    drawn = [faults.draw(number) for number in range(4000)]
    assert {fault.delay_s for fault in drawn if fault.straggles} == {5.0}
    assert {fault.delay_s for fault in drawn if not fault.straggles} == {0.5}
    assert 0.035 < sum(fault.straggles for fault in drawn) / 4000 < 0.065


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"error_rate": 1.5}, "error_rate is 1.5"),
        ({"latency_s": -1}, "latency_s is -1"),
        ({"latency_s": float("nan")}, "latency_s is nan"),
        ({"error_rate": 0.6, "hang_rate": 0.6}, "add up to 1.2"),
    ],
)
def test_impossible_faults_are_refused_by_name(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Faults(**settings)


def test_counted_markers_follow_each_other_for_the_same_prompt_only() -> None:
    directed = DirectedFaults()
    prompt = "[[fault:throttle*2]] [[fault:error*1]] text"
    kinds = [directed.apply(prompt, NO_FAULT).kind for _ in range(5)]
    assert kinds == ["throttle", "throttle", "error", None, None]
    assert directed.apply(f"{prompt} other", NO_FAULT).kind == "throttle"
    directed.reset()
    assert directed.apply(prompt, NO_FAULT).kind == "throttle"


def test_a_marker_without_a_count_holds_for_ever_and_slow_stands_beside_it() -> None:
    directed = DirectedFaults()
    faults = [directed.apply("[[fault:slow:2.5]] [[fault:error]]", Fault(0.5)) for _ in range(3)]
    assert {(fault.delay_s, fault.kind) for fault in faults} == {(3.0, "error")}


def test_a_misspelt_marker_is_reported_with_the_kinds_there_are() -> None:
    with pytest.raises(ApiError, match=r"Unknown fault 'eror'.*throttle"):
        DirectedFaults().apply("[[fault:eror]]", NO_FAULT)


EXPECTED_ERRORS: dict[str, tuple[type[Exception], int | None]] = {
    "throttle": (openai.RateLimitError, 429),
    "error": (openai.InternalServerError, 500),
    "bad-request": (openai.BadRequestError, 400),
    "content-filter": (openai.BadRequestError, 400),
    "unauthorized": (openai.AuthenticationError, 401),
    "cut": (openai.APIConnectionError, None),
}


@pytest.mark.parametrize("kind", EXPECTED_ERRORS)
async def test_a_directed_fault_reaches_the_client_as_its_error(directed: OfflineModel, kind: str) -> None:
    error, status = EXPECTED_ERRORS[kind]
    with pytest.raises(error) as caught:
        await ask(directed, f"The disk was full. [[fault:{kind}]]")
    assert getattr(caught.value, "status_code", None) == status
    assert directed.statistics.faults == {kind: 1}
    assert directed.statistics.active == 0


def test_every_kind_of_fault_is_shown_by_a_test_here() -> None:
    elsewhere = {"hang", "malformed", "broken-body", "refusal"}
    assert set(DIRECTED_KINDS) == EXPECTED_ERRORS.keys() | elsewhere


async def test_a_marker_in_the_instructions_counts_too(directed: OfflineModel) -> None:
    with pytest.raises(openai.InternalServerError):
        await ask(directed, instructions="Summarise. [[fault:error]]")


async def test_a_throttle_says_when_to_come_back(directed: OfflineModel) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        await ask(directed, "Text. [[fault:throttle:2.5]]")
    assert caught.value.response.headers["retry-after"] == "2.5"
    assert caught.value.code == "rate_limit_exceeded"


async def test_a_content_filter_is_told_by_its_code(directed: OfflineModel) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(directed, "Text. [[fault:content-filter]]")
    assert caught.value.code == "content_filter"


async def test_a_counted_throttle_ends_and_the_answer_shows_no_marker(directed: OfflineModel) -> None:
    for _ in range(2):
        with pytest.raises(openai.RateLimitError):
            await ask(directed, "The disk was full. [[fault:throttle*2]]")
    answer = await ask(directed, "The disk was full. [[fault:throttle*2]]")
    assert answer.output_text == "The disk was full."


async def test_a_malformed_answer_is_no_json_and_a_request_to_repair_it_counts_as_the_same_prompt(
    directed: OfflineModel,
) -> None:
    prompt = "The disk was full. [[fault:malformed*1]]"
    first = await ask(directed, prompt, text={"format": JSON_FORMAT})
    with pytest.raises(ValueError, match=r"JSON|Unterminated|Expecting"):
        json.loads(first.output_text)
    repair = f"{prompt}\n\n<rejected_answer>\n{first.output_text}\n</rejected_answer>\n\nAnswer again with JSON."
    second = await ask(directed, repair, text={"format": JSON_FORMAT})
    assert json.loads(second.output_text) == {"summary": "The disk was full."}


async def test_text_cannot_be_malformed(directed: OfflineModel) -> None:
    answer = await ask(directed, "The disk was full. [[fault:malformed]]")
    assert answer.output_text == "The disk was full."


async def test_a_broken_body_is_not_whole_json(directed: OfflineModel) -> None:
    with pytest.raises((ValueError, openai.APIError)):
        await ask(directed, "Text. [[fault:broken-body]]")


async def test_a_refusal_has_no_text_in_either_api(directed: OfflineModel) -> None:
    answer = await ask(directed, "Text. [[fault:refusal]]")
    assert answer.output[0].content[0].type == "refusal"
    assert answer.output_text == ""
    async with client_of(directed) as client:
        chat = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Text. [[fault:refusal]]"}]
        )
    assert chat.choices[0].message.refusal
    assert chat.choices[0].message.content is None


async def test_markers_are_plain_text_unless_they_are_asked_for() -> None:
    async with OfflineModel() as model:
        answer = await ask(model, "The disk was full. [[fault:error]]")
    assert "The disk was full." in answer.output_text


async def test_a_hang_ends_when_the_client_leaves(directed: OfflineModel) -> None:
    async with client_of(directed) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.responses.create(model="m", input="Text. [[fault:hang]]", timeout=0.2)
    await until(lambda: not directed.statistics.active)
    assert directed.statistics.answers["POST /v1/responses", "client-gone"] == 1


async def test_a_hang_ends_at_shutdown() -> None:
    model = OfflineModel(directed_faults=True)
    await model.start()
    hanging = asyncio.create_task(ask(model, "Text. [[fault:hang]]"))
    await until(lambda: model.statistics.faults["hang"])
    began = time.monotonic()
    await model.close()
    with pytest.raises(openai.APIConnectionError):
        await hanging
    assert time.monotonic() - began < 3


async def test_a_call_that_sleeps_ends_at_shutdown() -> None:
    model = OfflineModel(faults=Faults(latency_s=60))
    await model.start()
    sleeping = asyncio.create_task(ask(model))
    await until(lambda: model.statistics.active)
    await model.close()
    with pytest.raises(openai.APIConnectionError):
        await sleeping


async def test_a_hundred_calls_at_once_each_take_the_latency() -> None:
    body = {"model": "m", "instructions": "Summarise.", "input": "The disk was full. It was cleaned. " * 20}
    took: list[float] = []

    async def call(session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        async with session.post("/v1/responses", json=body) as answer:
            assert answer.status == 200
            await answer.read()
        took.append(time.monotonic() - began)

    async with OfflineModel(faults=Faults(latency_s=1.0)) as model:
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": "Bearer any"}
        base = model.base_url.removesuffix("/v1")
        async with aiohttp.ClientSession(base, connector=connector, headers=headers) as session:
            await asyncio.gather(*(call(session) for _ in range(100)))
        assert model.highest_concurrency == 100
    assert min(took) >= 0.99
    assert statistics.median(took) < 1.5


async def test_rates_are_carried_out_by_call_number_and_a_reset_starts_them_again() -> None:
    async with OfflineModel(faults=Faults(error_rate=0.5, seed=3)) as model:

        async def outcomes() -> list[str]:
            results = []
            for _ in range(12):
                try:
                    await ask(model)
                    results.append("answer")
                except openai.InternalServerError:
                    results.append("error")
            return results

        first = await outcomes()
        model.reset()
        assert await outcomes() == first
        assert set(first) == {"answer", "error"}
