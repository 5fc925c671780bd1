"""A receiver of what Azure Monitor's exporter sends, on this machine: rows, as the tables of Application Insights have.

Only the columns that are asked for here; which part of an item becomes which column is documented by Azure, not tried.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from uuid import UUID

WAIT_LIMIT_S = 20.0
TABLES = {
    "RemoteDependencyData": "dependencies",
    "RequestData": "requests",
    "MessageData": "traces",
    "MetricData": "customMetrics",
    "ExceptionData": "exceptions",
}

type Row = dict[str, Any]


@dataclass
class AzureMonitorReceiver:
    """`rows` by table, the `paths` that were posted to, and the `raw` bytes, unpacked."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    raw: bytes = b""

    def __enter__(self) -> Self:
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                answer = json.dumps(receiver.take(self.path, body)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="azure-monitor", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def connection_string(self) -> str:
        """Of an Application Insights resource that is here."""
        return f"InstrumentationKey={UUID(int=0)};IngestionEndpoint=http://127.0.0.1:{self._server.server_port}/"

    @property
    def env(self) -> dict[str, str]:
        """The environment of an app that tells this receiver, without delay."""
        return {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": self.connection_string,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
        }

    def take(self, path: str, body: bytes) -> dict[str, Any]:
        """Keep the items of a request; what the service answers."""
        items: list[Row] = json.loads(body) if body.startswith(b"[") else [json.loads(line) for line in body.split()]
        with self._changed:
            self.raw += body
            self.paths.add(path.partition("?")[0])
            for item in items:
                self.rows.setdefault(TABLES[item["data"]["baseType"]], []).append(row_of(item))
            self._changed.notify_all()
        return {"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until `condition()` holds; it is looked at whenever something comes."""
        with self._changed:
            came = {table: len(rows) for table, rows in self.rows.items()}
            assert self._changed.wait_for(condition, WAIT_LIMIT_S), f"only came: {came}"

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
