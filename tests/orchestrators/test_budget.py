"""A run with a budget of tokens: nothing starts once it is spent, and what there is is used."""

from __future__ import annotations

from typing import Any

import pytest

from activities.names import CANCEL_EVENT
from orchestrators.map_reduce import map_reduce
from orchestrators.voting import voting
from tests.orchestrators.fake_context import Drive
from tests.orchestrators.given import (
    documents_request,
    error_codes,
    failed,
    instances,
    outcome_of,
    start_fan_out,
    start_run,
    start_sections,
    statuses,
    stops,
    succeed,
    succeeded,
    throttled,
    usage,
    verdict,
)

PLENTY = 1_000_000
"""More than all estimates of these runs together."""


def estimate() -> int:
    """What the run thinks that a call for a section with a name of one letter costs, before any answer.

    It is half of the least budget with which two of them start together.
    """
    low, high = 1, PLENTY
    while low < high:
        middle = (low + high) // 2
        both = len(start_fan_out("a", "b", max_total_tokens=middle).running) == 2
        low, high = (low, middle) if both else (middle + 1, high)
    return low // 2


ONE_CALL = estimate()


def spend(drive: Drive, branch: str, tokens: int, *, output: int = 0) -> None:
    """Let the newest call for a branch succeed, at this cost."""
    drive.complete(drive.child(branch), succeeded(branch, usage=usage(tokens, output=output)))


def test_without_a_budget_calls_have_no_limit() -> None:
    drive = start_fan_out("a")
    assert drive.child("a").input["max_tokens"] is None


def test_a_call_is_told_what_the_run_has_left() -> None:
    drive = start_fan_out("a", "b", max_concurrency=1, max_total_tokens=5_000)
    assert drive.child("a").input["max_tokens"] == 5_000
    spend(drive, "a", 1_200)
    assert drive.child("b").input["max_tokens"] == 3_800


def test_nothing_starts_once_the_budget_is_spent() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=1, max_total_tokens=1_000)
    spend(drive, "a", 999)
    assert instances(drive.running) == ["b"], "one token is left"
    spend(drive, "b", 500)
    assert instances(drive.context.children) == ["a", "b"]
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded", "c": "cancelled"}
    assert error_codes(drive.ended) == {"c": "budget_exhausted"}
    message = "the run's budget of tokens was spent before the branch started"
    assert outcome_of(drive.ended, "c")["error"]["message"] == message
    assert drive.ended["usage"]["total_tokens"] == 1_499
    assert (stops(drive), drive.pending_timers) == ([], [])


def test_calls_in_flight_come_to_their_own_end_when_the_budget_is_spent() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=2, max_total_tokens=PLENTY)
    spend(drive, "a", PLENTY)
    assert (drive.result, instances(drive.running), stops(drive)) == (None, ["b"], [])
    spend(drive, "b", 10)
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded", "c": "cancelled"}
    assert verdict(drive.ended) == ("partial", "budget_exhausted")


def test_a_branch_that_waits_for_its_retry_gets_none_once_the_budget_is_spent() -> None:
    drive = start_fan_out("a", "b", max_total_tokens=PLENTY)
    drive.complete(drive.child("a"), throttled("a", retry_after_s=20.0))
    spend(drive, "b", PLENTY)
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    message = "the run's budget of tokens was spent before the branch ended; the error before that: a failed"
    assert outcome_of(drive.ended, "a")["error"]["message"] == message
    assert outcome_of(drive.ended, "a")["attempts"] == 1
    assert drive.pending_timers == []


def test_a_failure_that_spends_the_budget_is_not_tried_again() -> None:
    drive = start_fan_out("a", max_total_tokens=1_000)
    drive.complete(drive.child("a"), failed("a", retriable=True, usage=usage(1_000)))
    assert verdict(drive.ended) == ("failed", "budget_exhausted")
    assert error_codes(drive.ended) == {"a": "budget_exhausted"}
    assert drive.pending_timers == []


def test_a_slow_call_is_not_hedged_once_the_budget_is_spent() -> None:
    drive = start_fan_out("a", "b", max_total_tokens=PLENTY, hedge_after_s=2)
    spend(drive, "b", PLENTY)
    drive.pass_time(10)
    assert instances(drive.running) == ["a"]
    succeed(drive, "a")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.pending_timers == []


def test_a_budget_that_is_spent_when_all_is_done_is_no_reason() -> None:
    drive = start_fan_out("a", "b", max_total_tokens=PLENTY)
    spend(drive, "a", PLENTY)
    spend(drive, "b", PLENTY)
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_the_policy_decides_about_what_the_budget_was_enough_for() -> None:
    for needed, status in ((1, "partial"), (2, "failed")):
        drive = start_fan_out("a", "b", max_concurrency=1, max_total_tokens=1_000, min_successful=needed)
        spend(drive, "a", 1_000)
        assert verdict(drive.ended) == (status, "budget_exhausted")
        assert (drive.ended["output"] is None) == (status == "failed")


def test_a_cancel_beats_the_budget() -> None:
    drive = start_fan_out("a", "b", "c", max_concurrency=2, max_total_tokens=PLENTY)
    spend(drive, "a", PLENTY)
    drive.raise_event(CANCEL_EVENT)
    succeed(drive, "b")
    assert verdict(drive.ended) == ("cancelled", "cancelled")


