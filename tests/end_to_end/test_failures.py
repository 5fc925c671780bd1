"""Runs whose branches fail: nothing that succeeded is lost, and every failure says which and why."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import JSON, Chorus, seconds

pytestmark = pytest.mark.asyncio(loop_scope="module")

BRANCH_TIMEOUT_S = 8.0

FAULTS = {
    "throttled": "[[fault:throttle]]",
    "broken": "[[fault:error]]",
    "hung": "[[fault:hang]]",
    "garbled": "[[fault:malformed]]",
    "rejected": "[[fault:bad-request]]",
    "cut": "[[fault:cut]]",
}
SCHEMA = {
    "type": "object",
    "properties": {"summary": {"type": "string"}},
    "required": ["summary"],
    "additionalProperties": False,
}


def twenty_sections(**policy: object) -> JSON:
    """Fourteen sections that succeed and six that fail, each in its own way."""
    good = [{"name": f"good-{number}", "instructions": "Summarise."} for number in range(14)]
    bad = [
        {"name": name, "agent": {"instructions": f"Summarise. {marker}", "output_schema": SCHEMA}}
        for name, marker in FAULTS.items()
    ]
    return {
        "input": "The service was down for an hour. The cause was a full disk.",
        "sections": [*good[:7], *bad, *good[7:]],
        "policy": {"branch_timeout_s": BRANCH_TIMEOUT_S, **policy},
    }


async def test_six_failing_branches_of_twenty_leave_fourteen_outputs_and_six_errors(chorus: Chorus) -> None:
    result = await chorus.run("sectioning", twenty_sections())
    outcomes = {outcome["name"]: outcome for outcome in result["outcomes"]}
    assert (result["status"], result["completion_reason"]) == ("partial", "all_completed")
    assert sum(outcome["status"] == "succeeded" for outcome in outcomes.values()) == 14
    assert result["missing"] == list(FAULTS)
    errors = {name: (outcomes[name]["status"], outcomes[name]["error"]["code"]) for name in FAULTS}
    assert errors.pop("hung")[0] == "timed_out"
    assert errors == {
        "throttled": ("failed", "rate_limited"),
        "broken": ("failed", "model_unavailable"),
        "garbled": ("failed", "invalid_output"),
        "rejected": ("failed", "invalid_call"),
        "cut": ("failed", "connection_failed"),
    }
    attempts = {name: outcomes[name]["attempts"] for name in FAULTS}
    assert attempts == {"throttled": 3, "broken": 3, "hung": 1, "garbled": 1, "rejected": 1, "cut": 3}
    assert outcomes["garbled"]["usage"]["model_calls"] == 2
    assert all(outcomes[name]["error"]["message"] for name in FAULTS)
    assert result["output"]["aggregation"] == "synthesize"
    assert BRANCH_TIMEOUT_S <= seconds(result) < BRANCH_TIMEOUT_S * 1.5


async def test_a_missed_policy_fails_the_run_and_keeps_every_outcome(chorus: Chorus) -> None:
    result = await chorus.run("sectioning", twenty_sections(min_successful=20, attempts=1))
    assert (result["status"], result["completion_reason"]) == ("failed", "failure_tolerance_exceeded")
    assert len(result["outcomes"]) == 20
    assert {outcome["status"] for outcome in result["outcomes"]} == {"succeeded", "failed", "cancelled"}
    assert all((outcome["output"] is None) == (outcome["error"] is not None) for outcome in result["outcomes"])
    assert result["output"] is None
    assert seconds(result) < BRANCH_TIMEOUT_S / 2


async def test_a_branch_that_is_throttled_twice_succeeds_at_the_third_attempt(chorus: Chorus) -> None:
    section = {"name": "s", "instructions": "Summarise. [[fault:throttle*2]]"}
    result = await chorus.run("sectioning", {"input": "Material.", "sections": [section], "aggregation": "concatenate"})
    outcome = result["outcomes"][0]
    assert (outcome["status"], outcome["attempts"], outcome["usage"]["model_calls"]) == ("succeeded", 3, 3)


async def test_a_deadline_ends_the_run_with_what_it_has(chorus: Chorus) -> None:
    body = {
        "input": "Material.",
        "sections": [
            {"name": "quick", "instructions": "Summarise."},
            {"name": "hung", "instructions": "Summarise. [[fault:hang]]"},
        ],
        "policy": {"deadline_s": 2},
    }
    result = await chorus.run("sectioning", body)
    assert (result["status"], result["completion_reason"]) == ("partial", "deadline_exceeded")
    assert [outcome["status"] for outcome in result["outcomes"]] == ["succeeded", "timed_out"]
    assert (result["output"]["requested"], result["output"]["aggregation"]) == ("synthesize", "concatenate")
    assert seconds(result) < 4


async def test_a_cancelled_run_ends_with_what_it_has(chorus: Chorus) -> None:
    sections = [{"name": "quick", "instructions": "Summarise."}] + [
        {"name": f"hung-{number}", "instructions": "Summarise. [[fault:hang]]"} for number in range(5)
    ]
    run_id = await chorus.start(
        "sectioning", {"input": "Material.", "sections": sections, "policy": {"max_concurrency": 3}}
    )
    await chorus.until(run_id, lambda view: view["progress"]["done"] == 1 and view["progress"]["running"] == 3)
    status, _ = await chorus.delete(f"runs/{run_id}")
    assert status == 202
    result = await chorus.result(run_id)
    assert (result["status"], result["completion_reason"]) == ("cancelled", "cancelled")
    assert [outcome["status"] for outcome in result["outcomes"]] == ["succeeded"] + ["cancelled"] * 5
    assert "before the branch started" in result["outcomes"][-1]["error"]["message"]
    status, problem = await chorus.delete(f"runs/{run_id}")
    assert (status, problem["code"]) == (409, "run_already_ended")


async def test_a_failed_synthesis_leaves_the_sections(chorus: Chorus) -> None:
    body = {
        "input": "Material.",
        "sections": [{"name": "a", "instructions": "Summarise."}, {"name": "b", "instructions": "Summarise."}],
        "synthesizer": {"instructions": "Write. [[fault:bad-request]]"},
    }
    result = await chorus.run("sectioning", body)
    assert (result["status"], result["completion_reason"]) == ("partial", "aggregation_failed")
    assert result["aggregation"]["error"]["code"] == "invalid_call"
    assert "## a" in result["output"]["content"]
    assert result["missing"] == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"sections": []}, "input"),
        ({"input": "x", "sections": []}, "sections"),
        ({"input": "x", "sections": [{"name": "a/b", "instructions": "y"}]}, "sections[0].name"),
        ({"input": "x", "sections": [{"name": "a", "instructions": "y", "colour": 1}]}, "sections[0].colour"),
        (
            {"input": "x", "sections": [{"name": "a", "instructions": "y"}], "policy": {"attempts": "3"}},
            "policy.attempts",
        ),
    ],
)
async def test_a_bad_request_is_a_problem_with_the_fields_path(chorus: Chorus, body: JSON, path: str) -> None:
    status, problem, headers = await chorus.post("sectioning", body)
    assert status == 400
    assert headers["Content-Type"].startswith("application/problem+json")
    assert path in [error["path"] for error in problem["errors"]]


async def test_an_unknown_run_is_not_found(chorus: Chorus) -> None:
    for route in ("runs/" + "0" * 32, "runs/nonsense", "runs/" + "0" * 32 + "/view"):
        status, problem, _ = await chorus.get(route)
        assert (status, problem["code"]) == (404, "run_not_found")
