"""A receiver of OTLP over HTTP on this machine: what the app told, as plain data."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

WAIT_LIMIT_S = 20.0


@dataclass(frozen=True)
class ToldSpan:
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    is_error: bool


@dataclass
class OtlpReceiver:
    """`spans`, `points` (by the metric's name, the newest of each set of attributes), `logs`, and `raw` bytes."""

    spans: list[ToldSpan] = field(default_factory=list)
    points: dict[str, dict[frozenset[tuple[str, Any]], float]] = field(default_factory=dict)
    logs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    raw: bytes = b""

    def __enter__(self) -> Self:
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    raise AssertionError("the exporters compress nothing by default")
                receiver.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="otlp", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def env(self) -> dict[str, str]:
        """The environment of an app that tells this receiver, without delay."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
            "PYTHON_ENABLE_OPENTELEMETRY": "true",
        }

    def take(self, path: str, body: bytes) -> None:
        with self._changed:
            self.raw += body
            {"/v1/traces": self._take_spans, "/v1/metrics": self._take_points, "/v1/logs": self._take_logs}[path](body)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until `condition()` holds; it is looked at whenever something comes."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_LIMIT_S), f"only came: {[span.name for span in self.spans]}"

    def of_run(self, run_id: str) -> list[ToldSpan]:
        """Its spans, the run's own too."""
        return [span for span in self.spans if span.attributes.get("chorus.run_id") == run_id]

    def total(self, metric: str, **attributes: Any) -> float:
        """The sum over the points of a metric that have these attributes, `_` for `.` in their names."""
        wanted = {name if "." in name else name.replace("_", "."): value for name, value in attributes.items()}
        return sum(value for key, value in self.points.get(metric, {}).items() if wanted.items() <= dict(key).items())

    def _take_spans(self, body: bytes) -> None:
        for told in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in told.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    is_error = span.status.code == span.status.STATUS_CODE_ERROR
                    self.spans.append(ToldSpan(span.name, *ids, plain(span.attributes), is_error))

    def _take_points(self, body: bytes) -> None:
        for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in told.scope_metrics:
                for metric in scope.metrics:
                    points = self.points.setdefault(metric.name, {})
                    for point in metric.sum.data_points:
                        points[frozenset(plain(point.attributes).items())] = point.as_int or point.as_double
                    for point in metric.histogram.data_points:
                        points[frozenset(plain(point.attributes).items())] = point.sum

    def _take_logs(self, body: bytes) -> None:
        for told in ExportLogsServiceRequest.FromString(body).resource_logs:
            for scope in told.scope_logs:
                self.logs += [(record.body.string_value, plain(record.attributes)) for record in scope.log_records]


def plain(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: plain_value(pair.value) for pair in pairs}


def plain_value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
