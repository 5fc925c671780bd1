"""Ways to reduce from HTTP request to result."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.conftest import Chorus

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACTS = {
    "type": "object",
    "properties": {"found": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
    "required": ["found"],
    "additionalProperties": False,
}


def request(count: int, reduce: Any, **agent: Any) -> dict[str, Any]:
    documents = [{"id": f"d{n}", "content": f"Incident {n}: the disk was full. Nobody noticed."} for n in range(count)]
    return {"documents": documents, "map": {"instructions": "State the cause.", **agent}, "reduce": reduce}


async def test_a_tree_reads_all_documents_and_no_call_is_above_its_budget(chorus: Chorus) -> None:
    tree = {"type": "tree", "agent": {"instructions": "Sum up."}, "max_input_tokens": 2_000, "max_fan_in": 4}
    run_id = await chorus.start("map-reduce", request(18, tree))
    result = await chorus.result(run_id)
    assert result["status"] == "succeeded"
    assert result["output"]["reduction"] == "tree"
    assert result["output"]["calls_per_level"] == [5, 1, 1]
    assert len(result["output"]["documents"]) == 18
    calls = [*result["reductions"], result["aggregation"]]
    assert all(0 < call["usage"]["input_tokens"] <= 2_000 for call in calls)
    assert result["usage"]["model_calls"] == 25
    _, view, _ = await chorus.get(f"runs/{run_id}/view")
    assert [branch["name"] for branch in view["branches"][18:]] == [call["name"] for call in calls]
    assert view["progress"]["total"] == 18


async def test_records_become_csv_without_a_call(chorus: Chorus) -> None:
    table = {"type": "table", "format": "csv", "records": "found"}
    result = await chorus.run("map-reduce", request(3, table, output_schema=FACTS))
    header, *lines = result["output"]["content"].split("\r\n")[:-1]
    assert header == "document,found"
    assert [line.partition(",")[0] for line in lines] == [
        outcome["name"] for outcome in result["outcomes"] for _ in outcome["output"]["found"]
    ]
    assert result["usage"]["model_calls"] == 3


async def test_a_way_to_reduce_that_there_is_not_is_told_at_its_field(chorus: Chorus) -> None:
    status, problem, _ = await chorus.post("map-reduce", request(1, {"type": "refine", "agent": {}, "size": 1}))
    assert status == 400
    assert {error["path"] for error in problem["errors"]} == {"reduce.agent.instructions", "reduce.size"}
