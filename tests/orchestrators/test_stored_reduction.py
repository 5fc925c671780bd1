"""The reduction of a run in storage as its orchestrator sees it: plans, stages, interruptions and the answer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest

import orchestrators.stored_reduction as under_test
from activities.names import CANCEL_EVENT, JOIN_OUTPUTS, PLAN_LEVEL, REDUCE_PARTS
from orchestrators.run import Run
from orchestrators.stage import StageOutcome
from orchestrators.stored_reduction import reduce_stored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.stored_reduction import StoredReduction
from shared.contracts.work import RunFolder, Stage, Tally
from tests.orchestrators.fake_context import JSON, Drive, FakeContext

FOLDER = RunFolder(container="results", name="run-1/", run_id="run-1")
TREE = {"type": "tree", "agent": {"instructions": "Reduce."}}


class Stages:
    """What stages come to, in order; each is kept, and the policy that it ran by."""

    def __init__(self, outcomes: Sequence[StageOutcome]) -> None:
        self.stages: list[Stage] = []
        self.policies: list[Any] = []
        self._outcomes = iter(outcomes)

    def run_stage(self, run: Run, stage: Stage) -> Generator[Any, Any, StageOutcome]:
        yield from ()
        self.stages.append(stage)
        self.policies.append(run.policy)
        return next(self._outcomes)


def start(
    monkeypatch: pytest.MonkeyPatch,
    *outcomes: StageOutcome,
    reduce: Any = None,
    interruption: Any = None,
    **policy: Any,
) -> tuple[Drive, Stages]:
    stages = Stages(outcomes)
    monkeypatch.setattr(under_test, "run_stage", stages.run_stage)
    request = MapReduceRequest.model_validate(
        {
            "documents": [{"id": "d0", "content": "text"}],
            "sink": {"container": "results"},
            "map": {"instructions": "Map."},
            "reduce": reduce or TREE,
            "defaults": {"model": "gpt-small"},
            "policy": policy,
        }
    )

    def orchestrator(context: Any) -> Generator[Any, Any, JSON]:
        run = Run.start(context, "map_reduce", request.policy, None)
        mapped = Tally(succeeded=9, failed=1)
        reduced = yield from reduce_stored(run, request, FOLDER, mapped, interruption, pages=2)
        output = reduced.output.model_dump(mode="json") if reduced.output else None
        told = {"failed": reduced.tally.failed, "succeeded": reduced.tally.succeeded, "failure": reduced.failure}
        return {"output": output, **told, "interruption": reduced.interruption, "missing": reduced.missing}

    return Drive(orchestrator, FakeContext({})), stages


def answer(drive: Drive, activity: str, result: Any) -> JSON:
    """Let the newest activity return this; its input."""
    call = drive.context.activities[-1]
    assert (call.name, call.task.is_complete) == (activity, False)
    drive.complete(call, result)
    return call.input


def planned(works: int, *clipped: str) -> JSON:
    return {"works": works, "pages": 1, "base_tokens": 7, "clipped": {"count": len(clipped), "names": list(clipped)}}


def done(succeeded: int, failed: int = 0, interruption: Any = None) -> StageOutcome:
    missing = [f"~reduce-{number}" for number in range(failed)]
    return StageOutcome(Tally(succeeded=succeeded, failed=failed), missing, interruption)


ANSWER = StoredReduction(reduction="tree", requested="tree", content="all", output="run-1/output.txt", documents=9)
WRITTEN = ANSWER.model_dump(mode="json")


def test_levels_are_planned_and_run_until_there_are_no_more_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, stages = start(monkeypatch, done(3, 1), done(1), tolerated_failure_count=0)
    first = answer(drive, PLAN_LEVEL, planned(4, "~reduce-0-1"))
    answer(drive, PLAN_LEVEL, planned(1))
    last = answer(drive, PLAN_LEVEL, planned(0))
    joining = answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert (first["number"], last["number"], first["pages"]) == (1, 3, 2)
    assert first["way"]["agent"]["model"] == "gpt-small"
    assert [(stage.name, stage.call, stage.works) for stage in stages.stages] == [
        ("reduce-1", REDUCE_PARTS, 4), ("reduce-2", REDUCE_PARTS, 1),
    ]  # fmt: skip
    assert stages.stages[0].base_tokens == 7
    assert [policy.tolerated_failure_count for policy in stages.policies] == [None, None]
    assert (joining["planned"], joining["calls_per_level"], joining["interrupted"]) == (2, [4, 1], False)
    assert joining["clipped"] == {"count": 1, "names": ["~reduce-0-1"]}
    assert drive.ended == {
        "output": WRITTEN,
        "failed": 1,
        "succeeded": 4,
        "failure": None,
        "interruption": None,
        "missing": ["~reduce-0"],
    }


def test_an_interrupted_level_is_the_last_and_what_there_is_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, _ = start(monkeypatch, done(1, 3, "budget_exhausted"))
    answer(drive, PLAN_LEVEL, planned(4))
    joining = answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert (joining["planned"], joining["interrupted"]) == (1, True)
    assert (drive.ended["interruption"], drive.ended["output"]) == ("budget_exhausted", WRITTEN)


def test_after_an_interrupted_map_no_call_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, stages = start(monkeypatch, interruption="deadline_exceeded")
    joining = answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert (joining["planned"], stages.stages) == (0, [])


@pytest.mark.parametrize("reduce", ["concatenate", {"type": "refine", "agent": {"instructions": "Refine."}}])
def test_ways_without_calls_are_joined_and_refinements_planned_like_levels(
    monkeypatch: pytest.MonkeyPatch, reduce: Any
) -> None:
    drive, _ = start(monkeypatch, done(1), reduce=reduce)
    if reduce != "concatenate":
        assert answer(drive, PLAN_LEVEL, planned(1))["way"]["type"] == "refine"
        answer(drive, PLAN_LEVEL, planned(0))
    answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert drive.ended["output"] == WRITTEN


def test_a_deadline_while_a_level_is_planned_ends_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, stages = start(monkeypatch, deadline_s=10)
    drive.pass_time(10)
    joining = answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert (joining["planned"], stages.stages) == (0, [])
    assert drive.ended["interruption"] == "deadline_exceeded"


def test_a_cancelled_run_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, _ = start(monkeypatch)
    drive.raise_event(CANCEL_EVENT)

    assert (drive.ended["interruption"], drive.ended["output"]) == ("cancelled", None)


def test_a_level_that_cannot_be_planned_is_told_as_a_failed_call(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, _ = start(monkeypatch)
    for _ in range(3):
        drive.fail(drive.context.activities[-1], "no storage")
        drive.pass_time(60)
    answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert drive.ended["failed"] == 1
    assert "no storage" in drive.ended["failure"]
    assert drive.ended["output"] == WRITTEN


def test_a_refinement_of_too_many_steps_keeps_its_answer_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MAX_LEVELS", 2)
    drive, _ = start(monkeypatch, done(1), done(1))
    answer(drive, PLAN_LEVEL, planned(1))
    answer(drive, PLAN_LEVEL, planned(1))
    joining = answer(drive, JOIN_OUTPUTS, WRITTEN)

    assert joining["planned"] == 2
    assert (drive.ended["failed"], drive.ended["output"]) == (1, WRITTEN)


def test_an_answer_that_is_not_written_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    drive, _ = start(monkeypatch, reduce="concatenate", deadline_s=10)
    drive.pass_time(10 + under_test.JOIN_GRACE_S)

    assert (drive.ended["output"], drive.ended["interruption"]) == (None, "deadline_exceeded")
