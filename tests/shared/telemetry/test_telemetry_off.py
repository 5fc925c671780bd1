"""Without a setting there is no telemetry, and it costs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from uuid import UUID

import pytest

from local_host.testing import ROOT

OFF = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "OTEL_EXPORTER_OTLP_ENDPOINT")
AZURE_MONITOR = "azure.monitor.opentelemetry.exporter"
OTLP = "opentelemetry.exporter.otlp.proto.http"
MODULES_OF = """
import json, sys
{imports}
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] == "opentelemetry" or "monitor" in name)))
"""
THE_SDK = "import azure.functions, azure.durable_functions"
THE_APP = f"""
{THE_SDK}
import function_app, activities.call_agent, activities.unit_calls, orchestrators.sectioning
from shared.settings import load_model_settings
from shared.telemetry.telemetry import attempt, run_ended
from shared.telemetry.facts import AttemptFacts
activities.call_agent.shared_model(load_model_settings({{"OPENAI_API_KEY": "x"}}))
with attempt(AttemptFacts("run-1", "b", 1, "a")) as under_way:
    under_way.failed("rate_limited")
run_ended({{}})
"""


def telemetry_modules(imports: str, **env: str) -> set[str]:
    """The modules of telemetry in a process of its own, after `imports`."""
    kept = {name: value for name, value in os.environ.items() if name not in OFF}
    code = MODULES_OF.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=kept | env, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_app_loads_nothing_that_the_sdk_does_not_load_by_itself() -> None:
    assert telemetry_modules(THE_APP) == telemetry_modules(THE_SDK)


def test_of_what_the_sdk_loads_by_itself_nothing_exports() -> None:
    exporting = ("opentelemetry.sdk", "opentelemetry.exporter", "azure.monitor")

    assert not [name for name in telemetry_modules(THE_SDK) if name.startswith(exporting)]


@pytest.mark.parametrize(
    ("name", "value", "module", "other"),
    [
        (OFF[1], "http://127.0.0.1:9", OTLP, AZURE_MONITOR),
        (OFF[0], f"InstrumentationKey={UUID(int=0)};IngestionEndpoint=http://127.0.0.1:9", AZURE_MONITOR, OTLP),
    ],
)
def test_a_setting_loads_its_own_exporter_and_no_other(name: str, value: str, module: str, other: str) -> None:
    loaded = telemetry_modules(f"{THE_SDK}\nimport function_app", **{name: value})

    assert module in loaded
    assert other not in loaded


def test_an_app_whose_connection_string_is_not_one_starts_without_telemetry() -> None:
    code = "import function_app; from shared.telemetry.telemetry import is_on; print(is_on())"
    env = {**os.environ, OFF[0]: "InstrumentationKey=planted"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
    assert OFF[0] in done.stderr
    assert "planted" not in done.stderr
