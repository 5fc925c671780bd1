"""Where spans, metrics and logs go: Azure Monitor, an OTLP endpoint over HTTP, or both.

The exporters read the rest of their settings themselves, from the environment: those of `OTEL_EXPORTER_OTLP_*`, and
`APPLICATIONINSIGHTS_AUTHENTICATION_STRING`, by which Azure Monitor takes the app's managed identity for a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import SettingsError
from shared.settings import APPLICATIONINSIGHTS_CONNECTION_STRING

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from shared.settings import TelemetrySettings


@dataclass(frozen=True, slots=True)
class Exporters:
    """One of each kind, of one destination."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter


def exporters_for(settings: TelemetrySettings) -> list[Exporters]:
    """One for each destination."""
    found: list[Exporters] = []
    if settings.connection_string is not None:
        found.append(to_azure_monitor(settings.connection_string))
    if settings.has_otlp_endpoint:
        found.append(to_otlp())
    return found


def to_azure_monitor(connection_string: str) -> Exporters:
    """Those of Application Insights; raise SettingsError if that is no connection string.

    What cannot be sent is not kept on the disk of an instance that may soon end.
    """
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    try:
        return Exporters(
            AzureMonitorTraceExporter(connection_string=connection_string, disable_offline_storage=True),
            AzureMonitorMetricExporter(connection_string=connection_string, disable_offline_storage=True),
            AzureMonitorLogExporter(connection_string=connection_string, disable_offline_storage=True),
        )
    except ValueError:  # quotes the string
        problem = f"{APPLICATIONINSIGHTS_CONNECTION_STRING} is not a connection string of Application Insights"
        raise SettingsError([problem]) from None


def to_otlp() -> Exporters:
    """Those of the endpoint that the environment names."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Exporters(OTLPSpanExporter(), OTLPMetricExporter(), OTLPLogExporter())
