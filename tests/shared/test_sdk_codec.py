"""In the strict typing mode that the app sets, the SDK leaves JSON alone that looks like an object to rebuild."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from azure.durable_functions.internal.converters import ActivityTriggerConverter
from azure.durable_functions.internal.serialization import FunctionsDataConverter
from azure.functions import meta
from hypothesis import HealthCheck, given, settings

from shared.contracts.branch import AgentReply
from shared.contracts.sectioning import SectioningRequest
from tests.shared.strategies import JSON_OBJECTS

ROOT = Path(__file__).parents[2]
SWITCH = "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING"
ENVELOPE = {"__class__": "Dissent", "__module__": "shared.contracts.decision", "__data__": {"voter": "x"}}
MARKED = {"__durabletask_autoobject__": True, "a": 1}
HOSTILE: list[Any] = [
    ENVELOPE,
    {**ENVELOPE, "__module__": "no.such.module"},
    {**ENVELOPE, "__class__": "popen", "__module__": "os"},
    {"__class__": 1, "__module__": [], "__data__": None},
    MARKED,
    [ENVELOPE, {"deep": [MARKED]}],
]


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> FunctionsDataConverter:
    monkeypatch.setenv(SWITCH, "1")
    return FunctionsDataConverter()


def reply_with(output: Any) -> Any:
    return AgentReply(output=output).model_dump(mode="json")


def request_with(data: Any) -> Any:
    schema = {"type": "object", "examples": [data], "properties": {"a": {"const": data}}}
    section = {"name": "a", "agent": {"instructions": "i", "output_schema": schema}}
    return SectioningRequest.model_validate({"input": "x", "sections": [section]}).model_dump(mode="json")


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("payload", [reply_with, request_with])
def test_orchestrations_read_hostile_data_as_data(hostile: Any, payload: Any, strict: FunctionsDataConverter) -> None:
    sent = payload(hostile)

    assert strict.deserialize(strict.serialize(sent)) == sent


@pytest.mark.parametrize("hostile", HOSTILE)
def test_activities_take_and_give_hostile_data_as_data(hostile: Any, strict: FunctionsDataConverter) -> None:
    sent = reply_with(hostile)

    given_back = ActivityTriggerConverter.encode(sent, expected_type=None)
    taken = ActivityTriggerConverter.decode(meta.Datum(given_back.value, "json"), trigger_metadata=None)

    assert json.loads(given_back.value) == taken == sent


@pytest.mark.parametrize("hostile", [ENVELOPE, {**ENVELOPE, "__module__": "no.such.module"}])
def test_without_the_mode_the_same_data_is_rebuilt_or_fails(hostile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    loose = FunctionsDataConverter()

    with pytest.raises((TypeError, ValueError)):
        loose.deserialize(loose.serialize(reply_with(hostile)))


@given(output=JSON_OBJECTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_output_is_read_as_it_was_written(output: Any, strict: FunctionsDataConverter) -> None:
    assert strict.deserialize(strict.serialize(reply_with(output))) == reply_with(output)


def test_importing_the_app_sets_the_mode() -> None:
    code = f"import os, function_app; print(os.environ[{SWITCH!r}])"
    env = {name: value for name, value in os.environ.items() if name != SWITCH}

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "1"
