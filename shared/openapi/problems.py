"""The problems that requests can meet, by their codes: `tests/shared/openapi` holds this to the handlers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """The HTTP status of a problem, and when it is met."""

    status: int
    when: str


PROBLEMS: Mapping[str, Kind] = {
    "invalid_request": Kind(
        400, "the request does not fit its contract; `errors` has the fields. Fields may also contradict each other"
    ),
    "invalid_parameter": Kind(400, "a query parameter or a header does not do; `errors` says which"),
    "malformed_json": Kind(400, "the body is not valid JSON"),
    "storage_not_configured": Kind(400, "the request has a source or a sink, and the app has no storage"),
    "callbacks_not_configured": Kind(400, "the request has a callback_url, and the app has no secret to sign with"),
    "estimate_not_available": Kind(400, "there is no estimate without reading the documents of the source"),
    "source_not_usable": Kind(400, "the source cannot be listed"),
    "container_not_allowed": Kind(403, "the app's settings do not allow the container"),
    "run_not_found": Kind(404, "there is no run with this id"),
    "recipe_not_found": Kind(404, "there is no recipe of this name; the answer lists those that there are"),
    "run_already_ended": Kind(409, "the run has ended; there is nothing to cancel"),
    "run_not_ended": Kind(409, "the run still goes on"),
    "nothing_to_redrive": Kind(409, "there is nothing to run again, or it would stop as early as before"),
    "run_not_readable": Kind(409, "another version of the app wrote the run, and this one cannot read all of it"),
    "recipe_broken": Kind(409, "the recipe's file has a fault, which the answer tells; other recipes work"),
    "body_too_large": Kind(413, "the body has more than 1,048,576 bytes"),
    "unsupported_media_type": Kind(415, "the body's type is not `application/json`"),
    "unsupported_content_encoding": Kind(415, "the body is compressed"),
    "idempotency_key_reused": Kind(422, "the Idempotency-Key came before with another request"),
    "run_too_large": Kind(500, "the run holds more than the store of all runs passes on in one message"),
    "task_hub_unavailable": Kind(503, "the store of all runs does not answer for now"),
    "recipes_unavailable": Kind(503, "the folder of recipes that the settings name cannot be read"),
    "storage_unavailable": Kind(503, "Blob Storage does not answer for now"),
}

OF_BODIES = (
    "invalid_request", "malformed_json", "callbacks_not_configured", "body_too_large", "unsupported_media_type",
    "unsupported_content_encoding",
)  # fmt: skip
OF_STORAGE = ("storage_not_configured", "container_not_allowed")
OF_STORAGE_ESTIMATES = (*OF_STORAGE, "estimate_not_available", "source_not_usable", "storage_unavailable")
OF_THE_HUB = ("run_too_large", "task_hub_unavailable")
OF_STARTS = ("invalid_parameter", "idempotency_key_reused")
OF_A_RUN = ("run_not_found", *OF_THE_HUB)
OF_RECIPES = ("recipe_not_found", "recipe_broken", "recipes_unavailable")
OF_A_RESULT = (*OF_A_RUN, "run_not_readable")
