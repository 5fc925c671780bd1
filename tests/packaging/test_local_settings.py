"""local.settings.json.example names every setting that the app reads, and no secret."""

from __future__ import annotations

import json

from shared import settings
from tests.packaging.checkout import ROOT

EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))
OF_THE_PLATFORM = {
    "AzureWebJobsStorage",
    "FUNCTIONS_WORKER_RUNTIME",
    "PYTHON_ENABLE_INIT_INDEXING",
    "PYTHON_ENABLE_OPENTELEMETRY",
}
OF_THE_LOCAL_HOST = {settings.CHORUS_CALLBACK_LOOPBACK}
"""Set by the local host and never by people."""

READ_BY_THE_APP = {value for name, value in vars(settings).items() if name.isupper() and name == value}
"""The settings module has a constant for each setting, which has its name."""


def test_it_has_every_setting_that_the_app_reads_and_none_that_nobody_reads() -> None:
    assert set(EXAMPLE["Values"]) - OF_THE_PLATFORM == READ_BY_THE_APP - OF_THE_LOCAL_HOST


def test_it_starts_with_azurite_and_without_secrets() -> None:
    values = EXAMPLE["Values"]

    assert EXAMPLE["IsEncrypted"] is False
    assert values["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert [name for name, value in values.items() if value and ("KEY" in name or "SECRET" in name)] == []


def test_its_values_are_settings_that_the_app_takes() -> None:
    values = {**EXAMPLE["Values"], settings.OPENAI_API_KEY: "any"}

    assert settings.load_model_settings(values).provider == "openai"
    assert settings.load_storage_settings(values) is None
    assert settings.load_callback_settings(values) is None
