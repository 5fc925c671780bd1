"""Planning of a map-reduce in storage: its steps, its problems, and what ends it."""

from __future__ import annotations

import pytest

from activities.names import CANCEL_EVENT, PLAN_DOCUMENTS
from orchestrators.map_reduce import map_reduce
from orchestrators.planning import NO_DOCUMENTS, POLICY_MISFIT, SOURCE_NOT_USABLE
from orchestrators.step import STEP_ATTEMPTS
from tests.orchestrators.fake_context import Drive, FakeContext
from tests.orchestrators.given import documents_request, verdict
from tests.orchestrators.stored_given import FOLDER, Others, asked, plan, scripted, start, write_files


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    return scripted(monkeypatch)


def test_the_first_step_of_planning_has_the_request_and_the_next_ones_the_cursor(others: Others) -> None:
    drive = start()
    first = asked(drive, PLAN_DOCUMENTS).input
    plan(drive, cursor={"last": "in/7.txt"})
    second = asked(drive, PLAN_DOCUMENTS).input

    assert (first["folder"], first["cursor"]) == (FOLDER, None)
    assert first["request"]["source"]["prefix"] == "in/"
    assert second == {"folder": FOLDER, "request": None, "cursor": {"last": "in/7.txt"}}
    assert others.stages == []


def test_documents_of_the_request_go_to_the_plan() -> None:
    drive = Drive(map_reduce, FakeContext({"request": documents_request(2, sink={"container": "results"})}))

    given = asked(drive, PLAN_DOCUMENTS).input
    assert [document["id"] for document in given["request"]["documents"]] == ["d0", "d1"]
    assert given["folder"] == {"container": "results", "name": "run-1/", "run_id": "run-1"}


def test_who_watches_is_told_how_far_planning_is(others: Others) -> None:
    drive = start()
    plan(drive, cursor={}, works=2_500)
    plan(drive, works=2_600)

    assert drive.context.statuses == [
        {"phase": "planning", "total": 0},
        {"phase": "planning", "total": 2_500},
        {"phase": "branches", "total": 2_600},
    ]
    assert others.stages[0].works == 2_600


def test_a_source_without_documents_fails_the_run_and_the_error_says_where_it_looked(others: Others) -> None:
    drive = start()
    plan(drive, documents=0, works=0, pages=0)

    assert verdict(drive.ended) == ("failed", "planning_failed")
    assert drive.ended["error"]["code"] == NO_DOCUMENTS
    for told in ("'documents'", "'in/'", "'*.txt'"):
        assert told in drive.ended["error"]["message"]
    assert "counts" not in drive.ended
    assert others.stages == []
    assert drive.pending_timers == []


def test_a_problem_of_the_plan_fails_the_run() -> None:
    drive = start()
    plan(drive, problem="the source has more than 100,000 documents; give a limit", cursor={})

    assert verdict(drive.ended) == ("failed", "planning_failed")
    assert drive.ended["error"] == {
        "code": SOURCE_NOT_USABLE,
        "message": "the source has more than 100,000 documents; give a limit",
        "retriable": False,
        "http_status": None,
    }


@pytest.mark.parametrize(("least", "goes_on"), [(3, True), (4, False)])
def test_a_policy_that_more_documents_than_there_are_must_meet_fails_the_run(
    others: Others, least: int, goes_on: bool
) -> None:
    drive = start(policy={"min_successful": least})
    plan(drive, works=3)

    assert bool(others.stages) is goes_on
    if not goes_on:
        assert verdict(drive.ended) == ("failed", "planning_failed")
        assert drive.ended["error"]["code"] == POLICY_MISFIT
        assert "min_successful is 4" in drive.ended["error"]["message"]


def test_a_step_that_fails_is_tried_again_after_a_pause(others: Others) -> None:
    drive = start()
    drive.fail(asked(drive, PLAN_DOCUMENTS), "storage did not answer")
    assert len(drive.context.activities) == 1
    drive.pass_time(1)
    plan(drive)

    assert others.stages[0].pages == 2
    write_files(drive)
    assert verdict(drive.ended) == ("succeeded", "all_completed")


def test_a_step_that_fails_again_and_again_fails_the_run_with_its_reason() -> None:
    drive = start()
    for attempt in range(STEP_ATTEMPTS):
        drive.pass_time(5 if attempt else 0)
        drive.fail(asked(drive, PLAN_DOCUMENTS), "storage did not answer")

    assert len(drive.context.activities) == STEP_ATTEMPTS
    assert verdict(drive.ended) == ("failed", "planning_failed")
    assert "storage did not answer" in drive.ended["error"]["message"]
    assert drive.ended["error"]["retriable"] is True


@pytest.mark.parametrize("in_a_pause", [False, True])
def test_a_cancel_ends_planning_at_once(others: Others, in_a_pause: bool) -> None:
    drive = start()
    if in_a_pause:
        drive.fail(asked(drive, PLAN_DOCUMENTS))
    drive.raise_event(CANCEL_EVENT)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["files"]["folder"] == "team/run-1/"
    assert "counts" not in drive.ended
    assert others.stages == []
    assert drive.pending_timers == []


def test_the_deadline_ends_planning() -> None:
    drive = start(policy={"deadline_s": 30})
    drive.pass_time(30)

    assert verdict(drive.ended) == ("failed", "deadline_exceeded")
