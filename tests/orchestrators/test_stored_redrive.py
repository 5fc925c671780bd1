"""A redrive of a map-reduce in storage. The shards and the reduction are scripted."""

from __future__ import annotations

from typing import Any

import pytest

from activities.names import FINISH_MAP, PLAN_DOCUMENTS, TAKE_OVER
from orchestrators.planning import POLICY_MISFIT
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.given import verdict
from tests.orchestrators.stored_given import EARLIER, FOLDER, Others, asked, plan, scripted, start, write_files


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    return scripted(monkeypatch)


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
