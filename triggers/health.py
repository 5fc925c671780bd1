"""Whether the app is up, and whether its settings let it call a model and use storage."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import azure.functions as func

from shared.errors import SettingsError
from shared.settings import load_callback_settings, load_model_settings, load_retention_days, load_storage_settings
from shared.version import VERSION
from triggers.headers import secured


async def health(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/health`: 200 as long as the app answers; `status` is `ok` or `misconfigured`, `problems` says why.

    A wrong setting is the same on every instance, so taking one out of rotation for it would help nobody.
    """
    del req
    body = health_of(os.environ)
    return secured(func.HttpResponse(json.dumps(body), mimetype="application/json"))


def health_of(env: Mapping[str, str]) -> dict[str, Any]:
    """What the settings come to. Anybody may read it: it names no container and no account."""
    problems: list[str] = []
    body: dict[str, Any] = {"status": "ok", "version": VERSION}
    try:
        model = load_model_settings(env)
        body["model"] = {"provider": model.provider, "name": model.model, "api": model.api}
    except SettingsError as exc:
        problems += exc.problems
    try:
        storage = load_storage_settings(env)
        if storage is not None:
            body["storage"] = {"sources": len(storage.sources), "sinks": len(storage.sinks)}
    except SettingsError as exc:
        problems += exc.problems
    try:
        callbacks = load_callback_settings(env)
        if callbacks is not None:
            body["callbacks"] = {"hosts": len(callbacks.hosts)}
    except SettingsError as exc:
        problems += exc.problems
    try:
        days = load_retention_days(env)
        if days is not None:
            body["retention_days"] = days
    except SettingsError as exc:
        problems += exc.problems
    return {"status": "misconfigured", "version": VERSION, "problems": problems} if problems else body
