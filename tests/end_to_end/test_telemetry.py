"""What a run tells of itself, from the app's processes to an OTLP receiver."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import JSON, Chorus, running_chorus
from tests.end_to_end.test_callbacks import SIGNATURE, receiving
from tests.otlp_receiver import OtlpReceiver, ToldSpan
from tests.shared.callbacks.given import SECRET

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "planted-key-77c1e2"
PROMPT = "Planted-Prompt-5d0a"


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chorus(receiver: OtlpReceiver) -> AsyncIterator[Chorus]:
    callbacks = {"CHORUS_CALLBACK_SECRET": SECRET, "CHORUS_CALLBACK_HOSTS": ""}
    async with running_chorus(**receiver.env, **callbacks, OPENAI_API_KEY=KEY) as app:
        yield app


def sections() -> JSON:
    """A section that succeeds, one that fails at once, and one that has a retry before it fails."""
    agents = {"calm": "", "broken": "[[fault:bad-request]]", "busy": "[[fault:error]]"}
    return {
        "input": f"The service was down. {PROMPT}",
        "sections": [
            {"name": name, "agent": {"name": name, "instructions": f"Summarise. {PROMPT} {fault}"}}
            for name, fault in agents.items()
        ],
        "policy": {"attempts": 2},
    }


def tree(spans: list[ToldSpan], parent: str = "") -> list[tuple[str, object]]:
    """Names below the span `parent`, sorted, with what is below them."""
    below = [span for span in spans if span.parent_id == parent]
    return sorted(((span.name, tree(spans, span.span_id)) for span in below), key=str)


async def test_a_runs_trace_has_the_run_its_attempts_and_their_calls(chorus: Chorus, receiver: OtlpReceiver) -> None:
    result = await chorus.run("sectioning", sections())
    receiver.wait_until(lambda: len(receiver.of_run(result["id"])) >= 1 + 2 * 5)

    spans = receiver.of_run(result["id"])
    chat = [("chat gpt-5-mini", [])]
    attempts = [("invoke_agent broken", chat), *[("invoke_agent busy", chat)] * 2, ("invoke_agent calm", chat)]
    synthesis = [("invoke_agent synthesizer", chat)]
    [(root, below)] = tree(spans)
    assert root == "invoke_workflow sectioning"
    assert Counter(map(str, below)) == Counter(map(str, [*attempts, *synthesis]))
    assert len({span.trace_id for span in spans}) == 1
    assert {span.attributes["chorus.branch"] for span in spans if "chorus.branch" in span.attributes} == {
        "calm", "broken", "busy", "~synthesis",
    }  # fmt: skip
    assert result["status"] == "partial"
    assert_run_is_told(result, receiver)


def assert_run_is_told(result: JSON, receiver: OtlpReceiver) -> None:
    """Its span and its metrics have the figures of its result."""
    spans = receiver.of_run(result["id"])
    [run] = [span for span in spans if span.name == "invoke_workflow sectioning"]
    assert (run.attributes["chorus.status"], run.attributes["chorus.branches.failed"]) == ("partial", 2)
    assert run.attributes["gen_ai.usage.input_tokens"] == result["usage"]["input_tokens"]
    assert run.attributes["chorus.retries"] == 1

    def counted() -> bool:
        tokens = receiver.total("gen_ai.client.token.usage", **{"gen_ai.token.type": "input"})
        return tokens == result["usage"]["input_tokens"] and bool(receiver.points.get("chorus.branches"))

    receiver.wait_until(counted)
    assert receiver.total("chorus.branches", chorus_status="succeeded") == 1
    assert receiver.total("chorus.branches", chorus_status="failed") == 2
    assert receiver.total("chorus.retries", chorus_pattern="sectioning") == 1
    assert receiver.total("chorus.hedges") == 0


async def test_a_failed_attempt_says_why_by_a_code(chorus: Chorus, receiver: OtlpReceiver) -> None:
    result = await chorus.run("sectioning", sections())
    receiver.wait_until(lambda: len(receiver.of_run(result["id"])) >= 1 + 2 * 5)

    failed = [span for span in receiver.of_run(result["id"]) if span.attributes.get("chorus.branch") == "broken"]
    [error] = [outcome["error"] for outcome in result["outcomes"] if outcome["name"] == "broken"]
    assert [(span.attributes["error.type"], span.is_error) for span in failed] == [(error["code"], True)] * 2
    assert {span.attributes.get("http.response.status_code") for span in failed} == {None, error["http_status"]}


async def test_a_run_by_a_recipe_is_told_by_its_name_in_every_span(chorus: Chorus, receiver: OtlpReceiver) -> None:
    _, recipe, _ = await chorus.get("recipes/content-moderation")
    result = await chorus.run("recipes/content-moderation", recipe["example"])
    receiver.wait_until(
        lambda: len(receiver.of_run(result["id"])) == 1 + 2 * result["usage"]["model_calls"],
    )

    told = {span.attributes["chorus.recipe"] for span in receiver.of_run(result["id"])}
    assert told == {"content-moderation"}
    assert [span.name for span in receiver.of_run(result["id"]) if span.name.startswith("invoke_workflow ")] == [
        "invoke_workflow content-moderation"
    ]
    saved = sum(vote["stop"]["saved"] for vote in result["output"]["votes"].values())
    assert saved > 0
    receiver.wait_until(lambda: receiver.total("chorus.votes.saved", chorus_recipe="content-moderation") == saved)


async def test_neither_prompts_nor_answers_nor_keys_are_told(chorus: Chorus, receiver: OtlpReceiver) -> None:
    result = await chorus.run("sectioning", sections())
    receiver.wait_until(lambda: len(receiver.of_run(result["id"])) >= 1 + 2 * 5)

    for secret in (PROMPT, KEY, "The service was down", result["outcomes"][0]["output"]):
        assert secret.encode() not in receiver.raw


async def test_what_is_logged_of_a_callback_names_its_run_and_not_its_url(
    chorus: Chorus, receiver: OtlpReceiver
) -> None:
    async with receiving(204) as caller:
        result = await chorus.run("sectioning", sections() | {"callback_url": caller.url})
        await caller.called()
    receiver.wait_until(lambda: receiver.logs)

    assert [(body, attributes["chorus.run_id"]) for body, attributes in receiver.logs] == [
        (f"Callback of run {result['id']}, attempt 1: 204", result["id"])
    ]
    for secret in (SIGNATURE, "/hook", SECRET):
        assert secret.encode() not in receiver.raw


async def test_the_trace_of_who_starts_a_run_goes_on_through_the_host(chorus: Chorus, receiver: OtlpReceiver) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace_id}-{span_id}-01"}
    async with chorus.session.post(f"{chorus.base_url}/api/sectioning", json=sections(), headers=headers) as answer:
        accepted = await answer.json()
    result = await chorus.result(accepted["id"])
    receiver.wait_until(lambda: len(receiver.of_run(result["id"])) >= 1 + 2 * 5)

    spans = receiver.of_run(result["id"])
    assert {span.trace_id for span in spans} == {trace_id}
    outermost = Counter(span.name for span in spans if span.parent_id == span_id)
    assert outermost["invoke_workflow sectioning"] == 1
    assert outermost.total() == 1 + 5
