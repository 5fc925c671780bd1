"""A thousand documents under a completion policy, and a reduction of two thousand outputs, on the whole app."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import verdict
from tests.end_to_end.stored import Stored, counts, running_stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTS = 1_000
FAILING = [n for n in range(1, DOCUMENTS + 1) if n % 100 in {7, 41, 83}]
"""3 %. The eleventh, with which more than 1 % have failed, is number 341."""
JSONL = {"format": "jsonl"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored() -> AsyncIterator[Stored]:
    async with running_stored() as running:
        running.put("machines/all.jsonl", "".join(line(n) for n in range(1, DOCUMENTS + 1)))
        yield running


def line(number: int) -> str:
    told = "[[fault:bad-request]] " if number in FAILING else ""
    return json.dumps({"text": f"{told}Machine {number} stopped. Its belt was torn."}) + "\n"


async def test_failures_within_the_tolerance_are_listed_exactly(stored: Stored) -> None:
    policy = {"tolerated_failure_percentage": 5, "max_concurrency": 100}
    result = await stored.run("machines/", source=JSONL, policy=policy)
    assert verdict(result) == ("partial", "all_completed")
    lost = [f"machines/all.jsonl#{n}" for n in FAILING]
    assert result["missing"] == lost
    assert [line["id"] for line in stored.lines(result, "failures")] == lost
    assert counts(result) == {"documents": 1_000, "works": 1_000, "succeeded": 970, "failed": 30, "reused": 0}


async def test_beyond_it_the_run_stops_early_and_a_redrive_completes_it(stored: Stored) -> None:
    model = stored.chorus.model
    before = model.calls
    policy = {"tolerated_failure_percentage": 1, "max_concurrency": 50}
    first = await stored.run("machines/", source=JSONL, policy=policy)
    spent = model.calls - before
    assert verdict(first) == ("failed", "failure_tolerance_exceeded")
    assert FAILING[10] <= spent < 500, "it stopped once 11 had failed"
    done = first["counts"]["succeeded"]
    assert 0 < done < spent

    model.directed_faults = False
    before = model.calls
    second = await stored.redriven(first["id"], {"policy": {"max_concurrency": 100}})
    model.directed_faults = True
    assert verdict(second) == ("succeeded", "all_completed")
    assert model.calls - before == DOCUMENTS - done
    assert (second["counts"]["succeeded"], second["counts"]["reused"]) == (DOCUMENTS, done)
    assert [line["id"] for line in stored.lines(second, "results")] == [
        f"machines/all.jsonl#{n}" for n in range(1, DOCUMENTS + 1)
    ]


# The tree of two thousand outputs, on paper. Sizes are in bytes, which are characters here; a token is four.
#
# A call may have 2,000 tokens. The reducer's instructions have 8 + 9 + 402 + 2 bytes, and with two line feeds and the
# notice about material (147) 570: 143 tokens. That leaves (2,000 - 143) * 4 = 7,428 bytes for a prompt, and without the
# 400 that are kept for its scope 7,028 of blocks, with 2 bytes between two of them.
#
# - Level 1: a block is `<answer name="tree/all.jsonl#N">`, a line feed, 255 bytes, a line feed and `</answer>`, 297 and
#   one to four digits: 298 to 301. 23 of them have at most 23 * 301 + 22 * 2 = 6,967, 24 at least 7,198: 23 a call.
# - Level 2: `<answer name="tree/all.jsonl#N to tree/all.jsonl#M" documents="23">` with an answer of 402 bytes has
#   480 to 486. 14 of them have at most 14 * 486 + 13 * 2 = 6,830, 15 at least 7,228: 14 a call.
# - Level 3: what is left has less than 7 * 490 and is read at once.
OUTPUTS = 2_000
BUDGET_TOKENS = 2_000
CALLS = [87, 7, 1]
"""2,000 / 23 = 86.96, 87 / 14 = 6.2, and one."""
BATCH = 10


def directed(answer: Any) -> str:
    """What makes the model answer this."""
    return f"[[answer:{json.dumps(answer)}]]"


async def test_a_tree_over_two_thousand_outputs_keeps_to_its_budget(stored: Stored) -> None:
    stored.put("tree/all.jsonl", "".join(f'{{"text": "Incident {n}."}}\n' for n in range(OUTPUTS)))
    answers = [{"number": number, "answer": "o" * 255} for number in range(1, BATCH + 1)]
    reducer = {"instructions": f"Sum up. {directed('r' * 400)}"}
    model = stored.chorus.model
    model.reset()
    result = await stored.run(
        "tree/",
        source=JSONL,
        batch_size=BATCH,
        map={"instructions": directed({"answers": answers})},
        reduce={"type": "tree", "agent": reducer, "max_input_tokens": BUDGET_TOKENS},
        policy={"max_concurrency": 100},
    )
    assert verdict(result) == ("succeeded", "all_completed")
    assert result["counts"]["succeeded"] == OUTPUTS
    assert result["output"]["calls_per_level"] == CALLS
    assert result["output"]["documents"] == OUTPUTS
    assert model.calls == result["usage"]["model_calls"] == OUTPUTS // BATCH + sum(CALLS)

    inputs = list(model.statistics.latest_inputs)
    levels = [inputs[-95:-8], inputs[-8:-1], inputs[-1:]]
    assert [len(level) for level in levels] == CALLS
    assert 0.95 * BUDGET_TOKENS < max(map(max, levels)) <= BUDGET_TOKENS
