"""Settings, secrets and runs for the tests of callbacks."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from durabletask.client import OrchestrationState, OrchestrationStatus

from shared.settings import CallbackSettings, load_callback_settings

RUN_ID = "0123456789abcdef0123456789abcdef"
RESULT_URL = f"https://chorus.example/api/runs/{RUN_ID}"
SIGNATURE = "sig=do-not-tell-AbC123"
URL = f"https://hooks.example.com/runs?sp=%2Ftriggers%2Fmanual&{SIGNATURE}"


def secret_of(byte: int) -> str:
    """A secret that consists of one byte, again and again."""
    return "whsec_" + base64.b64encode(bytes([byte]) * 32).decode()


SECRET, OLD_SECRET = secret_of(1), secret_of(2)


def settings(secret: str = SECRET, hosts: str = "hooks.example.com, *.logic.azure.com", **env: str) -> CallbackSettings:
    """The settings that these values make."""
    found = load_callback_settings({"CHORUS_CALLBACK_SECRET": secret, "CHORUS_CALLBACK_HOSTS": hosts, **env})
    assert found is not None
    return found


def run_that(status: str, result: Any = None, given: Any = None) -> OrchestrationState:
    """A run's orchestration with this runtime status."""
    return OrchestrationState(
        instance_id=RUN_ID,
        name="sectioning",
        runtime_status=OrchestrationStatus[status],
        created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        last_updated_at=datetime(2026, 3, 1, 13, tzinfo=UTC),
        serialized_input=None if given is None else json.dumps(given),
        serialized_output=None if result is None else json.dumps(result),
        serialized_custom_status=None,
        failure_details=None,
    )


def result_of_run(content: str = "An answer.", **fields: Any) -> dict[str, Any]:
    """A `RunResult`, as far as callbacks look at it."""
    return {
        "id": RUN_ID,
        "pattern": "sectioning",
        "redrive_of": None,
        "status": "succeeded",
        "completion_reason": "all_completed",
        "output": {"kind": "sections", "content": content},
        "usage": {"model_calls": 1},
        "started_at": "2026-03-01T12:00:00Z",
        "ended_at": "2026-03-01T12:00:05Z",
        **fields,
    }
