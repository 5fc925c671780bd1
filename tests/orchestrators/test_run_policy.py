"""Whether a run met its policy: tolerances met exactly and missed by one, and what is told of the run."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from activities.names import CANCEL_EVENT
from orchestrators.sectioning import sectioning
from tests.orchestrators.fake_context import START, Drive, FakeContext
from tests.orchestrators.given import USAGE, failed, sections_request, succeeded, verdict

FOUR = ["s0", "s1", "s2", "s3"]


def run_with(failures: int, **policy: object) -> Drive:
    """A run of four sections, of which the first `failures` fail."""
    drive = Drive(sectioning, FakeContext(sections_request(*FOUR, aggregation="concatenate", policy=policy)))
    for number, name in enumerate(FOUR):
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
    assert len(missed.ended["outcomes"]) == 4


def test_no_tolerance_makes_a_success_of_nothing() -> None:
    drive = run_with(4, tolerated_failure_percentage=100)
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")


def test_a_deadline_decides_by_what_succeeded_before_it() -> None:
    for needed, status in ((1, "partial"), (2, "failed")):
        policy = {"min_successful": needed, "deadline_s": 10}
        drive = Drive(sectioning, FakeContext(sections_request("a", "b", policy=policy)))
        drive.complete(drive.child("a"), succeeded("a"))
        drive.pass_time(10)
        drive.complete(drive.context.activities[0], 1)
        assert verdict(drive.ended) == (status, "deadline_exceeded")
        assert (drive.ended["output"] is None) == (status == "failed")


def test_a_cancel_beats_the_policy() -> None:
    policy = {"min_successful": 2}
    drive = Drive(sectioning, FakeContext(sections_request("a", "b", policy=policy)))
    drive.complete(drive.child("a"), succeeded("a"))
    drive.raise_event(CANCEL_EVENT)
    drive.complete(drive.context.activities[0], 1)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["output"] is None


def test_usage_is_summed_over_branches_whether_they_succeeded_or_not() -> None:
    drive = run_with(2)
    assert drive.ended["usage"] == {key: 4 * value for key, value in USAGE.items()}


def test_the_result_tells_when_the_run_started_and_ended_and_by_which_policy() -> None:
    drive = Drive(sectioning, FakeContext(sections_request("a", aggregation="concatenate", policy={"attempts": 7})))
    drive.pass_time(4.5)
    drive.complete(drive.child("a"), succeeded("a"))
    assert datetime.fromisoformat(drive.ended["started_at"]) == START
    assert datetime.fromisoformat(drive.ended["ended_at"]) == START + timedelta(seconds=4.5)
    assert drive.ended["policy"]["attempts"] == 7
    assert (drive.ended["id"], drive.ended["pattern"], drive.ended["error"]) == ("run-1", "sectioning", None)


def test_the_deadline_counts_from_the_runs_start() -> None:
    drive = Drive(sectioning, FakeContext(sections_request("a", policy={"deadline_s": 33})))
    assert [timer.fire_at for timer in drive.context.timers] == [START + timedelta(seconds=33)]
