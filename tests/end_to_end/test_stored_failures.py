"""Runs in storage when something goes wrong: with documents, with the storage, with the model, with a worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import verdict
from tests.end_to_end.stored import Stored, counts, request, running_stored

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Pump {0} stopped. The seal of pump {0} was worn."
OUTAGE_S = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored() -> AsyncIterator[Stored]:
    async with running_stored(in_memory=False) as running:
        yield running


async def test_a_blob_that_is_not_text_costs_its_own_answer(stored: Stored) -> None:
    stored.put("mixed/a.txt", TEXT.format(1))
    stored.put("mixed/b.txt", bytes(range(256)) * 40)
    stored.put("mixed/c.txt", b"")
    stored.put("mixed/d.txt", TEXT.format(2))
    result = await stored.run("mixed/")
    assert verdict(result) == ("partial", "all_completed")
    assert result["missing"] == ["mixed/b.txt", "mixed/c.txt"]
    failures = stored.lines(result, "failures")
    assert [(line["id"], line["error"]["code"]) for line in failures] == [
        ("mixed/b.txt", "document_unreadable"),
        ("mixed/c.txt", "document_unreadable"),
    ]
    assert result["usage"]["model_calls"] == 2


async def test_a_blob_that_is_deleted_or_changed_under_the_run_is_named(stored: Stored) -> None:
    for n in range(12):
        stored.put(f"moving/{n:02d}.txt", f"[[fault:slow:0.2]] {TEXT.format(n)}")
    before = stored.chorus.model.calls
    run_id = await stored.chorus.start("map-reduce", request("moving/", policy={"max_concurrency": 1}))
    await stored.chorus.model_calls(lambda model: model.calls > before)
    stored.delete("moving/10.txt")
    stored.put("moving/11.txt", "Another text altogether.")
    result = await stored.chorus.result(run_id)
    codes = {line["id"]: line["error"]["code"] for line in stored.lines(result, "failures")}
    assert codes == {"moving/10.txt": "document_gone", "moving/11.txt": "document_changed"}
    assert result["counts"]["succeeded"] == 10


async def test_storage_that_goes_away_for_seconds_loses_nothing(stored: Stored) -> None:
    for n in range(60):
        stored.put(f"outage/{n:02d}.txt", TEXT.format(n))
    before = stored.chorus.model.calls
    run_id = await stored.chorus.start("map-reduce", request("outage/", policy={"max_concurrency": 2}))
    await stored.chorus.model_calls(lambda model: model.calls > before + 5)
    stored.azurite.stop()
    await asyncio.sleep(OUTAGE_S)
    stored.azurite.start()
    result = await stored.chorus.result(run_id)
    assert verdict(result) == ("succeeded", "all_completed")
    assert len(stored.lines(result, "results")) == 60
    assert result["usage"]["model_calls"] >= 60


async def test_a_redrive_runs_what_was_missing_and_keeps_the_rest_byte_for_byte(stored: Stored) -> None:
    for n in range(40):
        marker = "[[fault:bad-request*1]] " if n % 10 == 3 else ""
        stored.put(f"again/{n:02d}.txt", marker + TEXT.format(n))
    first = await stored.run("again/")
    assert verdict(first) == ("partial", "all_completed")
    lost = [f"again/{n:02d}.txt" for n in (3, 13, 23, 33)]
    assert first["missing"] == lost
    before = stored.chorus.model.calls
    second = await stored.redriven(first["id"])
    assert verdict(second) == ("succeeded", "all_completed")
    assert stored.chorus.model.calls - before == 4
    assert counts(second) == {"documents": 40, "works": 40, "succeeded": 40, "failed": 0, "reused": 36}
    assert second["redrive_of"] == first["id"]
    kept = {line["id"]: line for line in stored.lines(first, "results")}
    again = {line["id"]: line for line in stored.lines(second, "results")}
    assert sorted(again) == [f"again/{n:02d}.txt" for n in range(40)]
    assert {name: json.dumps(again[name]) for name in kept} == {name: json.dumps(kept[name]) for name in kept}


async def test_a_cancelled_run_keeps_what_it_has_and_can_be_redriven(stored: Stored) -> None:
    for n in range(80):
        stored.put(f"cancel/{n:02d}.txt", ("[[fault:hang*1]] " if 30 <= n < 50 else "") + TEXT.format(n))
    before = stored.chorus.model.calls
    run_id = await stored.chorus.start("map-reduce", request("cancel/", policy={"max_concurrency": 20}))
    await stored.chorus.model_calls(lambda model: model.calls >= before + 50)
    status, _ = await stored.chorus.delete(f"runs/{run_id}")
    assert status == 202
    first = await stored.chorus.result(run_id)
    assert verdict(first) == ("cancelled", "cancelled")
    assert first["counts"]["succeeded"] == 30
    second = await stored.redriven(run_id)
    assert verdict(second) == ("succeeded", "all_completed")
    assert second["counts"]["reused"] == 30
    assert len(stored.lines(second, "results")) == 80


async def test_a_killed_worker_loses_and_doubles_nothing(stored: Stored) -> None:
    for n in range(150):
        stored.put(f"crash/{n:03d}.txt", TEXT.format(n))
    before = stored.chorus.model.calls
    run_id = await stored.chorus.start("map-reduce", request("crash/", policy={"max_concurrency": 10}))
    for share in (30, 80):
        await stored.chorus.model_calls(lambda model, share=share: model.calls >= before + share)
        await asyncio.to_thread(stored.chorus.host.kill_worker, stored.chorus.host.worker_pids[0])
    result = await stored.chorus.result(run_id)
    assert verdict(result) == ("succeeded", "all_completed")
    assert result["counts"]["succeeded"] == 150
    lines = stored.lines(result, "results")
    assert [line["id"] for line in lines] == [f"crash/{n:03d}.txt" for n in range(150)]
