"""The parameters of operations besides their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from shared.contracts.run import Pattern
from shared.contracts.run_list import ListedStatus
from shared.openapi.operation import Parameter

RUN_ID = Parameter(
    "id",
    "path",
    "Run ID",
    "The id of the run, from the answer that started it.",
    {"type": "string", "pattern": "^[0-9a-f]{32}$", "examples": ["0123456789abcdef0123456789abcdef"]},
    visibility="important",
)


RECIPE_NAMES: Mapping[str, Any] = {
    "x-ms-dynamic-values": {
        "operationId": "ListRecipes",
        "value-collection": "recipes",
        "value-path": "name",
        "value-title": "title",
    }
}
"""A designer of workflows offers the recipes that the app has."""
RECIPE_NAME = Parameter(
    "name",
    "path",
    "Recipe",
    "The name of the recipe, from the list of recipes.",
    {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 60, "examples": ["research"]},
    visibility="important",
    extensions=RECIPE_NAMES,
)

WAIT = Parameter(
    "wait",
    "query",
    "Wait",
    "For how many seconds to wait for the result; without it the answer comes at once.",
    {"type": "number", "minimum": 0, "maximum": 100, "examples": [30]},
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Idempotency key",
    "The same key with the same request starts one run, however often it is sent; with another request it is refused.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$", "examples": ["order-4711"]},
)
KEY_OF_THE_START = Parameter(
    "idempotency_key",
    "query",
    "Idempotency key of the start",
    "The key that the run was started with. It names the run for as long as a start with it would be answered again.",
    IDEMPOTENCY_KEY.schema,
    required=True,
)
OF_A_START = (WAIT, IDEMPOTENCY_KEY)

STATUSES = "|".join(status for group in get_args(ListedStatus) for status in get_args(group))
FILTERS = (
    Parameter(
        "status",
        "query",
        "Status",
        "Only runs of this status, or of one of several with commas: pending, running, succeeded, partial, failed, "
        "cancelled.",
        {"type": "string", "pattern": f"^({STATUSES})(,({STATUSES}))*$", "examples": ["running"]},
    ),
    Parameter(
        "pattern",
        "query",
        "Pattern",
        "Only runs of this pattern.",
        {"type": "string", "enum": list(get_args(Pattern))},
    ),
    Parameter(
        "recipe",
        "query",
        "Recipe",
        "Only runs that this recipe started.",
        {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 60, "examples": ["research"]},
        extensions=RECIPE_NAMES,
    ),
    Parameter(
        "created_after",
        "query",
        "Created after",
        "Only runs that were started after this time.",
        {"type": "string", "format": "date-time", "examples": ["2026-11-21T16:00:00Z"]},
    ),
    Parameter(
        "created_before",
        "query",
        "Created before",
        "Only runs that were started before this time.",
        {"type": "string", "format": "date-time", "examples": ["2026-11-22T16:00:00Z"]},
    ),
    Parameter(
        "limit",
        "query",
        "Limit",
        "The most runs of a page.",
        {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    ),
    Parameter(
        "continuation_token",
        "query",
        "Continuation token",
        "That of the page before, with the same filters as there; a made-up one is refused.",
        {"type": "string", "minLength": 1, "maxLength": 4_000},
    ),
)
