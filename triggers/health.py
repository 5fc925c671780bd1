"""Whether the app is up, and whether its settings let it call a model."""

from __future__ import annotations

import json
import os
from typing import Any

import azure.functions as func

from shared.errors import SettingsError
from shared.settings import load_model_settings


async def health(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/health`: 200 as long as the app answers; `status` is `ok` or `misconfigured`, `problems` says why.

    A wrong setting is the same on every instance, so taking one out of rotation for it would help nobody.
    """
    del req
    body: dict[str, Any]
    try:
        settings = load_model_settings(os.environ)
    except SettingsError as exc:
        body = {"status": "misconfigured", "problems": exc.problems}
    else:
        body = {
            "status": "ok",
            "model": {"provider": settings.provider, "name": settings.model, "api": settings.api},
        }
    return func.HttpResponse(json.dumps(body), mimetype="application/json", headers={"Cache-Control": "no-store"})
