"""Map-reduce in storage: plan, map, files, reduction. The shards and the reduction are scripted."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

import orchestrators.stored_map_reduce as under_test
from activities.names import CANCEL_EVENT, FINISH_MAP, PLAN_DOCUMENTS, READ_DOCUMENTS, TAKE_OVER
from orchestrators.map_reduce import map_reduce
from orchestrators.planning import NO_DOCUMENTS, POLICY_MISFIT, SOURCE_NOT_USABLE
from orchestrators.stage import StageOutcome
from orchestrators.step import STEP_ATTEMPTS
from orchestrators.stored_map_reduce import CANCEL_GRACE_S, FILES_GRACE_S
from orchestrators.stored_reduction import Reduced
from shared.contracts.branch import Usage
from shared.contracts.missing import MAX_MISSING, MAX_MISSING_CHARS
from shared.contracts.policy import Interruption
from shared.contracts.results import FinishedMap
from shared.contracts.storage import StoredFiles
from shared.contracts.stored_reduction import StoredReduction
from shared.contracts.work import RunFolder, Stage, Tally
from tests.orchestrators.fake_context import JSON, START, Call, Drive, FakeContext
from tests.orchestrators.given import USAGE, documents_request, verdict

FOLDER = {"container": "results", "name": "team/run-1/", "run_id": "run-1"}
EARLIER = {"container": "results", "name": "team/run-0/", "run_id": "run-0"}
REDUCTION_USAGE = Usage(model_calls=1, input_tokens=7, output_tokens=3, total_tokens=10)


def request(**fields: Any) -> JSON:
    source = {"container": "documents", "prefix": "in/", "glob": "*.txt"}
    sink = {"container": "results", "prefix": "team"}
    agents = {"map": {"instructions": "Map.", "max_output_tokens": 90}, "reduce": {"instructions": "Reduce."}}
    return {"source": source, "sink": sink, **agents, **fields}


class Asked(NamedTuple):
    """What the reduction was asked for."""

    folder: RunFolder
    tally: Tally
    interruption: Interruption | None
    pages: int
    redrive_of: RunFolder | None


@dataclass
class Others:
    """The parts of a run that others have: what was asked of them, and what they say."""

    outcome: StageOutcome = field(default_factory=lambda: mapped(3))
    reduced: Reduced = field(default_factory=lambda: Reduced(answer(), Tally(succeeded=1, usage=REDUCTION_USAGE)))
    stages: list[Stage] = field(default_factory=list[Stage])
    reductions: list[Asked] = field(default_factory=list[Asked])

    def run_stage(self, _: Any, stage: Stage) -> Generator[Any, Any, StageOutcome]:
        yield from ()
        self.stages.append(stage)
        return self.outcome

    def reduce_stored(
        self, _run: Any, _request: Any, folder: RunFolder, tally: Tally, interruption: Interruption | None, **more: Any
    ) -> Generator[Any, Any, Reduced]:
        yield from ()
        self.reductions.append(Asked(folder, tally, interruption, **more))
        return self.reduced


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    others = Others()
    monkeypatch.setattr(under_test, "run_stage", others.run_stage)
    monkeypatch.setattr(under_test, "reduce_stored", others.reduce_stored)
    return others


def mapped(
    succeeded: int, failed: int = 0, interruption: Interruption | None = None, missing: list[str] | None = None
) -> StageOutcome:
    tally = Tally(succeeded=succeeded, failed=failed, usage=Usage.model_validate(USAGE))
    return StageOutcome(tally=tally, missing=missing or [], interruption=interruption)


def answer() -> StoredReduction:
    return StoredReduction.model_validate(
        {
            "reduction": "agent",
            "requested": "tree",
            "content": "All is well.",
            "output": "team/run-1/output.txt",
            "documents": 3,
        }
    )


def start(redrive: JSON | None = None, **fields: Any) -> Drive:
    return Drive(map_reduce, FakeContext({"request": request(**fields), "redrive": redrive}))


def asked(drive: Drive, activity: str) -> Call:
    """The newest call of this activity, which nobody has answered."""
    call = drive.context.activities[-1]
    assert call.name == activity
    assert not call.task.is_complete
    return call


def plan(drive: Drive, **fields: Any) -> None:
    """Let a step of planning end: by default all is planned."""
    totals = {"pages": 2, "works": 3, "documents": 3, "unreadable": 0, "bytes": 9, "tokens": 9, "cursor": None}
    drive.complete(asked(drive, PLAN_DOCUMENTS), {**totals, "problem": None, **fields})


def write_files(drive: Drive, succeeded: int = 3, failed: int = 0, **fields: Any) -> None:
    """Let `finish_map` end."""
    names = {name: f"team/run-1/{name}.jsonl" for name in ("results", "failures")}
    files = StoredFiles(container="results", folder="team/run-1/", documents="team/run-1/documents/", **names)
    tally = Tally(succeeded=succeeded, failed=failed, usage=Usage.model_validate(USAGE))
    written = FinishedMap.model_validate({"files": files, "tally": tally, **fields})
    drive.complete(asked(drive, FINISH_MAP), written.model_dump(mode="json"))


def finishing(others: Others, outcome: StageOutcome, **fields: Any) -> Drive:
    """A run of three documents whose map came to this, and whose files are being written."""
    others.outcome = outcome
    drive = start(**fields)
    plan(drive)
    asked(drive, FINISH_MAP)
    return drive


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


# --- Planning ---


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


# --- Redrive ---


def redrive(**planned: Any) -> JSON:
    return {"run_id": "run-0", "reused": [], "folder": EARLIER, "planned": planned or None}


def test_a_redrive_takes_the_plan_over_and_looks_for_results(others: Others) -> None:
    drive = start(redrive(documents=2, works=3, pages=2), policy={"attempts": 5})
    taken = asked(drive, TAKE_OVER)
    assert (taken.input["folder"], taken.input["earlier"]) == (FOLDER, EARLIER)
    assert taken.input["policy"]["attempts"] == 5
    drive.complete(taken, {"problem": None})

    [stage] = others.stages
    assert (stage.pages, stage.works) == (2, 3)
    assert stage.redrive_of is not None
    assert stage.redrive_of.model_dump() == EARLIER
    assert asked(drive, FINISH_MAP).input["redrive_of"] == EARLIER
    write_files(drive)
    assert (others.reductions[0].pages, others.reductions[0].redrive_of) == (2, stage.redrive_of)
    assert drive.ended["redrive_of"] == "run-0"
    assert drive.ended["counts"]["documents"] == 2


def test_a_redrive_of_a_run_that_was_not_planned_plans_anew(others: Others) -> None:
    drive = start(redrive())
    plan(drive)

    assert others.stages[0].redrive_of is None
    assert [call.name for call in drive.context.activities] == [PLAN_DOCUMENTS, FINISH_MAP]


def test_a_redrive_whose_first_run_s_folder_is_gone_fails_and_says_so(others: Others) -> None:
    drive = start(redrive(documents=2, works=3, pages=2))
    drive.complete(asked(drive, TAKE_OVER), {"problem": "the folder 'team/run-0/' cannot be read any more"})

    assert verdict(drive.ended) == ("failed", "planning_failed")
    assert "team/run-0/" in drive.ended["error"]["message"]
    assert others.stages == []


def test_a_redrive_with_a_policy_that_its_documents_cannot_meet_fails(others: Others) -> None:
    drive = start(redrive(documents=2, works=3, pages=2), policy={"min_successful": 9})
    drive.complete(asked(drive, TAKE_OVER), {"problem": None})

    assert drive.ended["error"]["code"] == POLICY_MISFIT
    assert others.stages == []
