"""What runs of older versions decide as they did, and what they tell their shards."""

from __future__ import annotations

import json

import pytest

from activities.names import SHARD
from orchestrators.versions import BEFORE_2, hedges_sooner
from shared.contracts.base import restored
from shared.contracts.work import Stage
from tests.orchestrators.relay import FOLDER, singles
from tests.orchestrators.stored_runs import StoredRuns

STAGE = Stage(name="map", call="read", folder=FOLDER, pages=1, works=1)


@pytest.mark.parametrize(("version", "sooner"), [(None, False), ("1.0", False), ("2.0", True), ("10.0", True)])
def test_hedges_are_hedged_sooner_from_2_on(version: str | None, sooner: bool) -> None:
    assert hedges_sooner(version) is sooner
    assert (version in BEFORE_2) is not sooner


def test_a_shard_whose_run_does_not_speak_of_it_hedges_as_before() -> None:
    told = json.loads(STAGE.model_dump_json())

    assert "hedges_sooner" not in told
    assert restored(Stage, told).hedges_sooner is False


def test_a_shard_is_told_by_a_run_that_hedges_sooner() -> None:
    told = json.loads(STAGE.model_copy(update={"hedges_sooner": True}).model_dump_json())

    assert restored(Stage, told).hedges_sooner is True


def test_all_shards_of_a_run_that_starts_now_are_told_to() -> None:
    with StoredRuns() as stored:
        stored.start_run(singles(1, 2), levels=(2, 1))
        stored.result()
        children = [event.subOrchestrationInstanceCreated for event in stored.history(stored.run_id)]
    stages = [json.loads(child.input.value)["stage"] for child in children if child.name == SHARD]

    assert {stage["name"] for stage in stages} == {"map", "reduce-1", "reduce-2"}
    assert all(stage["hedges_sooner"] for stage in stages)
