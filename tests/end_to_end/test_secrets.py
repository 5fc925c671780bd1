"""What callers send and what the app is configured with stays out of the log; keys also out of answers and history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from activities.names import AGENT_ATTEMPT, children_prefix
from local_host.offline.faults import DIRECTED_KINDS
from tests.end_to_end.conftest import APP_DIR, JSON, Chorus, running_chorus

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "planted-key-3f9a1c7d"
PROMPT = "Planted-Prompt-71b2"
TRACES = ("Traceback", 'File "', str(APP_DIR), "site-packages")
POLICY = {"branch_timeout_s": 4.0, "attempts": 2}
SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string"}},
    "required": ["summary"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chorus() -> AsyncIterator[Chorus]:
    async with running_chorus(OPENAI_API_KEY=KEY) as app:
        yield app


def agent(fault: str | None, **fields: Any) -> JSON:
    marker = f" [[fault:{fault}]]" if fault else ""
    return {"instructions": f"Summarise. {PROMPT}{marker}", **fields}


def requests() -> list[tuple[str, JSON]]:
    """Each pattern, with branches that succeed and branches that suffer each fault, and its aggregation that does."""
    faults = [None, *DIRECTED_KINDS]
    sections = [
        {"name": f"s{number}", "agent": agent(fault, output_schema=SCHEMA if number % 2 else None)}
        for number, fault in enumerate(faults)
    ]
    text = f"The service was down. {PROMPT}"
    jury = [{"name": f"v{number}", **agent(fault)} for number, fault in enumerate(faults)]
    documents = [{"id": f"d{number}", "content": f"{text} {number}"} for number in range(4)]
    return [
        ("sectioning", {"input": text, "sections": sections, "policy": POLICY}),
        ("voting", {"question": text, "voters": jury, "policy": POLICY, "ballot": {"type": "free"}}),
        *(
            ("map-reduce", {"documents": documents, "map": agent(None), "reduce": agent(fault), "policy": POLICY})
            for fault in ("error", "bad-request", "unauthorized", "malformed")
        ),
        (
            "map-reduce",
            {
                "documents": documents, "map": agent("malformed", output_schema=SCHEMA), "reduce": agent(None),
                "batch_size": 4, "policy": POLICY,
            },
        ),
    ]  # fmt: skip


BAD_BODIES: list[JSON] = [
    {"question": [PROMPT]},
    {"question": PROMPT, "voters": PROMPT, PROMPT: 1},
    {"question": PROMPT, "ballot": {"type": PROMPT}},
]


async def text_of(chorus: Chorus, method: str, url: str, **request: Any) -> str:
    async with chorus.session.request(method, url, **request) as answer:
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        return f"{headers}\n\n{await answer.text()}"


async def history_of(chorus: Chorus, run_id: str) -> str:
    """All that the task hub holds of a run and its calls: inputs, outputs, errors, and every event."""
    root = f"{chorus.base_url}/runtime/webhooks/durabletask/instances"
    shown = {"showHistory": "true", "showHistoryOutput": "true", "showInput": "true"}
    listed: list[JSON] = []
    for prefix in (run_id, children_prefix(run_id)):
        answered = await text_of(chorus, "GET", root, params={"instanceIdPrefix": prefix})
        listed += json.loads(answered.partition("\n\n")[2])
    ids = [instance["instanceId"] for instance in listed]
    assert any(instance["name"] == AGENT_ATTEMPT for instance in listed)
    return "\n".join([await text_of(chorus, "GET", f"{root}/{each}", params=shown) for each in ids])


async def test_no_key_trace_or_path_is_in_answers_or_history_and_no_prompt_in_the_log(chorus: Chorus) -> None:
    run_ids = await asyncio.gather(*(chorus.start(route, body) for route, body in requests()))
    results = await asyncio.gather(*(chorus.result(run_id) for run_id in run_ids))
    api = f"{chorus.base_url}/api"
    answers = [json.dumps(result) for result in results]
    for run_id in run_ids:
        answers.append(await text_of(chorus, "GET", f"{api}/runs/{run_id}"))
        answers.append(await text_of(chorus, "GET", f"{api}/runs/{run_id}/view"))
        answers.append(await text_of(chorus, "POST", f"{api}/runs/{run_id}/redrive"))
    refused = [await text_of(chorus, "POST", f"{api}/voting", json=body) for body in BAD_BODIES]
    histories = [await history_of(chorus, run_id) for run_id in run_ids]

    assert {outcome["error"]["code"] for outcome in results[0]["outcomes"] if outcome["error"]} >= {
        "rate_limited", "model_unavailable", "connection_failed", "not_authenticated", "content_filtered", "refused",
        "invalid_call",
    }  # fmt: skip
    assert PROMPT in "".join(histories)
    assert "agent_attempt" in "".join(histories)
    for text in [*answers, *refused]:
        assert [found for found in (KEY, "/runtime/webhooks", *TRACES) if found in text] == []
    for text in histories:
        assert [found for found in (KEY, *TRACES) if found in text] == []
    assert [found for found in (KEY, PROMPT, *TRACES[:2]) if found in chorus.host.output] == []
