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
    from collections.abc import MutableMapping

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from shared.settings import TelemetrySettings

BY_ITSELF_OFF = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)
"""Settings of Azure Monitor's exporter that turn off what it tells unasked: how it fares, to a resource of Microsoft's
and to the app's own; the flags that it asks Microsoft for each hour; and, with each batch of spans, a metric about the
process, for which it looks at the process's provider, finds none of the SDK, and logs an error with a traceback."""


@dataclass(frozen=True, slots=True)
class Exporters:
    """One of each kind, of one destination."""

    spans: SpanExporter
    metrics: MetricExporter
    logs: LogRecordExporter


def exporters_for(settings: TelemetrySettings, env: MutableMapping[str, str]) -> list[Exporters]:
    """One for each destination. `env` is the process's."""
    found: list[Exporters] = []
    if settings.connection_string is not None:
        found.append(to_azure_monitor(settings.connection_string, env))
    if settings.has_otlp_endpoint:
        found.append(to_otlp())
    return found


def to_azure_monitor(connection_string: str, env: MutableMapping[str, str]) -> Exporters:
    """Those of Application Insights; raise SettingsError if that is no connection string.

    What cannot be sent is not kept on the disk of an instance that may soon end, and the exporter sends nothing of its
    own, unless `env`, the process's, says otherwise.
    """
    for name in BY_ITSELF_OFF:
        env.setdefault(name, "true")
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
