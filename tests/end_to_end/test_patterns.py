"""Each pattern from HTTP request to result."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import Chorus

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY = (
    "Employees may work from home two days a week. Managers approve exceptions in writing. Personal data must stay "
    "within the European Union. Laptops must be encrypted. Contractors are not mentioned anywhere in this policy. "
    "The retention period for access logs is 30 days in one section and 90 days in another."
)


async def test_sections_are_answered_and_synthesized(chorus: Chorus) -> None:
    sections = [
        {"name": name, "instructions": f"List the {name} in the policy."} for name in ("risks", "gaps", "duties")
    ]
    status, accepted, headers = await chorus.post("sectioning", {"input": POLICY, "sections": sections})
    assert status == 202
    assert headers["Location"] == accepted["status_url"] == f"{chorus.base_url}/api/runs/{accepted['id']}"
    assert int(headers["Retry-After"]) > 0

    result = await chorus.result(accepted["id"])
    assert (result["status"], result["completion_reason"]) == ("succeeded", "all_completed")
    assert [outcome["name"] for outcome in result["outcomes"]] == ["risks", "gaps", "duties"]
    assert result["output"]["aggregation"] == "synthesize"
    assert result["output"]["content"].strip()
    assert result["aggregation"]["name"] == "~synthesis"
    assert result["usage"]["model_calls"] == 4
    tokens = sum(outcome["usage"]["total_tokens"] for outcome in [*result["outcomes"], result["aggregation"]])
    assert result["usage"]["total_tokens"] == tokens > 0
    assert result["started_at"] < result["ended_at"]


async def test_sections_can_be_merged_field_by_field(chorus: Chorus) -> None:
    schema = {
        "type": "object",
        "properties": {"findings": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
        "required": ["findings"],
        "additionalProperties": False,
    }
    sections = [
        {"name": name, "agent": {"instructions": f"Find {name}.", "output_schema": schema}}
        for name in ("gaps", "risks")
    ]
    result = await chorus.run("sectioning", {"input": POLICY, "sections": sections, "aggregation": "merge"})
    findings = [finding for outcome in result["outcomes"] for finding in outcome["output"]["findings"]]
    assert result["output"]["content"]["findings"] == list(dict.fromkeys(findings))
    assert result["aggregation"] is None


async def test_voters_decide_by_majority(chorus: Chorus) -> None:
    body = {
        "question": "Is this policy ready to be published?",
        "context": POLICY,
        "voters": 5,
        "ballot": {"type": "choice", "options": ["yes", "no"]},
    }
    result = await chorus.run("voting", body)
    output = result["output"]
    assert result["status"] == "succeeded"
    assert (output["asked"], output["counted"]) == (5, 5)
    assert output["outcome"] == "decided"
    assert output["decision"] in {"yes", "no"}
    assert sum(line["score"] for line in output["tally"]) == 5
    assert [ballot["voter"] for ballot in output["ballots"]] == [f"voter-{number}" for number in range(1, 6)]
    assert all(ballot["reasoning"] for ballot in output["ballots"])
    assert all(ballot["evidence"][0] in " ".join(POLICY.split()) for ballot in output["ballots"])


async def test_documents_are_mapped_and_reduced(chorus: Chorus) -> None:
    documents = [
        {"id": f"incident-{number}", "content": f"{POLICY} Incident {number}: the database ran out of connections."}
        for number in range(1, 8)
    ]
    body = {
        "documents": documents,
        "map": {"instructions": "State the cause of the incident."},
        "reduce": {"instructions": "Summarise the causes of all incidents."},
    }
    result = await chorus.run("map-reduce", body)
    assert result["status"] == "succeeded"
    assert [outcome["name"] for outcome in result["outcomes"]] == [document["id"] for document in documents]
    assert result["output"]["reduction"] == "agent"
    assert result["output"]["documents"] == [document["id"] for document in documents]
    assert result["output"]["content"].strip()


async def test_a_document_is_split_and_its_missing_part_is_redriven(chorus: Chorus) -> None:
    lines = [f"Line {number} of the log." for number in range(1, 8)]
    lines[4] += " [[fault:bad-request*1]] split"
    body = {
        "documents": [{"id": "log", "content": "\n".join(lines)}, {"id": "note", "content": "A short note."}],
        "split": {"by": "lines", "size": 3},
        "map": {"instructions": "Summarise."},
        "reduce": {"instructions": "Sum up."},
    }
    first = await chorus.run("map-reduce", body)
    assert [outcome["name"] for outcome in first["outcomes"]] == ["log+1", "log+2", "log+3", "note"]
    assert (first["status"], first["missing"]) == ("partial", ["log+2"])
    assert first["output"]["documents"] == ["note"]
    assert first["output"]["incomplete"] == [{"document": "log", "missing": [2], "of": 3}]

    _, accepted, _ = await chorus.post(f"runs/{first['id']}/redrive", None)
    second = await chorus.result(accepted["id"])
    assert (second["status"], second["reused"]) == ("succeeded", ["log+1", "log+3", "note"])
    assert second["output"]["documents"] == ["log", "note"]
    assert second["output"]["chunks"] == first["output"]["chunks"]


async def test_branches_beyond_the_window_wait_for_a_place(chorus: Chorus) -> None:
    chorus.model.reset()
    body = {
        "input": "[[fault:slow:0.05]] Twelve sections, three at a time.",
        "sections": [{"name": f"s{number}", "instructions": "Summarise."} for number in range(12)],
        "aggregation": "concatenate",
        "policy": {"max_concurrency": 3},
    }
    result = await chorus.run("sectioning", body)
    assert result["status"] == "succeeded"
    assert chorus.model.highest_concurrency == 3
    assert [outcome["name"] for outcome in result["outcomes"]] == [f"s{number}" for number in range(12)]


async def test_the_view_tells_of_branches_while_they_run(chorus: Chorus) -> None:
    body = {
        "input": "Material.",
        "sections": [
            {"name": "quick", "instructions": "Summarise."},
            {"name": "slow", "instructions": "Summarise. [[fault:slow:1.5]]"},
        ],
    }
    run_id = await chorus.start("sectioning", body)
    view = await chorus.until(run_id, lambda view: view["progress"]["done"] == 1)
    assert (view["status"], view["phase"]) == ("running", "branches")
    assert view["progress"] == {"total": 2, "done": 1, "succeeded": 1, "failed": 0, "running": 1, "reused": 0}
    assert {branch["name"]: branch["status"] for branch in view["branches"]} == {
        "quick": "succeeded",
        "slow": "running",
    }
    assert view["usage"]["total_tokens"] > 0
    await chorus.result(run_id)
    _, view, _ = await chorus.get(f"runs/{run_id}/view")
    assert (view["status"], view["phase"], view["progress"]["done"]) == ("succeeded", "done", 2)


async def test_json_that_looks_like_a_python_object_passes_through_unharmed(chorus: Chorus) -> None:
    keys = ["__class__", "__module__", "__data__"]
    inner = {
        "type": "object",
        "properties": {key: {"type": "string", "minLength": 1} for key in keys},
        "required": keys,
        "additionalProperties": False,
    }
    schema = {"type": "object", "properties": {"found": inner}, "required": ["found"], "additionalProperties": False}
    agent = {"instructions": "Extract.", "output_schema": schema}
    result = await chorus.run(
        "sectioning",
        {"input": POLICY, "sections": [{"name": "s", "agent": agent}], "aggregation": "merge"},
    )
    assert result["status"] == "succeeded"
    assert set(result["outcomes"][0]["output"]["found"]) == set(keys)
