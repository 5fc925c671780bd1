"""A receiver of what Azure Monitor's exporter sends, on this machine: rows, as the tables of Application Insights have.

Only the columns that are asked for here; which part of an item becomes which column is documented by Azure, not tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, override
from uuid import UUID

from tests.telemetry_receiver import WITHOUT_DELAY, TelemetryReceiver

TABLES = {
    "RemoteDependencyData": "dependencies",
    "RequestData": "requests",
    "MessageData": "traces",
    "MetricData": "customMetrics",
    "ExceptionData": "exceptions",
}

type Row = dict[str, Any]


@dataclass
class AzureMonitorReceiver(TelemetryReceiver):
    """`rows` by table, and the `paths` that were posted to."""

    PACKED = True
    rows: dict[str, list[Row]] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    @property
    def connection_string(self) -> str:
        """Of an Application Insights resource that is here."""
        return f"InstrumentationKey={UUID(int=0)};IngestionEndpoint={self.url}/"

    @property
    def env(self) -> dict[str, str]:
        """The environment of an app that tells this receiver, without delay."""
        return {"APPLICATIONINSIGHTS_CONNECTION_STRING": self.connection_string, **WITHOUT_DELAY}

    @override
    def take(self, path: str, body: bytes) -> bytes:
        items: list[Row] = (
            json.loads(body) if body.startswith(b"[") else [json.loads(each) for each in body.splitlines()]
        )
        self.paths.add(path.partition("?")[0])
        for item in items:
            self.rows.setdefault(TABLES[item["data"]["baseType"]], []).append(row_of(item))
        return json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()

    @override
    def came(self) -> object:
        return {table: len(rows) for table, rows in self.rows.items()}

    def of_run(self, run_id: str, table: str = "dependencies") -> list[Row]:
        """The rows that name the run."""
        return [row for row in self.rows.get(table, []) if row["customDimensions"].get("chorus.run_id") == run_id]

    def total(self, metric: str, dimensions: Mapping[str, str]) -> float:
        """The sum of a metric over the rows that have these dimensions: each row is what came since the one before."""
        found = [row for row in self.rows.get("customMetrics", []) if row["name"] == metric]
        return sum(row["valueSum"] for row in found if dimensions.items() <= row["customDimensions"].items())


def row_of(item: Row) -> Row:
    tags, data = item.get("tags", {}), item["data"]["baseData"]
    row: Row = {
        "timestamp": item["time"],
        "itemCount": round(100 / item.get("sampleRate", 100)),
        "operation_Id": tags.get("ai.operation.id"),
        "operation_ParentId": tags.get("ai.operation.parentId"),
        "cloud_RoleName": tags.get("ai.cloud.role"),
        "customDimensions": data.get("properties", {}),
    }
    if metrics := data.get("metrics"):
        return row | {"name": metrics[0]["name"], "valueSum": metrics[0]["value"]}
    named = {name: data[name] for name in ("id", "name", "success", "message", "severityLevel") if name in data}
    return row | named | ({"duration": milliseconds(data["duration"])} if "duration" in data else {})


def milliseconds(duration: str) -> float:
    """Of `days.hours:minutes:seconds`."""
    found = re.fullmatch(r"(\d+)\.(\d+):(\d+):([\d.]+)", duration)
    assert found, duration
    days, hours, minutes, seconds = (float(part) for part in found.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000
