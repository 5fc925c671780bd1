"""Cancelling: the run ends at once with what it has, and nothing goes on behind it."""

from __future__ import annotations

import asyncio

import pytest

from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, running_chorus, verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

BRANCHES = 30


def hanging(count: int, **policy: object) -> JSON:
    """One section that succeeds and `count` that hang."""
    sections = [{"name": "quick", "instructions": "Summarise."}]
    sections += [{"name": f"hung-{n}", "instructions": "Summarise. [[fault:hang]]"} for n in range(count)]
    return {"input": "The disk was full.", "sections": sections, "policy": policy}


async def no_call_is_left(chorus: Chorus) -> None:
    await chorus.model_calls(lambda model: model.statistics.active == 0)


async def test_a_cancelled_run_stops_its_calls_and_keeps_what_it_has(chorus: Chorus) -> None:
    run_id = await chorus.start("sectioning", hanging(BRANCHES, max_concurrency=BRANCHES))
    await chorus.until(run_id, lambda view: view["progress"]["done"] == 1)
    await chorus.model_calls(lambda model: model.statistics.active == BRANCHES)
    await chorus.delete(f"runs/{run_id}")

    result = await chorus.result(run_id)

    assert verdict(result) == ("cancelled", "cancelled")
    assert result["missing"] == [f"hung-{n}" for n in range(BRANCHES)]
    assert outcomes_of(result)["quick"]["output"]
    assert result["output"] is None
    assert {outcome["status"] for outcome in result["outcomes"][1:]} == {"cancelled"}
    assert result["usage"]["model_calls"] == BRANCHES + 1
    await no_call_is_left(chorus)
    _, view, _ = await chorus.get(f"runs/{run_id}/view")
    assert (view["status"], view["phase"], view["progress"]["running"]) == ("cancelled", "done", 0)


async def test_a_second_cancel_is_harmless_and_one_after_the_end_says_so(chorus: Chorus) -> None:
    run_id = await chorus.start("sectioning", hanging(3))
    await chorus.until(run_id, lambda view: view["progress"]["done"] == 1)
    answers = await asyncio.gather(*(chorus.delete(f"runs/{run_id}") for _ in range(5)))
    assert {status for status, _ in answers} <= {202, 409}
    assert 202 in {status for status, _ in answers}
    assert verdict(await chorus.result(run_id)) == ("cancelled", "cancelled")
    status, problem = await chorus.delete(f"runs/{run_id}")
    assert (status, problem["code"]) == (409, "run_already_ended")
    assert verdict(await chorus.result(run_id)) == ("cancelled", "cancelled")


async def test_a_run_can_be_cancelled_before_it_has_begun(chorus: Chorus) -> None:
    run_id = await chorus.start("sectioning", hanging(3))
    status, pending = await chorus.delete(f"runs/{run_id}")
    assert (status, pending["status"]) == (202, "cancelling")
    assert verdict(await chorus.result(run_id)) == ("cancelled", "cancelled")


async def test_a_branch_that_waits_for_its_retry_makes_none_after_a_cancel(chorus: Chorus) -> None:
    section = {"name": "s", "instructions": "Summarise. [[fault:throttle:30]] waits"}
    run_id = await chorus.start("sectioning", {"input": "Material.", "sections": [section]})
    view = await chorus.until(run_id, lambda view: view["branches"] and view["branches"][0]["status"] == "retrying")
    assert view["branches"][0]["error"]["code"] == "rate_limited"
    before = chorus.model.calls
    await chorus.delete(f"runs/{run_id}")
    result = await chorus.result(run_id)
    outcome = result["outcomes"][0]
    assert (outcome["status"], outcome["attempts"], outcome["usage"]["model_calls"]) == ("cancelled", 1, 1)
    assert "the error before that" in outcome["error"]["message"]
    assert chorus.model.calls == before


async def test_calls_that_hold_every_place_of_the_host_are_given_up_too() -> None:
    """The activity that tells calls to stop needs a place itself; here calls that hang hold all of them."""
    places = {"AzureFunctionsJobHost__extensions__durableTask__maxConcurrentActivityFunctions": "4"}
    async with running_chorus(**places) as small:
        run_id = await small.start("sectioning", hanging(6))
        await small.model_calls(lambda model: model.statistics.active == 4)
        await small.delete(f"runs/{run_id}")
        assert verdict(await small.result(run_id)) == ("cancelled", "cancelled")
        await no_call_is_left(small)
        after = await small.run("sectioning", {**hanging(0), "aggregation": "concatenate"})
        assert after["status"] == "succeeded"
