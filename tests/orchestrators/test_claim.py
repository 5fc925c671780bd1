"""A claim on an idempotency key."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from activities.names import RUN_STARTED_EVENT
from orchestrators.claim import KEY_HOLDS_H, claim
from shared.contracts.claim import STARTED
from tests.orchestrators.fake_context import Drive, FakeContext

CLAIM = {"fingerprint": "f" * 64, "run_id": "r", "pattern": "voting"}
HOST_JSON = Path(__file__).parents[2] / "host.json"


def test_a_claim_goes_on_for_as_long_as_its_key_holds() -> None:
    drive = Drive(cast(Any, claim), FakeContext(CLAIM))
    drive.pass_time(timedelta(hours=KEY_HOLDS_H).total_seconds() - 1)
    assert drive.steps == 1

    drive.pass_time(1)

    assert drive.steps == 2
    assert (drive.context.children, drive.context.activities) == ([], [])


def test_a_claim_remembers_that_its_run_was_started_and_goes_on() -> None:
    drive = Drive(cast(Any, claim), FakeContext(CLAIM))
    drive.raise_event(RUN_STARTED_EVENT)
    assert drive.context.statuses[-1] == STARTED

    drive.pass_time(timedelta(hours=KEY_HOLDS_H).total_seconds() - 1)
    assert drive.pending_timers != []

    drive.pass_time(1)
    assert (drive.pending_timers, drive.steps) == ([], 3)


def test_the_host_replaces_no_claim_that_goes_on() -> None:
    durable_task = json.loads(HOST_JSON.read_text())["extensions"]["durableTask"]

    assert durable_task["overridableExistingInstanceStates"] == "NonRunningStates"
