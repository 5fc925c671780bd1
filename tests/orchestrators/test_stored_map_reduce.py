"""Map-reduce in storage: map, files, reduction. The shards and the reduction are scripted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from activities.names import CANCEL_EVENT, FINISH_MAP, PLAN_DOCUMENTS, READ_DOCUMENTS
from orchestrators.step import STEP_ATTEMPTS
from orchestrators.stored_map_reduce import CANCEL_GRACE_S, FILES_GRACE_S
from orchestrators.stored_reduction import Reduced
from shared.contracts.missing import MAX_MISSING, MAX_MISSING_CHARS
from shared.contracts.policy import Interruption
from shared.contracts.work import Tally
from tests.orchestrators.fake_context import START
from tests.orchestrators.given import USAGE, verdict
from tests.orchestrators.stored_given import (
    FOLDER,
    REDUCTION_USAGE,
    Others,
    answer,
    asked,
    finishing,
    mapped,
    plan,
    scripted,
    start,
    write_files,
)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    return scripted(monkeypatch)


def test_a_run_is_planned_mapped_written_and_reduced(others: Others) -> None:
    drive = start()
    plan(drive)
    write_files(drive)

    assert [call.name for call in drive.context.activities] == [PLAN_DOCUMENTS, FINISH_MAP]
    assert len(others.stages) == len(others.reductions) == 1
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["output"]["content"] == "All is well."
    assert drive.ended["counts"] == {
        "documents": 3, "works": 3, "pages": 2, "succeeded": 3, "failed": 0, "reused": 0,
    }  # fmt: skip
    assert drive.ended["files"] == {
        "container": "results",
        "folder": "team/run-1/",
        "documents": "team/run-1/documents/",
        "results": "team/run-1/results.jsonl",
        "failures": "team/run-1/failures.jsonl",
        "manifest": None,
        "output": "team/run-1/output.txt",
    }
    assert drive.ended["usage"]["total_tokens"] == USAGE["total_tokens"] + REDUCTION_USAGE.total_tokens
    assert (drive.ended["outcomes"], drive.ended["missing"], drive.ended["error"]) == ([], [], None)
    assert drive.pending_timers == []


# --- The map and its files ---


def test_the_stage_says_what_to_read_and_where(others: Others) -> None:
    plan(start())

    [stage] = others.stages
    assert (stage.name, stage.call, stage.pages, stage.works) == ("map", READ_DOCUMENTS, 2, 3)
    assert stage.folder.model_dump() == FOLDER
    assert stage.base_tokens > 0
    assert (stage.max_output_tokens, stage.redrive_of) == (90, None)


def test_the_files_are_written_from_the_shards_account(others: Others) -> None:
    drive = finishing(others, mapped(2, 1))

    given = asked(drive, FINISH_MAP).input
    assert (given["folder"], given["pages"], given["documents"], given["redrive_of"]) == (FOLDER, 2, 3, None)
    assert (given["tally"]["succeeded"], given["tally"]["failed"], given["status"]) == (2, 1, "partial")
    assert given["undecided"]["error"]["code"] == "branch_failed"


def test_what_is_in_the_files_counts_and_not_what_the_shards_knew(others: Others) -> None:
    """A call that was given up may have written its answer."""
    drive = finishing(others, mapped(1, 2))
    write_files(drive, 2, 1, missing=["in/2.txt"])

    assert (drive.ended["counts"]["succeeded"], drive.ended["counts"]["failed"]) == (2, 1)
    assert drive.ended["missing"] == ["in/2.txt"]
    assert others.reductions[0].tally.succeeded == 2


def test_a_missed_policy_fails_the_run_without_a_reduction_and_its_files_are_there(others: Others) -> None:
    drive = finishing(others, mapped(1, 2, "failure_tolerance_exceeded"), policy={"tolerated_failure_count": 1})
    assert asked(drive, FINISH_MAP).input["undecided"]["status"] == "cancelled"
    write_files(drive, 1, 2)

    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert drive.ended["files"]["results"] == "team/run-1/results.jsonl"
    assert (drive.ended["output"], others.reductions) == (None, [])


def test_works_that_nobody_has_told_of_are_missing(others: Others) -> None:
    drive = finishing(others, mapped(2, 0), policy={"tolerated_failure_count": 0})
    write_files(drive, 2, 0)

    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert drive.ended["counts"]["failed"] == 1


@pytest.mark.parametrize("interruption", ["deadline_exceeded", "budget_exhausted"])
def test_the_reduction_of_an_interrupted_map_knows_what_interrupted_it(
    others: Others, interruption: Interruption
) -> None:
    drive = finishing(others, mapped(2, 1, interruption))
    write_files(drive, 2, 1)

    assert verdict(drive.ended) == ("partial", interruption)
    assert others.reductions[0].interruption == interruption


def test_a_cancelled_run_waits_a_moment_for_its_files(others: Others) -> None:
    drive = finishing(others, mapped(2, 1, "cancelled", ["in/2.txt"]))
    drive.pass_time(CANCEL_GRACE_S)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert (drive.ended["files"]["results"], drive.ended["files"]["documents"]) == (None, "team/run-1/documents/")
    assert drive.ended["counts"]["succeeded"] == 2
    assert drive.ended["missing"] == ["in/2.txt"]
    assert others.reductions == []
    assert drive.pending_timers == []


def test_a_cancelled_run_whose_files_are_written_in_time_names_them(others: Others) -> None:
    drive = finishing(others, mapped(2, 1, "cancelled"))
    write_files(drive, 2, 1)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["files"]["failures"] == "team/run-1/failures.jsonl"
    assert drive.pending_timers == []


def test_a_cancel_while_files_are_written_ends_the_run(others: Others) -> None:
    drive = finishing(others, mapped(3))
    drive.raise_event(CANCEL_EVENT)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert others.reductions == []


def test_a_run_at_its_deadline_gets_time_for_its_files_and_no_more(others: Others) -> None:
    drive = finishing(others, mapped(2, 1, "deadline_exceeded"), policy={"deadline_s": 60})
    drive.pass_time_until(START + timedelta(seconds=60 + FILES_GRACE_S - 1))
    assert drive.result is None
    drive.pass_time(1)

    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["files"]["results"] is None
    assert drive.ended["error"]["code"] == "files_not_written"


def test_accounts_that_shards_give_while_the_files_are_waited_for_count(others: Others) -> None:
    early = replace(mapped(0, 3, "deadline_exceeded"), later=lambda: mapped(2, 1, missing=["in/2.txt"]))
    drive = finishing(others, early, policy={"deadline_s": 60})
    drive.pass_time_until(START + timedelta(seconds=60 + FILES_GRACE_S))

    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert (drive.ended["counts"]["succeeded"], drive.ended["missing"]) == (2, ["in/2.txt"])


def test_files_that_cannot_be_written_are_told_and_nothing_is_reduced(others: Others) -> None:
    drive = finishing(others, mapped(3))
    for _ in range(STEP_ATTEMPTS):
        drive.fail(asked(drive, FINISH_MAP), "storage did not answer")
        drive.pass_time(5)

    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert drive.ended["error"]["code"] == "files_not_written"
    assert "storage did not answer" in drive.ended["error"]["message"]
    assert drive.ended["counts"]["succeeded"] == 3
    assert others.reductions == []


def test_the_result_stays_small_however_many_names_are_missing(others: Others) -> None:
    names = [f"{number}/{'x' * 990}" for number in range(MAX_MISSING)]
    others.outcome = mapped(1, 10_000)
    drive = start()
    plan(drive, works=10_001, documents=10_001, pages=41)
    write_files(drive, 1, 10_000, missing=names)

    assert len(json.dumps(drive.ended)) < 100_000
    assert sum(map(len, drive.ended["missing"])) <= MAX_MISSING_CHARS
    assert drive.ended["missing"] == names[: len(drive.ended["missing"])]
    assert drive.ended["counts"]["failed"] == 10_000


# --- The reduction ---


@pytest.mark.parametrize(
    ("tally", "interruption", "expected"),
    [
        (Tally(succeeded=3), None, ("succeeded", "all_completed")),
        (Tally(succeeded=2, failed=1), None, ("partial", "aggregation_failed")),
        (Tally(succeeded=2), "deadline_exceeded", ("partial", "deadline_exceeded")),
        (Tally(succeeded=2, failed=1), "budget_exhausted", ("partial", "budget_exhausted")),
        (Tally(), "cancelled", ("cancelled", "cancelled")),
    ],
)
def test_the_verdict_counts_the_reduction(
    others: Others, tally: Tally, interruption: Interruption | None, expected: tuple[str, str]
) -> None:
    others.reduced = Reduced(answer(), tally, interruption)
    drive = finishing(others, mapped(3))
    write_files(drive)

    assert verdict(drive.ended) == expected
    assert drive.ended["output"]["output"] == "team/run-1/output.txt"


def test_an_answer_that_could_not_be_written_is_told(others: Others) -> None:
    others.reduced = Reduced(None, Tally(succeeded=1, failed=1), failure="storage did not answer")
    drive = finishing(others, mapped(3))
    write_files(drive)

    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert drive.ended["error"]["code"] == "reduction_failed"
    assert (drive.ended["output"], drive.ended["files"]["output"]) == (None, None)
    assert drive.ended["files"]["results"] == "team/run-1/results.jsonl"


def test_while_it_reduces_the_run_tells_how_the_map_went(others: Others) -> None:
    drive = finishing(others, mapped(2, 1))
    write_files(drive, 2, 1)

    assert drive.context.statuses[-2] == {
        "phase": "aggregation", "total": 3, "succeeded": 2, "failed": 1, "reused": 0, "tokens": USAGE["total_tokens"],
    }  # fmt: skip
