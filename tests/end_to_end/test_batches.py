"""Batches of inline documents on the whole app."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Machine {0} failed. The cause was part {0}{0}."


def request(count: int, batch_size: int, **fields: object) -> JSON:
    documents = [{"id": f"d{number}", "content": TEXT.format(number)} for number in range(count)]
    return {
        "documents": documents,
        "map": {"instructions": "State the cause."},
        "reduce": "concatenate",
        "batch_size": batch_size,
        **fields,
    }


async def test_a_batch_is_one_call_and_each_document_has_its_own_answer(chorus: Chorus) -> None:
    body, before = request(10, 4), chorus.model.calls
    alone = await chorus.run("map-reduce", {**body, "batch_size": 1})
    assert chorus.model.calls - before == 10
    together = await chorus.run("map-reduce", body)
    assert chorus.model.calls - before == 10 + 3
    _, estimate, _ = await chorus.post("map-reduce/estimate", body)
    assert (estimate["branches"], estimate["model_calls"]["expected"]) == (10, 3)

    assert verdict(together) == ("succeeded", "all_completed")
    assert [told["output"] for told in together["outcomes"]] == [told["output"] for told in alone["outcomes"]]
    assert [told["batch"] for told in together["outcomes"]] == [f"~batch-{number // 4 + 1}" for number in range(10)]
    assert together["usage"]["model_calls"] == 3
    assert together["usage"]["total_tokens"] == sum(told["usage"]["total_tokens"] for told in together["outcomes"])
    assert together["output"] == alone["output"]
    _, view, _ = await chorus.get(f"runs/{together['id']}/view")
    assert [branch["name"] for branch in view["branches"]] == [f"d{number}" for number in range(10)]
    assert view["progress"] == {"total": 10, "done": 10, "succeeded": 10, "failed": 0, "running": 0, "reused": 0}


async def test_a_document_that_a_filter_stops_costs_the_others_of_its_batch_nothing_and_is_redriven(
    chorus: Chorus,
) -> None:
    body = request(5, 5)
    body["documents"][2]["content"] += " [[fault:bad-request*1]] in its batch, and alone"
    first = await chorus.run("map-reduce", body)
    assert verdict(first) == ("partial", "all_completed")
    assert (first["missing"], first["usage"]["model_calls"]) == (["d2"], 1 + 5)
    assert [told["attempts"] for told in first["outcomes"]] == [2] * 5

    status, accepted, _ = await chorus.post(f"runs/{first['id']}/redrive", None)
    assert status == 202, accepted
    second = await chorus.result(accepted["id"])
    assert verdict(second) == ("succeeded", "all_completed")
    assert second["usage"]["model_calls"] == 1
    for name in second["reused"]:
        assert json.dumps(outcomes_of(second)[name]) == json.dumps(outcomes_of(first)[name])
    assert second["reused"] == ["d0", "d1", "d3", "d4"]


async def test_a_batch_under_way_is_shown_by_its_documents(chorus: Chorus) -> None:
    body = request(4, 2)
    body["documents"][3]["content"] += " [[fault:hang*1]] shown"
    run_id = await chorus.start("map-reduce", body)
    view = await chorus.until(run_id, lambda view: view["progress"]["done"] == 2 and view["progress"]["running"] == 2)
    assert [(branch["name"], branch["status"]) for branch in view["branches"]] == [
        ("d0", "succeeded"), ("d1", "succeeded"), ("d2", "running"), ("d3", "running"),
    ]  # fmt: skip
    await chorus.terminate(run_id)
    dead = await chorus.result(run_id)
    assert verdict(dead) == ("cancelled", "cancelled")
    assert [told["status"] for told in dead["outcomes"]] == ["succeeded"] * 2 + ["cancelled"] * 2
