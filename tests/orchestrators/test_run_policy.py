"""Whether a run met its policy: tolerances met exactly and missed by one, early stops, and what is told of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.names import CANCEL_EVENT
from orchestrators.fan_out import STOP_GRACE_S
from tests.orchestrators.fake_context import START, Drive
from tests.orchestrators.given import (
    EVERYONE,
    NO_TOKENS,
    USAGE,
    branch_names,
    error_codes,
    failed,
    instances,
    let_stop,
    only,
    outcome_of,
    start_fan_out,
    start_sections,
    statuses,
    stops,
    succeed,
    succeeded,
    throttled,
    timed_out,
    told_to_stop,
    usage,
    verdict,
)

FOUR = ["s0", "s1", "s2", "s3"]


def run_with(failures: int, **policy: object) -> Drive:
    """A run of four sections, of which the first `failures` fail and the others succeed, unless it stops before."""
    drive = start_fan_out(*FOUR, **policy)
    for number, name in enumerate(FOUR):
        if stops(drive):
            let_stop(drive)
            break
        drive.complete(drive.child(name), failed(name) if number < failures else succeeded(name))
    return drive


@pytest.mark.parametrize(
    ("policy", "tolerated"),
    [
        ({"min_successful": 3}, 1),
        ({"min_successful": 4}, 0),
        ({"tolerated_failure_count": 0}, 0),
        ({"tolerated_failure_count": 2}, 2),
        ({"tolerated_failure_percentage": 50}, 2),
        ({"tolerated_failure_percentage": 49.9}, 1),
        ({"min_successful": 1, "tolerated_failure_count": 1}, 1),
        ({}, 3),
    ],
)
def test_a_tolerance_is_met_exactly_and_missed_by_one(policy: dict[str, float], tolerated: int) -> None:
    met = run_with(tolerated, **policy)
    assert verdict(met.ended) == ("partial" if tolerated else "succeeded", "all_completed")
    assert met.ended["output"] is not None
    missed = run_with(tolerated + 1, **policy)
    assert verdict(missed.ended) == ("failed", "failure_tolerance_exceeded")
    assert missed.ended["output"] is None
    assert list(statuses(missed.ended)) == FOUR


# --- Once the policy is missed ---

TOO_MANY = [{"tolerated_failure_count": 0}, {"min_successful": 4}, {"tolerated_failure_percentage": 24}]


@pytest.mark.parametrize("policy", TOO_MANY)
def test_once_too_many_have_failed_the_run_stops_and_pays_no_more(policy: dict[str, Any]) -> None:
    drive = start_fan_out(*FOUR, max_concurrency=3, **policy)
    succeed(drive, "s1")
    drive.complete(drive.child("s0"), failed("s0"))
    assert stops(drive) == [EVERYONE]
    drive.complete(drive.child("s2"), told_to_stop("s2", usage=usage(9)))
    assert drive.result is None, "s3 has not given its account"
    drive.complete(drive.child("s3"), told_to_stop("s3"))
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert statuses(drive.ended) == {"s0": "failed", "s1": "succeeded", "s2": "cancelled", "s3": "cancelled"}
    stopped = dict.fromkeys(["s2", "s3"], "failure_tolerance_exceeded")
    assert error_codes(drive.ended) == {"s0": "model_unavailable", **stopped}
    assert outcome_of(drive.ended, "s2")["usage"] == usage(9)
    assert outcome_of(drive.ended, "s2")["error"]["message"] == "too many branches had failed before the branch ended"
    assert drive.ended["output"] is None
    assert drive.pending_timers == []


def test_branches_that_wait_never_start_once_too_many_have_failed() -> None:
    drive = start_fan_out(*FOUR, max_concurrency=1, tolerated_failure_count=0)
    drive.complete(drive.child("s0"), failed("s0"))
    assert branch_names(drive.context.children) == ["s0"]
    assert stops(drive) == [], "no call is in flight"
    assert statuses(drive.ended) == {"s0": "failed"} | dict.fromkeys(FOUR[1:], "cancelled")
    outcome = outcome_of(drive.ended, "s3")
    assert (outcome["attempts"], outcome["usage"]["model_calls"]) == (0, 0)
    assert outcome["error"]["message"] == "too many branches had failed before the branch started"


def test_a_branch_that_waits_for_its_retry_is_not_tried_again_once_too_many_have_failed() -> None:
    drive = start_fan_out("a", "b", "c", tolerated_failure_count=0)
    drive.complete(drive.child("a"), throttled("a", retry_after_s=5.0))
    drive.complete(drive.child("b"), failed("b"))
    let_stop(drive)
    assert error_codes(drive.ended)["a"] == "failure_tolerance_exceeded"
    message = "too many branches had failed before the branch ended; the error before that: a failed"
    assert outcome_of(drive.ended, "a")["error"]["message"] == message
    assert instances(drive.context.children) == ["a", "b", "c"]
    assert drive.pending_timers == []


@pytest.mark.parametrize("account", [failed("a", retriable=True), timed_out("a")])
def test_a_failure_counts_when_its_branch_has_ended_and_not_before(account: dict[str, Any]) -> None:
    drive = start_fan_out("a", "b", attempts=2, tolerated_failure_count=0)
    drive.complete(drive.child("a"), failed("a", retriable=True))
    assert (drive.result, stops(drive)) == (None, [])
    drive.pass_time(1)
    drive.complete(drive.child("a"), account)
    assert stops(drive) == [EVERYONE]


def test_a_call_that_gives_no_account_holds_a_failed_run_up_for_a_moment_only() -> None:
    drive = start_fan_out("a", "b", tolerated_failure_count=0)
    drive.complete(drive.child("a"), failed("a"))
    drive.pass_time(STOP_GRACE_S)
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert outcome_of(drive.ended, "b")["usage"] == NO_TOKENS


def test_an_answer_that_comes_too_late_for_the_policy_is_kept_and_saves_nothing() -> None:
    drive = start_fan_out("a", "b", min_successful=2)
    drive.complete(drive.child("a"), failed("a"))
    succeed(drive, "b")
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert statuses(drive.ended) == {"a": "failed", "b": "succeeded"}
    assert drive.ended["output"] is None


def test_a_run_that_has_missed_its_policy_pays_for_no_synthesis() -> None:
    drive = start_sections("a", "b", "c", policy={"tolerated_failure_count": 0})
    succeed(drive, "b")
    drive.complete(drive.child("a"), failed("a"))
    let_stop(drive)
    assert branch_names(drive.context.children) == ["a", "b", "c"]
    assert drive.ended["aggregation"] is None


def test_a_deadline_that_has_passed_beats_a_tolerance_that_is_missed() -> None:
    drive = start_fan_out("a", "b", "c", tolerated_failure_count=0, deadline_s=10)
    succeed(drive, "a")
    drive.pass_time(10.01, firing=False)
    drive.complete(drive.child("b"), failed("b"))
    let_stop(drive)
    assert verdict(drive.ended) == ("failed", "deadline_exceeded")
    assert error_codes(drive.ended)["c"] == "deadline_exceeded"


# --- Once the policy is met ---


def test_a_run_that_may_stop_early_stops_once_enough_have_succeeded() -> None:
    drive = start_fan_out(*FOUR, max_concurrency=3, min_successful=2, stop_early=True)
    succeed(drive, "s2")
    assert stops(drive) == []
    succeed(drive, "s0")
    assert stops(drive) == [only("s1", "s3")]
    drive.complete(drive.child("s1"), told_to_stop("s1", usage=usage(9)))
    drive.complete(drive.child("s3"), told_to_stop("s3"))
    assert verdict(drive.ended) == ("partial", "min_successful_reached")
    assert statuses(drive.ended) == {"s0": "succeeded", "s1": "cancelled", "s2": "succeeded", "s3": "cancelled"}
    assert error_codes(drive.ended) == dict.fromkeys(["s1", "s3"], "min_successful_reached")
    assert outcome_of(drive.ended, "s1")["error"]["message"] == "enough branches had succeeded before the branch ended"
    assert outcome_of(drive.ended, "s1")["usage"] == usage(9)
    assert drive.ended["missing"] == ["s1", "s3"]
    assert drive.ended["output"]["content"] == "## s0\n\noutput of s0\n\n## s2\n\noutput of s2"
    assert drive.pending_timers == []


def test_branches_that_wait_never_start_once_enough_have_succeeded() -> None:
    drive = start_fan_out(*FOUR, max_concurrency=1, min_successful=1, stop_early=True)
    succeed(drive, "s0")
    assert (branch_names(drive.context.children), stops(drive)) == (["s0"], [])
    assert verdict(drive.ended) == ("partial", "min_successful_reached")


def test_without_its_word_a_run_goes_on_when_enough_have_succeeded() -> None:
    drive = start_fan_out("a", "b", min_successful=1)
    succeed(drive, "a")
    assert (drive.result, stops(drive)) == (None, [])


def test_a_run_whose_last_branch_is_the_one_that_suffices_has_completed() -> None:
    drive = start_fan_out("a", "b", min_successful=2, stop_early=True)
    succeed(drive, "a", "b")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert stops(drive) == []


def test_what_has_succeeded_early_is_synthesized() -> None:
    drive = start_sections("a", "b", policy={"min_successful": 1, "stop_early": True})
    succeed(drive, "b")
    let_stop(drive)
    assert branch_names(drive.running) == ["~synthesis"]
    assert drive.child("~synthesis").input["branch"]["prompt"].endswith("<missing>\na\n</missing>")
    succeed(drive, "~synthesis")
    assert verdict(drive.ended) == ("partial", "min_successful_reached")
    assert drive.ended["output"]["aggregation"] == "synthesize"


def test_what_the_policy_asks_of_branches_it_does_not_ask_of_their_synthesis() -> None:
    policy = {"min_successful": 2, "tolerated_failure_count": 1, "tolerated_failure_percentage": 34}
    drive = start_sections("a", "b", "c", policy=policy)
    drive.complete(drive.child("a"), failed("a"))
    succeed(drive, "b", "c")
    drive.complete(drive.child("~synthesis"), failed("~synthesis", retriable=True))
    drive.pass_time(1)
    succeed(drive, "~synthesis")
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert drive.ended["output"]["content"] == "output of ~synthesis"


def test_a_synthesis_does_not_wait_for_calls_that_do_not_stop() -> None:
    drive = start_sections("a", "b", policy={"min_successful": 1, "stop_early": True})
    succeed(drive, "b")
    drive.pass_time(STOP_GRACE_S)
    assert branch_names(drive.running) == ["a", "~synthesis"]
    drive.complete(drive.child("a"), succeeded("a", "too late"))
    succeed(drive, "~synthesis")
    assert statuses(drive.ended) == {"a": "cancelled", "b": "succeeded"}


def test_a_stop_that_comes_late_does_not_reach_the_synthesis() -> None:
    """It may be made twice, too: an activity runs at least once."""
    drive = start_sections("a", "b", "c", policy={"min_successful": 1, "stop_early": True})
    succeed(drive, "b")
    assert stops(drive) == [only("a", "c")]
    drive.pass_time(STOP_GRACE_S)
    assert branch_names(drive.running) == ["a", "c", "~synthesis"]
    drive.raise_event(CANCEL_EVENT)
    assert stops(drive) == [only("a", "c"), EVERYONE]


def test_an_answer_that_comes_while_the_others_are_stopped_is_used() -> None:
    drive = start_fan_out("a", "b", min_successful=1, stop_early=True)
    succeed(drive, "b", "a")
    assert verdict(drive.ended) == ("succeeded", "min_successful_reached")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded"}


def test_failures_beside_enough_successes_exceed_a_tolerance_only_before() -> None:
    drive = start_fan_out("a", "b", "c", min_successful=1, stop_early=True, tolerated_failure_count=0)
    succeed(drive, "b")
    drive.complete(drive.child("a"), failed("a"))
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "min_successful_reached")


def test_a_failed_synthesis_after_an_early_stop_leaves_the_sections() -> None:
    drive = start_sections("a", "b", policy={"min_successful": 1, "stop_early": True})
    succeed(drive, "b")
    let_stop(drive)
    drive.complete(drive.child("~synthesis"), failed("~synthesis"))
    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert drive.ended["output"]["content"] == "## b\n\noutput of b"


# --- Beside it ---


def test_no_tolerance_makes_a_success_of_nothing() -> None:
    drive = run_with(4, tolerated_failure_percentage=100)
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")


def test_a_deadline_decides_by_what_succeeded_before_it() -> None:
    for needed, status in ((1, "partial"), (2, "failed")):
        policy = {"min_successful": needed, "deadline_s": 10}
        drive = start_sections("a", "b", policy=policy)
        drive.complete(drive.child("a"), succeeded("a"))
        drive.pass_time(10)
        let_stop(drive)
        assert verdict(drive.ended) == (status, "deadline_exceeded")
        assert (drive.ended["output"] is None) == (status == "failed")


def test_a_cancel_beats_the_policy() -> None:
    policy = {"min_successful": 2}
    drive = start_sections("a", "b", policy=policy)
    drive.complete(drive.child("a"), succeeded("a"))
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["output"] is None


def test_usage_is_summed_over_branches_whether_they_succeeded_or_not() -> None:
    drive = run_with(2)
    assert drive.ended["usage"] == {key: 4 * value for key, value in USAGE.items()}


def test_the_result_tells_when_the_run_started_and_ended_and_by_which_policy() -> None:
    drive = start_fan_out("a", attempts=7)
    drive.pass_time(4.5)
    drive.complete(drive.child("a"), succeeded("a"))
    assert datetime.fromisoformat(drive.ended["started_at"]) == START
    assert datetime.fromisoformat(drive.ended["ended_at"]) == START + timedelta(seconds=4.5)
    assert drive.ended["policy"]["attempts"] == 7
    assert (drive.ended["id"], drive.ended["pattern"], drive.ended["error"]) == ("run-1", "sectioning", None)


def test_the_deadline_counts_from_the_runs_start() -> None:
    drive = start_fan_out("a", deadline_s=33)
    assert [timer.fire_at for timer in drive.context.timers] == [START + timedelta(seconds=33)]
