"""Told bounds: what a description says a value must also fit, as JSON, because strict mode takes no such keywords.

`Must also fit {"minItems": 3, "uniqueItems": true}.` A model reads that and keeps to it; so does this one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from local_host.offline.words import word_set

SENTENCE = re.compile(r"\s*\bMust also fit (?=\{)")
BOUNDS = word_set(
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format minItems maxItems "
    "uniqueItems"
)
# What stands under these is data, whatever it looks like.
VALUES = word_set("enum const default examples required type")
DECODER = json.JSONDecoder()


def with_told_bounds(schema: Any) -> Any:
    """The schema with the bounds that its descriptions tell as keywords again, and no longer in the descriptions."""
    if isinstance(schema, list):
        return [with_told_bounds(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: value if key in VALUES else with_told_bounds(value) for key, value in schema.items()}
    description = schema.get("description")
    if not isinstance(description, str):
        return whole
    said, bounds = _read(description)
    if bounds:
        whole = {**bounds, **whole, "description": said}
        if not said:
            del whole["description"]
    return whole


def _read(description: str) -> tuple[str, dict[str, Any]]:
    """What a description says besides, and the bounds that it tells; none if it tells them in another form."""
    found = SENTENCE.search(description)
    if not found:
        return description, {}
    try:
        bounds, end = DECODER.raw_decode(description, found.end())
    except ValueError:
        return description, {}
    if not bounds.keys() <= BOUNDS:
        return description, {}
    said = f"{description[: found.start()]}{description[end:].removeprefix('.')}"
    return said.strip(), bounds
