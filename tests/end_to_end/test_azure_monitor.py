"""What a run tells of itself, from the app's processes to an endpoint of Azure Monitor."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.azure_monitor_receiver import AzureMonitorReceiver
from tests.end_to_end.conftest import Chorus, running_chorus
from tests.end_to_end.test_telemetry import KEY, PROMPT, sections

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def receiver() -> Iterator[AzureMonitorReceiver]:
    with AzureMonitorReceiver() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chorus(receiver: AzureMonitorReceiver) -> AsyncIterator[Chorus]:
    async with running_chorus(**receiver.env, OPENAI_API_KEY=KEY) as app:
        yield app


async def test_a_run_arrives_as_dependencies_and_metrics(chorus: Chorus, receiver: AzureMonitorReceiver) -> None:
    result = await chorus.run("sectioning", sections())
    receiver.wait_until(lambda: len(receiver.of_run(result["id"])) >= 1 + 2 * 5)
    receiver.wait_until(lambda: receiver.total("chorus.branches", {}) == 3)
    usage = result["usage"]
    receiver.wait_until(
        lambda: (
            receiver.total("gen_ai.client.token.usage", {"gen_ai.token.type": "input"}) == usage["input_tokens"]
            and receiver.total("gen_ai.client.token.usage", {"gen_ai.token.type": "output"}) == usage["output_tokens"]
        )
    )

    rows = receiver.of_run(result["id"])
    run = next(row for row in rows if row["name"] == "invoke_workflow sectioning")
    attempts = [row for row in rows if row["name"].startswith("invoke_agent ")]
    codes = Counter(row["customDimensions"].get("chorus.error_code") for row in attempts)
    assert len({row["id"] for row in rows}) == len(rows) == 1 + 2 * 5
    assert {row["operation_ParentId"] for row in attempts} == {run["id"]}
    assert codes == {None: 2, "invalid_call": 1, "model_unavailable": 2}
    assert [row["success"] for row in attempts].count(False) == 3
    assert run["customDimensions"]["gen_ai.usage.input_tokens"] == str(usage["input_tokens"])
    assert receiver.total("chorus.retries", {"chorus.pattern": "sectioning"}) == 1


async def test_neither_prompts_nor_keys_arrive_and_the_log_is_quiet(
    chorus: Chorus, receiver: AzureMonitorReceiver
) -> None:
    result = await chorus.run("sectioning", sections())
    receiver.wait_until(lambda: len(receiver.of_run(result["id"])) >= 1 + 2 * 5)

    for secret in (PROMPT, KEY, "The service was down", result["outcomes"][0]["output"]):
        assert secret.encode() not in receiver.raw
    assert receiver.paths == {"/v2.1/track"}
    assert "opentelemetry" not in chorus.host.output
