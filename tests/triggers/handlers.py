"""The handlers of runs that exist, asked in the same way."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from tests.triggers.requests import FakeClient, on_run
from tests.triggers.requests import redrive as redrive_request
from triggers.redrive import redrive_run
from triggers.runs import cancel_run, get_run, view_run

HANDLERS: dict[str, Any] = {"GET": get_run, "VIEW": view_run, "DELETE": cancel_run, "REDRIVE": redrive_run}


async def ask(method: str, *states: Any, client: FakeClient | None = None, **request: Any) -> func.HttpResponse:
    """What the handler answers about a run when these orchestrations exist, or `client` knows of others."""
    client = client or FakeClient(list(states))
    asked = redrive_request(**request) if method == "REDRIVE" else on_run(method, **request)
    return await HANDLERS[method](asked, client)
