"""What receivers get."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from durabletask.client import OrchestrationState
from standardwebhooks import Webhook, WebhookVerificationError

from shared.callbacks.messages import MAX_BODY_BYTES, headers_for, message_of
from tests.shared.callbacks.given import (
    OLD_SECRET,
    RESULT_URL,
    RUN_ID,
    SECRET,
    result_of_run,
    run_that,
    secret_of,
    settings,
)


def test_a_run_is_told_with_its_whole_result() -> None:
    result = result_of_run("Ünïcode, “quotes” and \u2028 lines")

    told = json.loads(message_of(run_that("COMPLETED", result), RESULT_URL))

    assert told == {
        "type": "run.completed",
        "timestamp": "2026-03-01T12:00:05Z",
        "data": {
            "id": RUN_ID,
            "pattern": "sectioning",
            "status": "succeeded",
            "completion_reason": "all_completed",
            "result_url": RESULT_URL,
            "result": result,
        },
    }


@pytest.mark.parametrize(
    "run",
    [run_that("COMPLETED", result_of_run(recipe="research")), run_that("FAILED", given={"recipe": "research"})],
)
def test_the_recipe_of_a_run_is_told(run: OrchestrationState) -> None:
    assert json.loads(message_of(run, RESULT_URL))["data"]["recipe"] == "research"


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_result_is_told_by_reference_beyond_the_largest_body(beyond: int) -> None:
    room = MAX_BODY_BYTES - len(message_of(run_that("COMPLETED", result_of_run("")), RESULT_URL).encode())
    body = message_of(run_that("COMPLETED", result_of_run("x" * (room + beyond))), RESULT_URL)

    assert len(body.encode()) <= MAX_BODY_BYTES
    told = json.loads(body)["data"]
    assert ("result" in told, "summary" in told) == ((False, True) if beyond else (True, False))
    if beyond:
        assert told["result_url"] == RESULT_URL
        assert told["summary"] == {
            "started_at": "2026-03-01T12:00:00Z", "ended_at": "2026-03-01T12:00:05Z", "usage": {"model_calls": 1},
        }  # fmt: skip


@pytest.mark.parametrize(
    ("runtime_status", "status", "reason", "code"),
    [("TERMINATED", "cancelled", "cancelled", "terminated"), ("FAILED", "failed", "internal_error", "internal_error")],
)
def test_a_run_that_died_is_told_by_reference(runtime_status: str, status: str, reason: str, code: str) -> None:
    body = message_of(run_that(runtime_status), RESULT_URL)

    told = json.loads(body)
    data = told["data"]
    assert (data["status"], data["completion_reason"], data["result_url"]) == (status, reason, RESULT_URL)
    assert data["summary"]["error"]["code"] == code
    assert told["timestamp"] == data["summary"]["ended_at"] == "2026-03-01T13:00:00Z"


def test_a_signature_is_verified_with_each_secret_and_no_other() -> None:
    body = message_of(run_that("COMPLETED", result_of_run()), RESULT_URL)
    headers = headers_for(RUN_ID, body, settings(f"{SECRET} {OLD_SECRET}"), datetime.now(UTC))

    assert Webhook(SECRET).verify(body, headers)["data"]["id"] == RUN_ID
    assert Webhook(OLD_SECRET).verify(body, headers)["data"]["id"] == RUN_ID
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(3)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace("succeeded", "cancelled"), headers)


def test_attempts_share_their_id_and_body_and_have_a_time_each() -> None:
    body = message_of(run_that("COMPLETED", result_of_run()), RESULT_URL)
    first, second = (headers_for(RUN_ID, body, settings(), datetime(2026, 3, 1, 12, at, tzinfo=UTC)) for at in (0, 1))

    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60
    assert first["webhook-signature"] != second["webhook-signature"]
