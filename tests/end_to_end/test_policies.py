"""Policies on the whole app: a run stops when its outcome is certain, hedges stragglers, and keeps to its budget."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, seconds, verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANG = "[[fault:hang]]"
REJECTED = "[[fault:bad-request]]"
# The branch timeout of policies here: a run that waits for a hung branch would take so long.
PATIENCE_S = 30.0


def sections(*instructions: str, aggregation: str = "concatenate", **policy: object) -> JSON:
    """A section for each of the instructions: `s0`, `s1`, …"""
    named = [{"name": f"s{n}", "instructions": f"Summarise. {text}"} for n, text in enumerate(instructions)]
    policy = {"branch_timeout_s": PATIENCE_S, **policy}
    return {
        "input": "The disk was full. Nobody looked.",
        "sections": named,
        "aggregation": aggregation,
        "policy": policy,
    }


async def test_a_run_stops_once_enough_have_succeeded_and_makes_its_answer_of_them(chorus: Chorus) -> None:
    body = sections("", HANG, "", HANG, "", aggregation="synthesize", min_successful=3, stop_early=True)
    result = await chorus.run("sectioning", body)
    assert verdict(result) == ("partial", "min_successful_reached")
    assert [outcome["status"] for outcome in result["outcomes"]] == [
        "succeeded", "cancelled", "succeeded", "cancelled", "succeeded",
    ]  # fmt: skip
    assert outcomes_of(result)["s1"]["error"]["code"] == "min_successful_reached"
    assert outcomes_of(result)["s1"]["usage"]["model_calls"] == 1
    assert result["output"]["aggregation"] == "synthesize"
    assert seconds(result) < PATIENCE_S / 3


async def test_without_stop_early_the_run_waits_for_all(chorus: Chorus) -> None:
    result = await chorus.run("sectioning", sections("", "[[fault:slow:1]]", min_successful=1))
    assert verdict(result) == ("succeeded", "all_completed")
    assert seconds(result) >= 1


async def test_a_run_stops_once_its_tolerance_is_exceeded_and_starts_nothing_more(chorus: Chorus) -> None:
    body = sections("", HANG, REJECTED, "", "", max_concurrency=2, tolerated_failure_count=0)
    before = chorus.model.calls
    result = await chorus.run("sectioning", body)
    assert verdict(result) == ("failed", "failure_tolerance_exceeded")
    statuses = [outcome["status"] for outcome in result["outcomes"]]
    assert statuses == ["succeeded", "cancelled", "failed", "cancelled", "cancelled"]
    assert outcomes_of(result)["s0"]["output"]
    assert chorus.model.calls - before == 3
    assert "before the branch started" in outcomes_of(result)["s4"]["error"]["message"]
    assert seconds(result) < PATIENCE_S / 3


@pytest.mark.parametrize(
    ("tolerance", "status"),
    [
        ({"tolerated_failure_count": 2}, "partial"),
        ({"tolerated_failure_count": 1}, "failed"),
        ({"tolerated_failure_percentage": 40}, "partial"),
        ({"tolerated_failure_percentage": 39.9}, "failed"),
        ({"min_successful": 3}, "partial"),
        ({"min_successful": 4}, "failed"),
    ],
)
async def test_a_tolerance_is_honoured_exactly(chorus: Chorus, tolerance: JSON, status: str) -> None:
    result = await chorus.run("sectioning", sections("", REJECTED, "", REJECTED, "", **tolerance))
    assert result["status"] == status


async def test_the_result_has_the_policy_that_the_run_followed(chorus: Chorus) -> None:
    body = sections("")
    body["policy"] = {"deadline_s": 40}
    result = await chorus.run("sectioning", body)
    assert (result["policy"]["deadline_s"], result["policy"]["branch_timeout_s"]) == (40, 40)
    assert (result["policy"]["attempts"], result["policy"]["max_concurrency"]) == (3, 100)


async def test_a_hung_call_is_hedged_and_the_first_success_wins(chorus: Chorus) -> None:
    result = await chorus.run(
        "sectioning", sections("", "[[fault:hang*1]]", hedge_after_s=0.5, max_hedge_percentage=50)
    )
    hedged = outcomes_of(result)["s1"]
    assert verdict(result) == ("succeeded", "all_completed")
    assert (hedged["attempts"], hedged["hedges"], hedged["usage"]["model_calls"]) == (1, 1, 2)
    assert hedged["usage"]["total_tokens"] > 0
    assert seconds(result) < PATIENCE_S / 3


async def test_a_call_that_hangs_long_after_a_throttled_one_is_hedged(chorus: Chorus) -> None:
    body = sections(
        "[[fault:throttle:0.1*1]] once", "[[fault:hang*1]] after a throttle", hedge_after_s=2, max_hedge_percentage=100
    )
    result = await chorus.run("sectioning", body)
    assert outcomes_of(result)["s0"]["attempts"] == 2
    assert outcomes_of(result)["s1"]["hedges"] == 1
    assert verdict(result) == ("succeeded", "all_completed")


async def test_the_time_of_a_hedge_is_learned_from_the_run(chorus: Chorus) -> None:
    result = await chorus.run("sectioning", sections(*[""] * 7, "[[fault:hang*1]] learned", hedge="p95"))
    assert verdict(result) == ("succeeded", "all_completed")
    assert outcomes_of(result)["s7"]["hedges"] == 1
    assert seconds(result) < PATIENCE_S / 3


async def test_extra_calls_keep_to_their_share(chorus: Chorus) -> None:
    body = sections(*["[[fault:slow:2]]"] * 10, hedge_after_s=0.3, max_hedge_percentage=25)
    result = await chorus.run("sectioning", body)
    assert sum(outcome["hedges"] for outcome in result["outcomes"]) == 3
    assert result["usage"]["model_calls"] == 13


async def test_no_call_starts_once_the_budget_is_spent(chorus: Chorus) -> None:
    body = sections(*[""] * 6, aggregation="synthesize", max_concurrency=1, max_total_tokens=150)
    before = chorus.model.calls
    result = await chorus.run("sectioning", body)
    made = chorus.model.calls - before
    assert verdict(result) == ("partial", "budget_exhausted")
    spent = [outcome["usage"]["total_tokens"] for outcome in result["outcomes"]]
    assert sum(spent[: made - 1]) < 150 <= sum(spent) == result["usage"]["total_tokens"]
    assert [outcome["status"] for outcome in result["outcomes"]] == ["succeeded"] * made + ["cancelled"] * (6 - made)
    assert outcomes_of(result)["s5"]["error"]["code"] == "budget_exhausted"
    assert (result["output"]["requested"], result["output"]["aggregation"]) == ("synthesize", "concatenate")


async def test_a_hundred_branches_at_once_do_not_spend_the_budget_of_ten(chorus: Chorus) -> None:
    estimate = (await chorus.post("sectioning/estimate", sections("")))[1]["tokens"]
    budget = 10 * estimate["input_tokens"]
    result = await chorus.run("sectioning", sections(*[""] * 100, max_total_tokens=budget))
    assert result["completion_reason"] == "budget_exhausted"
    assert budget <= result["usage"]["total_tokens"] < 3 * budget


async def test_when_the_budget_is_spent_by_the_branches_the_aggregation_calls_nobody(chorus: Chorus) -> None:
    result = await chorus.run("sectioning", sections("", aggregation="synthesize", max_total_tokens=10))
    assert verdict(result) == ("partial", "budget_exhausted")
    assert result["usage"]["model_calls"] == 1
    assert result["missing"] == []
    assert result["output"]["aggregation"] == "concatenate"


async def test_a_vote_that_ran_out_of_budget_is_decided_by_the_votes_cast(chorus: Chorus) -> None:
    body = {
        "question": "Is the disk full?",
        "voters": 7,
        "ballot": {"type": "choice", "options": ["yes", "no"]},
        "policy": {"max_concurrency": 1, "max_total_tokens": 300},
    }
    result = await chorus.run("voting", body)
    assert result["completion_reason"] == "budget_exhausted"
    asked = result["usage"]["model_calls"]
    assert 0 < asked < 7
    assert result["output"]["counted"] == result["output"]["asked"] == asked
    assert result["output"]["stop"]["saved"] == 7 - asked


async def test_an_estimate_starts_nothing(chorus: Chorus) -> None:
    before = chorus.model.calls
    body = sections("", "", aggregation="synthesize", attempts=2)
    status, estimate, _ = await chorus.post("sectioning/estimate", body)
    assert status == 200
    assert estimate["branches"] == 2
    assert estimate["model_calls"] == {"at_least": 3, "expected": 3, "at_most": 6}
    tokens = estimate["tokens"]
    assert tokens["total_tokens"] == tokens["input_tokens"] + tokens["output_tokens"]
    assert estimate["policy"]["attempts"] == 2
    assert estimate["within_budget"] is None
    assert chorus.model.calls == before


async def test_the_estimate_of_input_is_near_to_what_the_model_counts(chorus: Chorus) -> None:
    body = sections(*[""] * 5)
    body["input"] = "The checkout was down for an hour because the disk of the database was full. " * 40
    _, estimate, _ = await chorus.post("sectioning/estimate", body)
    result = await chorus.run("sectioning", body)
    assert 0.6 < estimate["tokens"]["input_tokens"] / result["usage"]["input_tokens"] < 1.6


@pytest.mark.parametrize("route", ["sectioning", "sectioning/estimate"])
@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"min_successful": 3}, "policy.min_successful"),
        ({"stop_early": True}, "policy.stop_early"),
        ({"hedge": "p95", "hedge_after_s": 1}, "policy.hedge"),
        ({"max_hedge_percentage": 5}, "policy.max_hedge_percentage"),
        ({"hedge_after_s": 30}, "policy.hedge_after_s"),
        ({"hedge": "p95", "max_concurrency": 1}, "policy.max_concurrency"),
        ({"branch_timeout_s": 30, "deadline_s": 20}, "policy.branch_timeout_s"),
    ],
)
async def test_a_policy_that_contradicts_itself_is_explained(
    chorus: Chorus, route: str, policy: JSON, path: str
) -> None:
    status, problem, _ = await chorus.post(route, sections("", "", **policy))
    assert (status, problem["code"]) == (400, "invalid_request")
    assert [error["path"] for error in problem["errors"]] == [path]
    assert "Nothing was started" in problem["detail"]
