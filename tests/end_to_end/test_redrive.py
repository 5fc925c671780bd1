"""Redrive on the whole app: what succeeded is reused byte for byte, only the rest runs."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

MATERIAL = "The disk was full. Nobody looked."


def sections(*instructions: str, aggregation: str = "concatenate", **policy: object) -> JSON:
    named = [{"name": f"s{n}", "instructions": f"Summarise. {text}"} for n, text in enumerate(instructions)]
    return {"input": MATERIAL, "sections": named, "aggregation": aggregation, "policy": policy}


async def redrive(chorus: Chorus, run_id: str, body: JSON | None = None) -> JSON:
    status, accepted, headers = await chorus.post(f"runs/{run_id}/redrive", body)
    assert status == 202, accepted
    assert accepted["redrive_of"] == run_id
    assert headers["Location"] == accepted["status_url"]
    assert accepted["status_url"].endswith(f"/api/runs/{accepted['id']}")
    return await chorus.result(accepted["id"])


async def test_only_what_did_not_succeed_runs_again(chorus: Chorus) -> None:
    first = await chorus.run("sectioning", sections("", "[[fault:bad-request*1]] b", "", aggregation="synthesize"))
    assert verdict(first) == ("partial", "all_completed")
    before = chorus.model.calls

    second = await redrive(chorus, first["id"])

    assert verdict(second) == ("succeeded", "all_completed")
    assert chorus.model.calls - before == 2, "the section that had failed, and the synthesis"
    assert second["redrive_of"] == first["id"]
    assert second["reused"] == ["s0", "s2"]
    for name in second["reused"]:
        assert json.dumps(outcomes_of(second)[name]) == json.dumps(outcomes_of(first)[name])
    assert [outcome["name"] for outcome in second["outcomes"]] == ["s0", "s1", "s2"]
    own = outcomes_of(second)["s1"]["usage"]["total_tokens"] + second["aggregation"]["usage"]["total_tokens"]
    assert second["usage"]["total_tokens"] == own
    assert "## s0" not in second["output"]["content"]


async def test_a_redrive_can_be_redriven(chorus: Chorus) -> None:
    first = await chorus.run(
        "sectioning", sections("", "[[fault:bad-request*2]] twice", "[[fault:bad-request*1]] once")
    )
    second = await redrive(chorus, first["id"])
    third = await redrive(chorus, second["id"])
    assert (first["missing"], second["missing"], third["missing"]) == (["s1", "s2"], ["s1"], [])
    assert (second["redrive_of"], third["redrive_of"]) == (first["id"], second["id"])
    assert third["reused"] == ["s0", "s2"]
    assert outcomes_of(third)["s0"] == outcomes_of(first)["s0"]
    assert outcomes_of(third)["s2"] == outcomes_of(second)["s2"]


async def test_a_redrive_may_change_the_policy(chorus: Chorus) -> None:
    first = await chorus.run("sectioning", sections("", "[[fault:error*2]] policy", attempts=1))
    again = await redrive(chorus, first["id"])
    changed = await redrive(chorus, again["id"], {"policy": {"attempts": 2, "deadline_s": 50}})
    assert [run["status"] for run in (first, again, changed)] == ["partial", "partial", "succeeded"]
    assert (again["policy"]["attempts"], changed["policy"]["attempts"], changed["policy"]["deadline_s"]) == (1, 2, 50)


async def test_a_failed_aggregation_alone_runs_again(chorus: Chorus) -> None:
    body = sections("", "", aggregation="synthesize")
    body["synthesizer"] = {"instructions": "Write. [[fault:bad-request*1]] alone"}
    first = await chorus.run("sectioning", body)
    before = chorus.model.calls
    second = await redrive(chorus, first["id"])
    assert (first["completion_reason"], second["status"]) == ("aggregation_failed", "succeeded")
    assert chorus.model.calls - before == 1
    assert second["reused"] == ["s0", "s1"]


async def test_votes_and_documents_are_reused_too(chorus: Chorus) -> None:
    jury = [{"name": f"v{n}", "instructions": "Vote."} for n in range(2)]
    jury.append({"name": "late", "instructions": "Vote. [[fault:bad-request*1]] late"})
    question = {"question": "Is the disk full?", "voters": jury, "ballot": {"type": "choice", "options": ["yes", "no"]}}
    first = await chorus.run("voting", question)
    second = await redrive(chorus, first["id"])
    assert (first["output"]["counted"], second["output"]["counted"]) == (2, 3)
    assert second["reused"] == ["v0", "v1"]

    documents = [{"id": "d0", "content": MATERIAL}, {"id": "d1", "content": f"{MATERIAL} [[fault:bad-request*1]]"}]
    agents = {"map": {"instructions": "Summarise."}, "reduce": {"instructions": "Sum up."}}
    first = await chorus.run("map-reduce", {"documents": documents, **agents})
    second = await redrive(chorus, first["id"])
    assert (first["missing"], second["missing"], second["reused"]) == (["d1"], [], ["d0"])
    assert second["output"]["documents"] == ["d0", "d1"]


async def test_a_run_out_of_budget_goes_on_with_another(chorus: Chorus) -> None:
    body = sections("", "", "", max_concurrency=1, max_total_tokens=20)
    first = await chorus.run("sectioning", body)
    second = await redrive(chorus, first["id"], {"policy": {"max_concurrency": 1}})
    assert verdict(first) == ("partial", "budget_exhausted")
    assert verdict(second) == ("succeeded", "all_completed")


async def test_a_cancelled_run_goes_on(chorus: Chorus) -> None:
    run_id = await chorus.start("sectioning", sections("", "[[fault:hang*1]] cancelled"))
    await chorus.until(run_id, lambda view: view["progress"]["done"] == 1)
    await chorus.delete(f"runs/{run_id}")
    first = await chorus.result(run_id)
    second = await redrive(chorus, run_id)
    assert (first["status"], second["status"], second["reused"]) == ("cancelled", "succeeded", ["s0"])


async def test_a_run_terminated_by_another_hand_keeps_what_succeeded(chorus: Chorus) -> None:
    run_id = await chorus.start("sectioning", sections("", "[[fault:hang*1]] terminated"))
    await chorus.until(run_id, lambda view: view["progress"]["done"] == 1)
    await chorus.terminate(run_id)
    first = await chorus.result(run_id)
    assert verdict(first) == ("cancelled", "cancelled")
    assert outcomes_of(first)["s0"]["status"] == "succeeded"
    assert first["missing"] == ["s1"]
    second = await redrive(chorus, run_id)
    assert (second["status"], second["reused"]) == ("succeeded", ["s0"])


async def test_a_redrive_in_progress_shows_what_it_took_over(chorus: Chorus) -> None:
    first = await chorus.run("sectioning", sections("", "[[fault:bad-request*1]] [[fault:hang*2]] shown"))
    _, accepted, _ = await chorus.post(f"runs/{first['id']}/redrive", None)
    view = await chorus.until(accepted["id"], lambda view: view["progress"]["running"] == 1)
    assert (view["progress"]["total"], view["progress"]["succeeded"]) == (2, 1)
    assert [branch["name"] for branch in view["branches"]] == ["s0", "s1"]
    assert (view["redrive_of"], view["reused"]) == (first["id"], ["s0"])
    assert view["usage"]["total_tokens"] == 0, "the first run has paid for s0"
    await chorus.delete(f"runs/{accepted['id']}")
    await chorus.result(accepted["id"])


async def test_a_run_that_succeeded_has_nothing_to_redrive(chorus: Chorus) -> None:
    result = await chorus.run("sectioning", sections(""))
    status, problem, _ = await chorus.post(f"runs/{result['id']}/redrive", None)
    assert (status, problem["code"]) == (409, "nothing_to_redrive")


async def test_a_run_that_stopped_early_is_redriven_under_another_policy_only(chorus: Chorus) -> None:
    hung = "[[fault:hang*1]] early"
    first = await chorus.run("sectioning", sections("", hung, min_successful=1, stop_early=True))
    assert verdict(first) == ("partial", "min_successful_reached")
    status, problem, _ = await chorus.post(f"runs/{first['id']}/redrive", None)
    assert (status, problem["code"]) == (409, "nothing_to_redrive")
    second = await redrive(chorus, first["id"], {"policy": {}})
    assert (verdict(second), second["reused"]) == (("succeeded", "all_completed"), ["s0"])


async def test_a_run_that_another_version_started_has_an_end_and_a_view_and_is_not_redriven(chorus: Chorus) -> None:
    run_id = uuid4().hex
    await chorus.start_by_hand("sectioning", run_id, sections(""))
    result = await chorus.result(run_id)
    assert verdict(result) == ("failed", "internal_error")
    status, view, _ = await chorus.get(f"runs/{run_id}/view")
    assert (status, view["status"], view["phase"]) == (200, "failed", "done")
    status, problem, _ = await chorus.post(f"runs/{run_id}/redrive", None)
    assert (status, problem["code"]) == (409, "run_not_readable")


async def test_a_run_that_goes_on_cannot_be_redriven(chorus: Chorus) -> None:
    run_id = await chorus.start("sectioning", sections("[[fault:hang]]"))
    status, problem, _ = await chorus.post(f"runs/{run_id}/redrive", None)
    assert (status, problem["code"]) == (409, "run_not_ended")
    await chorus.delete(f"runs/{run_id}")
    await chorus.result(run_id)


async def test_a_policy_that_the_run_cannot_meet_starts_nothing(chorus: Chorus) -> None:
    first = await chorus.run("sectioning", sections("", "[[fault:bad-request]]"))
    for body, path in (
        ({"policy": {"min_successful": 3}}, "policy.min_successful"),
        ({"policy": {"attempts": 0}}, "policy.attempts"),
        ({"sections": []}, "sections"),
    ):
        status, problem, _ = await chorus.post(f"runs/{first['id']}/redrive", body)
        assert (status, [error["path"] for error in problem["errors"]]) == (400, [path])


async def test_an_unknown_run_cannot_be_redriven(chorus: Chorus) -> None:
    status, problem, _ = await chorus.post(f"runs/{'0' * 32}/redrive", None)
    assert (status, problem["code"]) == (404, "run_not_found")
