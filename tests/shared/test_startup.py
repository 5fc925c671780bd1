from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import pytest

from shared import startup
from shared.startup import TALKATIVE, start

SOUND = {"OPENAI_BASE_URL": "http://localhost:1/v1", "OPENAI_API_KEY": "key", "CHORUS_MODEL": "small"}


class App:
    """Takes where large payloads are kept."""

    def __init__(self) -> None:
        self.stores: list[object] = []

    def configure_large_payloads(self, *, payload_store: object) -> None:
        self.stores.append(payload_store)


def warnings_of(caplog: pytest.LogCaptureFixture, environ: dict[str, str], app: App | None = None) -> list[str]:
    start(cast(Any, app or App()), SOUND | environ)
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_with_sound_settings_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    app = App()

    assert warnings_of(caplog, {"CHORUS_STORAGE": "UseDevelopmentStorage=true"}, app) == []
    assert len(app.stores) == 1


@pytest.mark.parametrize(
    ("name", "value", "otherwise"),
    [
        ("CHORUS_TELEMETRY_CONTENT", "perhaps", "without telemetry"),
        ("CHORUS_MODEL_API", "telepathy", "its agents will fail"),
        ("CHORUS_STORAGE", "nonsense", "without storage"),
        ("CHORUS_RECIPES", "/nowhere", "without recipes"),
        ("CHORUS_CALLBACK_SECRET", "whsec_short", "without callbacks"),
        ("CHORUS_RETENTION_DAYS", "1", "purges no runs"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_costs(
    caplog: pytest.LogCaptureFixture, name: str, value: str, otherwise: str
) -> None:
    [warning] = warnings_of(caplog, {name: value})

    assert warning.startswith(f"The app starts, but {otherwise}: ")
    assert name in warning


def test_one_wrong_setting_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    wrong = {"CHORUS_MODEL_API": "telepathy", "CHORUS_STORAGE": "nonsense", "CHORUS_RETENTION_DAYS": "1"}

    assert len(warnings_of(caplog, wrong)) == len(wrong)


def test_a_missing_library_of_telemetry_costs_telemetry_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: object) -> None:
        raise ImportError("No module named 'opentelemetry'")

    monkeypatch.setattr(startup, "start_telemetry", missing)

    assert warnings_of(caplog, {}) == ["The app starts, but without telemetry: No module named 'opentelemetry'"]


def test_broken_recipes_are_named_one_by_one(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text("title = ")
    (tmp_path / "second.toml").write_text("title = 1")
    warnings = warnings_of(caplog, {"CHORUS_RECIPES": str(tmp_path)})

    assert [name in warning for name, warning in zip(("first", "second"), warnings, strict=True)] == [True, True]


@pytest.mark.parametrize("library", TALKATIVE)
def test_libraries_that_log_urls_and_prompts_are_kept_quiet(library: str) -> None:
    logging.getLogger(library).setLevel(logging.DEBUG)
    start(cast(Any, App()), SOUND)

    assert logging.getLogger(library).level == logging.WARNING
