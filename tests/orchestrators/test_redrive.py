"""A redrive: outcomes of an earlier run come through as they were, and only the rest runs."""

from __future__ import annotations

import json

import pytest

from activities.names import CANCEL_EVENT
from orchestrators.map_reduce import map_reduce
from orchestrators.voting import voting
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import (
    USAGE,
    documents_request,
    failed,
    instances,
    let_stop,
    outcome,
    outcome_of,
    start_run,
    start_sections,
    statuses,
    succeed,
    succeeded,
    verdict,
)


def redriven(*names: str, reused: list[JSON], **policy: object) -> Drive:
    """A redrive whose sections are concatenated."""
    return start_sections(*names, reused=reused, aggregation="concatenate", policy=policy)


def test_only_what_is_not_reused_runs() -> None:
    drive = redriven("a", "b", "c", reused=[outcome("b")])
    assert instances(drive.running) == ["a", "c"]
    succeed(drive, "c", "a")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_reused_outcomes_come_through_to_the_byte_and_are_named() -> None:
    earlier = [outcome("c", {"n": [1, "ü", None, 1.5]}, truncated=True), outcome("a", attempts=3)]
    drive = redriven("a", "b", "c", reused=earlier)
    succeed(drive, "b")
    assert json.dumps([outcome_of(drive.ended, name) for name in "ca"]) == json.dumps(earlier)
    assert [told["name"] for told in drive.ended["outcomes"]] == ["a", "b", "c"]
    assert (sorted(drive.ended["reused"]), drive.ended["redrive_of"]) == (["a", "c"], "run-0")


def test_a_run_that_is_no_redrive_says_so() -> None:
    drive = start_sections("a", aggregation="concatenate")
    succeed(drive, "a")
    assert (drive.ended["reused"], drive.ended["redrive_of"]) == ([], None)


def test_what_an_earlier_run_paid_is_not_on_this_bill() -> None:
    drive = start_sections("a", "b", reused=[outcome("a")])
    succeed(drive, "b", "~synthesis")
    assert drive.ended["usage"] == {key: 2 * value for key, value in USAGE.items()}
    assert outcome_of(drive.ended, "a")["usage"] == USAGE


def test_what_an_earlier_run_paid_is_not_in_the_budget() -> None:
    drive = redriven("a", "b", reused=[outcome("a")], max_total_tokens=10)
    assert drive.child("b").input["max_tokens"] == 10


def test_the_synthesizer_reads_old_and_new_in_their_order() -> None:
    drive = start_sections("a", "b", "c", reused=[outcome("b", "old")])
    drive.complete(drive.child("a"), failed("a"))
    succeed(drive, "c")
    assert drive.child("~synthesis").input["branch"]["prompt"] == (
        '<section name="b">\nold\n</section>\n\n<section name="c">\noutput of c\n</section>\n\n<missing>\na\n</missing>'
    )


def test_when_all_are_reused_only_the_aggregation_runs() -> None:
    drive = start_sections("a", "b", reused=[outcome("a"), outcome("b")])
    assert instances(drive.context.children) == ["~synthesis"]
    succeed(drive, "~synthesis")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["usage"] == USAGE
    assert drive.pending_timers == []


def test_when_all_are_reused_a_run_without_an_aggregation_ends_at_once() -> None:
    drive = redriven("a", "b", reused=[outcome("a"), outcome("b")])
    assert (drive.context.children, drive.context.activities, drive.pending_timers) == ([], [], [])
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["output"]["content"] == "## a\n\noutput of a\n\n## b\n\noutput of b"
    assert drive.ended["usage"]["model_calls"] == 0


def test_only_the_reduction_of_a_map_reduce_is_redriven() -> None:
    drive = start_run(map_reduce, documents_request(2), reused=[outcome("d0"), outcome("d1")])
    assert instances(drive.running) == ["~reduction"]
    succeed(drive, "~reduction")
    assert drive.ended["output"]["documents"] == ["d0", "d1"]
    assert sorted(drive.ended["reused"]) == ["d0", "d1"]


def test_votes_that_are_reused_are_counted() -> None:
    votes = [outcome(f"voter-{n}", {"reasoning": "so", "answer": "yes"}) for n in (1, 2)]
    drive = start_run(voting, {"question": "Publish?", "voters": 3}, reused=votes)
    drive.complete(drive.child("voter-3"), failed("voter-3"))
    output = drive.ended["output"]
    assert (output["decision"], output["counted"], output["asked"]) == ("yes", 2, 3)


# --- The policy counts them ---


def test_reused_branches_count_as_successes() -> None:
    drive = redriven("a", "b", "c", reused=[outcome("a")], min_successful=2)
    succeed(drive, "b")
    drive.complete(drive.child("c"), failed("c"))
    assert verdict(drive.ended) == ("partial", "all_completed")


def test_reused_branches_count_for_an_early_stop() -> None:
    drive = redriven("a", "b", "c", reused=[outcome("a")], min_successful=2, stop_early=True)
    succeed(drive, "c")
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "min_successful_reached")
    assert statuses(drive.ended) == {"a": "succeeded", "b": "cancelled", "c": "succeeded"}


def test_when_enough_are_reused_nothing_more_is_called() -> None:
    drive = redriven("a", "b", reused=[outcome("a")], min_successful=1, stop_early=True)
    assert (drive.context.children, drive.pending_timers) == ([], [])
    assert verdict(drive.ended) == ("partial", "min_successful_reached")


@pytest.mark.parametrize(("percentage", "status"), [(25, "partial"), (24, "failed")])
def test_a_share_of_failures_is_one_of_all_branches(percentage: float, status: str) -> None:
    reused = [outcome("a"), outcome("b"), outcome("c")]
    drive = redriven("a", "b", "c", "d", reused=reused, tolerated_failure_percentage=percentage)
    drive.complete(drive.child("d"), failed("d"))
    assert drive.ended["status"] == status


def test_a_redrive_that_is_cancelled_keeps_what_it_reused() -> None:
    drive = redriven("a", "b", reused=[outcome("a")])
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert outcome_of(drive.ended, "a") == outcome("a")


def test_a_branch_that_runs_again_is_a_call_of_the_new_run() -> None:
    drive = redriven("a", "b", reused=[outcome("a")])
    assert drive.child("b").instance_id == "run-1:b"
    drive.complete(drive.child("b"), succeeded("b", "new"))
    assert (outcome_of(drive.ended, "b")["attempts"], outcome_of(drive.ended, "b")["output"]) == (1, "new")
