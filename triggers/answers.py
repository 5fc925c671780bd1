"""What every handler answers in the same way: JSON, problems, and where to ask again."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import azure.functions as func

from shared.contracts.base import Contract
from shared.task_hub import is_too_large, is_unreachable
from triggers.problems import Problem

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

Handler = Callable[[func.HttpRequest, "DurableFunctionsClient"], Awaitable[func.HttpResponse]]

LOG = logging.getLogger("chorus.triggers")

RETRY_AFTER_S = 2
TASK_HUB_UNAVAILABLE = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "task_hub_unavailable",
    "The store of all runs does not answer for now. Try again later; if this was to start a run, it may have started.",
)

TOO_LARGE = Problem(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "run_too_large",
    "The run holds more than the store of all runs passes on in one message; trying again does not help. "
    "Split the material over several runs, have the agents answer in fewer words (max_output_tokens), or let a "
    "map-reduce work in storage (source, sink).",
)


def answering_problems(handler: Handler) -> Handler:
    """`handler`, with its `Problem`s as answers."""

    @functools.wraps(handler)
    async def answering(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
        try:
            return await handler(req, client)
        except Problem as problem:
            return problem.response()
        except Exception as exc:
            if is_too_large(exc):
                LOG.exception("A message was too large for the task hub")
                return TOO_LARGE.response()
            if not is_unreachable(exc):
                raise
            LOG.exception("The task hub did not answer")
            return TASK_HUB_UNAVAILABLE.response()

    return answering


def answer(status: HTTPStatus, body: Contract | str, **headers: str) -> func.HttpResponse:
    """A JSON answer that nobody caches."""
    text = body if isinstance(body, str) else body.model_dump_json()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpResponse(
        text, status_code=status.value, mimetype="application/json", headers={"Cache-Control": "no-store", **named}
    )


def polling(url: str) -> dict[str, Any]:
    """The headers that tell a client where and when to ask again."""
    return {"Location": url, "Retry_After": str(RETRY_AFTER_S)}


def api_root(req: func.HttpRequest, route: str) -> str:
    """The absolute URL under which our routes hang, whatever the app's route prefix; `route` is the request's own."""
    url = urlsplit(req.url)
    path = url.path.rstrip("/")
    position = path.lower().rfind(f"/{route.lower()}")
    return f"{url.scheme}://{url.netloc}{path[:position] if position >= 0 else ''}"
