"""What every handler answers in the same way: JSON, problems, and where to ask again."""

from __future__ import annotations

import functools
import logging
import uuid
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import azure.functions as func

from shared.contracts.base import Contract
from shared.fault_place import place_of
from shared.task_hub import is_too_large, is_unreachable
from triggers.headers import secured
from triggers.problems import Problem

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


def answering_problems[**P](handler: Callable[P, Awaitable[func.HttpResponse]]) -> Callable[P, Awaitable[Any]]:
    """`handler`, whose every error is an answer, with the headers that each answer has."""

    @functools.wraps(handler)
    async def answering(*args: P.args, **kwargs: P.kwargs) -> func.HttpResponse:
        try:
            answered = await handler(*args, **kwargs)
        except Problem as problem:
            answered = problem.response()
        except Exception as exc:  # noqa: BLE001 - every error is an answer; the log has it
            answered = problem_of(exc).response()
        return secured(answered)

    return answering


def problem_of(error: Exception) -> Problem:
    """What a caller is told of an error that is no `Problem`; the log has the same id and where it arose.

    A traceback and a message may hold prompts, keys and paths: only the log's level DEBUG has them.
    """
    incident = uuid.uuid4().hex
    if is_too_large(error):
        problem, what = TOO_LARGE, "A message was too large for the task hub"
    elif is_unreachable(error):
        problem, what = TASK_HUB_UNAVAILABLE, "The task hub did not answer"
    else:
        problem, what = internal_error(incident), "A request was not answered"
    LOG.error("%s (incident %s): %s", what, incident, place_of(error))
    LOG.debug("Incident %s", incident, exc_info=error)
    return problem


def internal_error(incident: str) -> Problem:
    """The problem with an error that nobody foresaw."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        f"The app failed on this request, and not for a fault of yours; if it was to start a run, it may have "
        f"started. Whoever runs the app finds the cause in its log by the incident {incident}.",
    )


def answer(status: HTTPStatus, body: Contract | str, **headers: str) -> func.HttpResponse:
    """A JSON answer."""
    text = body if isinstance(body, str) else body.model_dump_json()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpResponse(text, status_code=status.value, mimetype="application/json", headers=named)


def polling(url: str) -> dict[str, Any]:
    """The headers that tell a client where and when to ask again."""
    return {"Location": url, "Retry_After": str(RETRY_AFTER_S)}


def api_root(req: func.HttpRequest, route: str) -> str:
    """The absolute URL under which our routes hang, whatever the app's route prefix; `route` is the request's own."""
    url = urlsplit(req.url)
    path = unquote(url.path).rstrip("/")  # the host routes `/api/recipes/code%2Dreview` as what it stands for
    position = path.lower().rfind(f"/{route.lower()}")
    return f"{url.scheme}://{url.netloc}{quote(path[:position]) if position >= 0 else ''}"
