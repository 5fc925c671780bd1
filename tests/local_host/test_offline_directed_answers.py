"""Directed answers: a marker in a prompt says what is answered, where the server was told to obey it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI

from local_host.offline.directed_answers import directed_answer
from local_host.offline.errors import ApiError
from local_host.offline_model import OfflineModel
from shared.prompts import repair_prompt
from tests.local_host.offline_calls import start_process

VOTE = '{"answer": ["a]] b", "{\\"x\\": [[1]]}"], "confidence": 0.5}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


async def ask(model: OfflineModel, prompt: str, **options: Any) -> Any:
    async with AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0) as client:
        return await client.responses.create(model="m", input=prompt, **options)


@pytest.fixture
async def directed() -> AsyncIterator[OfflineModel]:
    async with OfflineModel(directed_answers=True, directed_faults=True) as model:
        yield model


@given(value=JSON, before=st.text(max_size=20), after=st.text(max_size=20), indent=st.sampled_from([None, 2]))
def test_any_json_is_found_and_given_as_it_was_written(value: Any, before: str, after: str, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    assert directed_answer(f"{before}[[answer:{text}]]{after}") == text


def test_the_first_of_several_markers_counts() -> None:
    assert directed_answer("[[answer:1]] [[answer:2]]") == "1"
    assert directed_answer("[[answers:1]] answer:2") is None


@pytest.mark.parametrize("marker", ["[[answer:yes]]", "[[answer:]]", '[[answer:{"a": 1]]', "[[answer:1", "[[answer:1]"])
def test_a_broken_marker_is_reported_with_how_to_write_it(marker: str) -> None:
    with pytest.raises(ApiError, match=r"Broken marker .*Write \[\[answer:JSON\]\]"):
        directed_answer(f"text {marker}")


async def test_both_instructions_and_input_direct_and_instructions_come_first(directed: OfflineModel) -> None:
    assert (await ask(directed, f"The disk was full. [[answer:{VOTE}]]")).output_text == VOTE
    said = await ask(directed, "[[answer:2]]", instructions=f"You vote. [[answer:{VOTE}]]")
    assert said.output_text == VOTE


async def test_an_answer_is_given_though_it_fits_no_schema_and_again_when_asked_to_repair_it(
    directed: OfflineModel,
) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    shape = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    repair = repair_prompt("[[answer:7]] text", "[[answer:8]]", "[[answer:9]]", schema)
    for prompt in ("[[answer:7]] text", repair):
        assert (await ask(directed, prompt, text=shape)).output_text == "7"


async def test_faults_come_before_answers(directed: OfflineModel) -> None:
    with pytest.raises(openai.RateLimitError):
        await ask(directed, "[[fault:throttle*1]] [[answer:1]]")
    assert (await ask(directed, "[[fault:throttle*1]] [[answer:1]]")).output_text == "1"


async def test_markers_are_material_unless_the_server_is_told_to_obey_them() -> None:
    async with OfflineModel() as model:
        said = await ask(model, "The disk was full [[answer:7]] and the service failed.")
    assert "[[answer:7]]" in said.output_text


async def test_the_program_obeys_answers_by_its_option() -> None:
    process, base_url = await start_process("--directed-answers")
    try:
        async with AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            said = await client.responses.create(model="m", input='[[answer:{"answer": true}]]')
            assert said.output_text == '{"answer": true}'
    finally:
        process.terminate()
        await process.communicate()