# --- Side by side ---


def test_calls_side_by_side_start_only_if_their_estimates_fit_together() -> None:
    drive = start_fan_out("a", "b", "c", "d", max_total_tokens=2 * ONE_CALL)
    assert instances(drive.running) == ["a", "b"]
    drive = start_fan_out("a", "b", "c", "d", max_total_tokens=2 * ONE_CALL - 1)
    assert instances(drive.running) == ["a"]


def test_one_call_starts_whatever_its_estimate_while_anything_is_left() -> None:
    drive = start_fan_out("a", "b", max_total_tokens=1)
    assert instances(drive.running) == ["a"]
    spend(drive, "a", ONE_CALL)
    assert statuses(drive.ended) == {"a": "succeeded", "b": "cancelled"}


def test_a_call_that_costs_less_than_estimated_makes_room() -> None:
    drive = start_fan_out("a", "b", "c", max_total_tokens=2 * ONE_CALL)
    spend(drive, "a", 0)
    assert instances(drive.running) == ["b", "c"]


def test_the_answers_so_far_teach_what_an_answer_costs() -> None:
    long_answer = ONE_CALL * 5
    drive = start_fan_out("a", "b", "c", "d", max_concurrency=2, max_total_tokens=20 * ONE_CALL)
    spend(drive, "a", ONE_CALL + long_answer, output=long_answer)
    spend(drive, "b", ONE_CALL + long_answer, output=long_answer)
    assert instances(drive.running) == ["c"], "eight are left; two more calls would cost twelve"
    spend(drive, "c", ONE_CALL)
    assert instances(drive.running) == ["d"]


# --- The aggregation ---


def test_no_synthesis_begins_once_the_budget_is_spent() -> None:
    drive = start_sections("a", "b", "c", policy={"max_concurrency": 1, "max_total_tokens": 1_000})
    spend(drive, "a", 400)
    spend(drive, "b", 600)
    assert instances(drive.context.children) == ["a", "b"]
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    output = drive.ended["output"]
    assert (output["aggregation"], output["requested"]) == ("concatenate", "synthesize")
    assert output["content"] == "## a\n\noutput of a\n\n## b\n\noutput of b"
    assert drive.pending_timers == []


def test_sections_that_spend_all_leave_nothing_for_their_synthesis() -> None:
    drive = start_sections("a", "b", policy={"max_total_tokens": PLENTY})
    spend(drive, "a", PLENTY // 2)
    spend(drive, "b", PLENTY // 2)
    assert instances(drive.context.children) == ["a", "b"]
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert drive.ended["output"]["aggregation"] == "concatenate"
    assert (drive.ended["aggregation"]["status"], drive.ended["aggregation"]["attempts"]) == ("cancelled", 0)
    assert drive.ended["aggregation"]["error"]["code"] == "budget_exhausted"
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}
    assert drive.pending_timers == []


def test_the_synthesis_gets_what_the_sections_have_left() -> None:
    drive = start_sections("a", policy={"max_total_tokens": 1_000})
    spend(drive, "a", 300)
    assert drive.child("~synthesis").input["max_tokens"] == 700
    drive.complete(drive.child("~synthesis"), failed("~synthesis", retriable=True, usage=usage(700)))
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert drive.ended["aggregation"]["attempts"] == 1


def test_a_call_that_nobody_waits_for_keeps_no_tokens_from_the_synthesis() -> None:
    drive = start_sections("a", policy={"hedge_after_s": 2, "max_total_tokens": 4 * ONE_CALL})
    drive.pass_time(2)
    drive.complete(drive.child("a", 2), succeeded("a", usage=usage(3 * ONE_CALL)))
    assert instances(drive.running) == ["a", "~synthesis"]
    succeed(drive, "~synthesis")
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_no_reduction_begins_once_the_budget_is_spent() -> None:
    drive = start_run(map_reduce, documents_request(3, policy={"max_concurrency": 1, "max_total_tokens": 1_000}))
    spend(drive, "d0", 1_000)
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert drive.ended["output"]["reduction"] == "concatenate"
    assert drive.ended["output"]["documents"] == ["d0"]


def ballots(voters: int, **policy: Any) -> Drive:
    return start_run(voting, {"question": "Publish?", "voters": voters, "policy": policy})


@pytest.mark.parametrize(("answers", "decision"), [(["no"], "no"), (["yes", "no"], None)])
def test_a_vote_decides_on_the_ballots_that_the_budget_was_enough_for(answers: list[str], decision: str | None) -> None:
    drive = ballots(5, max_concurrency=1, max_total_tokens=1_000)
    for number, answer in enumerate(answers, start=1):
        name = f"voter-{number}"
        ballot = {"reasoning": "so", "answer": answer}
        drive.complete(drive.child(name), succeeded(name, ballot, usage=usage(1_000 // len(answers))))
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    output = drive.ended["output"]
    assert (output["decision"], output["counted"], output["asked"]) == (decision, len(answers), len(answers))


def test_a_run_with_plenty_starts_everything_at_once() -> None:
    drive = start_fan_out("a", "b", "c", max_total_tokens=PLENTY)
    assert instances(drive.running) == ["a", "b", "c"]
