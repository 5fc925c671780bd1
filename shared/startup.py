"""What the app does once, when it is loaded. A wrong setting costs what it is for, and nothing else: the app starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING

from shared.errors import SettingsError
from shared.recipes.folder import folder_of
from shared.settings import (
    load_callback_settings,
    load_model_settings,
    load_retention_days,
    load_storage_settings,
    load_telemetry_settings,
)

if TYPE_CHECKING:
    import azure.durable_functions as df

logger = logging.getLogger("chorus")
TALKATIVE = ("azure.core", "azure.identity", "azure.monitor", "azure.storage", "httpx", "httpx2", "openai")
"""Clients of other services: at INFO they log each request with its URL, at DEBUG the prompts in it."""


def start(app: df.DFApp, environ: MutableMapping[str, str]) -> None:
    """Take every step; the log names the settings of those that fail, and what the app does without."""
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("without telemetry", lambda: start_telemetry(environ)),
        ("its agents will fail", lambda: load_model_settings(environ)),
        ("without storage", lambda: keep_large_payloads(app, environ)),
        ("without recipes", lambda: name_broken_recipes(environ)),
        ("without callbacks", lambda: load_callback_settings(environ)),
        ("purges no runs", lambda: load_retention_days(environ)),
    )
    for library in TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)
    for otherwise, step in steps:
        try:
            step()
        except (SettingsError, ImportError) as exc:
            logger.warning("The app starts, but %s: %s", otherwise, exc)


def start_telemetry(environ: MutableMapping[str, str]) -> None:
    """Tell what happens by OpenTelemetry, where that is configured; imports nothing of it otherwise."""
    if telling := load_telemetry_settings(environ):
        from shared.telemetry.open_telemetry import started
        from shared.telemetry.telemetry import tell_by

        tell_by(started(telling, environ))


def keep_large_payloads(app: df.DFApp, environ: Mapping[str, str]) -> None:
    """Keep what is too large for history in storage, where that is configured."""
    if storage := load_storage_settings(environ):
        from shared.payload_store import payloads_in

        app.configure_large_payloads(payload_store=payloads_in(storage))


def name_broken_recipes(environ: Mapping[str, str]) -> None:
    """Log each recipe that cannot be started, and why."""
    for broken in folder_of(environ).problems():
        logger.warning("The app starts, but without one of its recipes: %s", broken)
