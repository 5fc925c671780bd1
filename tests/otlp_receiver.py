"""A receiver of OTLP over HTTP on this machine: what the app told, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, override

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.telemetry_receiver import WITHOUT_DELAY, TelemetryReceiver


@dataclass(frozen=True)
class ToldSpan:
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    is_error: bool


@dataclass
class OtlpReceiver(TelemetryReceiver):
    """`spans`, `points` (by the metric's name, the newest of each set of attributes), and `logs`."""

    PACKED = False
    spans: list[ToldSpan] = field(default_factory=list)
    points: dict[str, dict[frozenset[tuple[str, Any]], float]] = field(default_factory=dict)
    logs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """The environment of an app that tells this receiver, without delay."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "PYTHON_ENABLE_OPENTELEMETRY": "true",
            **WITHOUT_DELAY,
        }

    @override
    def take(self, path: str, body: bytes) -> bytes:
        {"/v1/traces": self._take_spans, "/v1/metrics": self._take_points, "/v1/logs": self._take_logs}[path](body)
        return b""

    @override
    def came(self) -> object:
        return [span.name for span in self.spans]

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
