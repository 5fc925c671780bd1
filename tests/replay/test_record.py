"""Recording everything leaves no history out."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.replay.history
from tests.replay import record


def test_the_history_of_a_shard_stays_when_everything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "shards_out_of_budget"
    monkeypatch.setattr(tests.replay.history, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "SCENARIOS", {})
    monkeypatch.setattr(record, "STAGE_SCENARIOS", {name: record.STAGE_SCENARIOS[name]})
    monkeypatch.setattr(record, "STORED_SCENARIOS", {})
    (tmp_path / "of_no_scenario.json").touch()

    record.main([])

    assert [path.name for path in tmp_path.iterdir()] == ["shards_out_of_budget_2.json"]
