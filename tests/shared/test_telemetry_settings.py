from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.settings import TelemetrySettings, load_telemetry_settings

KEY = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://westeurope.example/"


@pytest.mark.parametrize(
    "env", [{}, {"APPLICATIONINSIGHTS_CONNECTION_STRING": " "}, {"CHORUS_TELEMETRY_CONTENT": "true"}]
)
def test_without_a_destination_there_is_no_telemetry(env: dict[str, str]) -> None:
    assert load_telemetry_settings(env) is None


def test_both_destinations_may_be_set() -> None:
    env = {"APPLICATIONINSIGHTS_CONNECTION_STRING": KEY, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}

    assert load_telemetry_settings(env) == TelemetrySettings(KEY, has_otlp_endpoint=True)


def test_texts_are_told_only_on_request() -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}

    told = [load_telemetry_settings({**env, "CHORUS_TELEMETRY_CONTENT": word}) for word in ("", "false", "True")]
    assert [settings is not None and settings.with_content for settings in told] == [False, False, True]


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"OTEL_SERVICE_NAME": "mine", "WEBSITE_SITE_NAME": "site"}, "mine"),
        ({"WEBSITE_SITE_NAME": "site"}, "site"),
        ({}, "chorus"),
    ],
)
def test_who_tells_is_the_service_or_the_function_app(env: dict[str, str], name: str) -> None:
    settings = load_telemetry_settings({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", **env})

    assert settings is not None
    assert settings.service_name == name


def test_wrong_settings_are_named_without_their_values() -> None:
    env = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "planted",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "planted:4317",
        "CHORUS_TELEMETRY_CONTENT": "planted",
    }
    with pytest.raises(SettingsError) as caught:
        load_telemetry_settings(env)

    assert [problem.partition(" ")[0] for problem in caught.value.problems] == list(env)
    assert "planted" not in str(caught.value)
    assert KEY not in repr(TelemetrySettings(KEY))
