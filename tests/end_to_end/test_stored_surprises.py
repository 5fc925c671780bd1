"""Runs in storage side by side, over two workers, stopped in their reduction, and without the containers they need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import JSON, verdict
from tests.end_to_end.stored import SINK, SOURCE, Stored, request, running_stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Pump {0} stopped. The seal of pump {0} was worn."
TREE = {"type": "tree", "agent": {"name": "editor", "instructions": "[[fault:slow:0.5]] Sum up."}, "max_fan_in": 5}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored() -> AsyncIterator[Stored]:
    async with running_stored(FUNCTIONS_WORKER_PROCESS_COUNT="2") as running:
        yield running


def put(stored: Stored, prefix: str, count: int) -> None:
    for n in range(count):
        stored.put(f"{prefix}{n:03d}.txt", TEXT.format(n))


async def in_its_reduction(stored: Stored, run_id: str) -> JSON:
    return await stored.chorus.until(run_id, lambda view: view["phase"] == "aggregation")


async def test_two_runs_at_once_keep_their_documents_apart(stored: Stored) -> None:
    assert len(stored.chorus.host.worker_pids) == 2
    put(stored, "left/", 60)
    put(stored, "right/", 80)
    first, second = await asyncio.gather(stored.run("left/"), stored.run("right/"))
    for result, prefix, count in ((first, "left/", 60), (second, "right/", 80)):
        assert verdict(result) == ("succeeded", "all_completed")
        ids = [line["id"] for line in stored.lines(result, "results")]
        assert ids == [f"{prefix}{n:03d}.txt" for n in range(count)]
        assert result["usage"]["model_calls"] == count


async def test_a_run_cancelled_in_its_reduction_keeps_its_documents(stored: Stored) -> None:
    put(stored, "late/", 30)
    run_id = await stored.chorus.start("map-reduce", request("late/", reduce=TREE))
    await in_its_reduction(stored, run_id)
    assert (await stored.chorus.delete(f"runs/{run_id}"))[0] == 202
    result = await stored.chorus.result(run_id)
    assert verdict(result) == ("cancelled", "cancelled")
    assert result["counts"]["succeeded"] == 30
    assert len(stored.lines(result, "results")) == 30


async def test_workers_killed_in_the_reduction_lose_nothing(stored: Stored) -> None:
    put(stored, "killed/", 30)
    run_id = await stored.chorus.start("map-reduce", request("killed/", reduce=TREE))
    await in_its_reduction(stored, run_id)
    for pid in stored.chorus.host.worker_pids:
        await asyncio.to_thread(stored.chorus.host.kill_worker, pid)
    result = await stored.chorus.result(run_id)
    assert verdict(result) == ("succeeded", "all_completed")
    assert result["output"]["calls_per_level"] == [6, 1, 1]  # of six answers five are read, then theirs and the sixth
    assert result["counts"]["succeeded"] == 30


async def test_a_source_that_is_deleted_under_the_run_fails_the_documents_not_read_yet(stored: Stored) -> None:
    for n in range(12):
        stored.put(f"{n:02d}.txt", f"[[fault:slow:0.2]] {TEXT.format(n)}", container="nothing-in-it")
    before = stored.chorus.model.calls
    given = request("", source={"container": "nothing-in-it"}, policy={"max_concurrency": 1, "attempts": 1})
    run_id = await stored.chorus.start("map-reduce", given)
    await stored.chorus.model_calls(lambda model: model.calls > before)
    stored.client.delete_container("nothing-in-it")
    result = await stored.chorus.result(run_id)
    assert verdict(result) == ("partial", "all_completed")
    lost = [(line["id"], line["error"]["code"]) for line in stored.lines(result, "failures")]
    assert {code for _, code in lost} == {"storage_forbidden"}  # or there is none: storage does not tell
    assert len(lost) == result["counts"]["failed"] == 12 - result["counts"]["succeeded"]


async def test_a_sink_that_is_deleted_under_the_run_ends_it_and_says_why(stored: Stored) -> None:
    for n in range(12):
        stored.put(f"sinkless/{n:02d}.txt", f"[[fault:slow:0.2]] {TEXT.format(n)}")
    before = stored.chorus.model.calls
    policy = {"max_concurrency": 1, "attempts": 1, "deadline_s": 60}
    run_id = await stored.chorus.start("map-reduce", request("sinkless/", policy=policy))
    await stored.chorus.model_calls(lambda model: model.calls > before)
    stored.client.delete_container(SINK)
    result = await stored.chorus.result(run_id)
    assert result["status"] == "failed"
    assert result["error"]["code"] == "files_not_written"
    stored.make(SINK)
    stored.make(SOURCE)
