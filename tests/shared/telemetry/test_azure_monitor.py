"""Azure Monitor's exporter as the app makes it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from azure.monitor.opentelemetry.exporter._configuration._state import get_configuration_manager
from azure.monitor.opentelemetry.exporter.export import _base
from azure.monitor.opentelemetry.exporter.statsbeat._state import is_statsbeat_enabled

from local_host.testing import ROOT
from shared.telemetry.exporters import BY_ITSELF_OFF, to_azure_monitor
from shared.telemetry.facts import AttemptFacts
from shared.telemetry.open_telemetry import OpenTelemetry
from tests.azure_monitor_receiver import AzureMonitorReceiver

AUTHENTICATION = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
IS_TALKATIVE = f"print(logging.getLogger({_base.__name__!r}).isEnabledFor(logging.INFO))"
TOLD_BY_INFRA = "ClientId=2f6c;Authorization=AAD"


@pytest.fixture
def receiver() -> Iterator[AzureMonitorReceiver]:
    """A receiver, and an environment that is put back afterwards, without the settings that the app gives itself."""
    with AzureMonitorReceiver() as receiver, patch.dict(os.environ):
        for name in (*BY_ITSELF_OFF, AUTHENTICATION):
            os.environ.pop(name, None)
        yield receiver


def test_spans_are_sent_and_nothing_else_is_and_no_error_is_logged(
    receiver: AzureMonitorReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = OpenTelemetry([to_azure_monitor(receiver.connection_string, os.environ)])
    with telemetry.attempt(AttemptFacts("r", "b", 1, "a")):
        pass
    telemetry.close()

    assert [row["name"] for rows in receiver.rows.values() for row in rows] == ["invoke_agent a"]
    assert receiver.paths == {"/v2.1/track"}
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_exporter_asks_and_tells_nobody_else(receiver: AzureMonitorReceiver) -> None:
    to_azure_monitor(receiver.connection_string, os.environ)

    assert not is_statsbeat_enabled()
    assert get_configuration_manager() is None


def test_who_wants_what_the_exporter_tells_by_itself_may_have_it(receiver: AzureMonitorReceiver) -> None:
    os.environ[BY_ITSELF_OFF[-1]] = "false"
    to_azure_monitor(receiver.connection_string, os.environ)

    assert os.environ[BY_ITSELF_OFF[-1]] == "false"


def test_each_batch_that_is_sent_is_no_line_in_the_log_of_the_worker() -> None:
    code = f"import logging; logging.getLogger().setLevel('INFO'); import function_app; {IS_TALKATIVE}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_the_managed_identity_that_infra_names_signs_in(
    receiver: AzureMonitorReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(_base, "ManagedIdentityCredential", lambda **given: made.append(given))
    os.environ[AUTHENTICATION] = TOLD_BY_INFRA
    to_azure_monitor(receiver.connection_string, os.environ)

    assert made == [{"client_id": "2f6c"}] * 3
