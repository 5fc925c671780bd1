"""A thousand documents under a completion policy, and a reduction of two thousand outputs, on the whole app."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import verdict
from tests.end_to_end.stored import Stored, counts, running_stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENTS = 1_000
FAILING = [n for n in range(DOCUMENTS) if n % 100 in {7, 41, 83}]
BUDGET_TOKENS = 2_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored() -> AsyncIterator[Stored]:
    async with running_stored() as running:
        for folder, marker in (("tolerated/", "bad-request"), ("mended/", "bad-request*1")):
            for n in range(DOCUMENTS):
                told = f"[[fault:{marker}]] " if n in FAILING else ""
                running.put(f"{folder}{n:04d}.txt", f"{told}Machine {n} stopped. Its belt was torn.")
        yield running


async def test_failures_within_the_tolerance_are_listed_exactly(stored: Stored) -> None:
    policy = {"tolerated_failure_percentage": 5, "max_concurrency": 50}
    result = await stored.run("tolerated/", policy=policy)
    assert verdict(result) == ("partial", "all_completed")
    lost = [f"tolerated/{n:04d}.txt" for n in FAILING]
    assert result["missing"] == lost
    assert [line["id"] for line in stored.lines(result, "failures")] == lost
    assert counts(result) == {"documents": 1_000, "works": 1_000, "succeeded": 970, "failed": 30, "reused": 0}


async def test_beyond_it_the_run_stops_early_and_a_redrive_completes_it(stored: Stored) -> None:
    model = stored.chorus.model
    before = model.calls
    first = await stored.run("mended/", policy={"tolerated_failure_percentage": 1, "max_concurrency": 50})
    assert verdict(first) == ("failed", "failure_tolerance_exceeded")
    spent = model.calls - before
    assert spent < 700, "it stopped once 11 had failed"
    done = first["counts"]["succeeded"]
    assert 0 < done < spent
    before = model.calls
    second = await stored.redriven(first["id"], {"policy": {"max_concurrency": 50}})
    failed_anew = DOCUMENTS - second["counts"]["succeeded"]
    assert model.calls - before == DOCUMENTS - done
    assert second["counts"]["reused"] == done
    third = await stored.redriven(second["id"]) if failed_anew else second
    assert verdict(third) == ("succeeded", "all_completed")
    assert len(stored.lines(third, "results")) == DOCUMENTS


async def test_a_tree_over_two_thousand_outputs_keeps_to_its_budget(stored: Stored) -> None:
    lines = "".join(f'{{"text": "Incident {n}. The cause was part {n} of line {n % 7}."}}\n' for n in range(2_000))
    stored.put("tree/all.jsonl", lines)
    tree = {"type": "tree", "agent": {"instructions": "Sum up."}, "max_input_tokens": BUDGET_TOKENS}
    stored.chorus.model.reset(seed=1)
    result = await stored.run("tree/", source={"format": "jsonl"}, reduce=tree, policy={"max_concurrency": 50})
    assert verdict(result) == ("succeeded", "all_completed")
    levels = result["output"]["calls_per_level"]
    assert len(levels) >= 3
    assert levels[-1] == 1
    assert result["usage"]["model_calls"] == 2_000 + sum(levels)
    assert stored.chorus.model.calls == 2_000 + sum(levels)
