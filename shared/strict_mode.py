"""Strict mode: the part of JSON Schema that the service itself holds an answer to, and a schema's form in it.

Bounds on values are not in that part. They are told to the model in a description instead, so that a bounded schema
keeps its shape guaranteed; the answer is validated against the original schema either way (`shared/agent.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

STRICT_KEYWORDS = frozenset({
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items", "properties", "required",
    "title", "type",
})  # fmt: skip
"""What the strict modes of OpenAI and Azure OpenAI both take; a request with any other keyword is rejected."""

TOLD_KEYWORDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "format", "minItems", "maxItems", "uniqueItems",
)  # fmt: skip
"""Bounds that strict mode does not take and a description can tell, in the order in which it does."""

MAX_STRICT_PROPERTIES = 100
MAX_STRICT_DEPTH = 5


def strict_form(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`schema` as strict mode takes it, with its bounds told in descriptions; None when it has no such form.

    A description ends with the bounds as JSON, such as `Must also fit {"minimum": 0, "maximum": 1}.`: as short as the
    keywords themselves, which models know. A schema without bounds is its own strict form.
    """
    told = cast(dict[str, Any], _told(schema))
    return told if is_strict(told) else None


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether strict mode takes it as it is: every object closed with all its properties required, and no keyword
    beyond `STRICT_KEYWORDS`.
    """
    properties, deepest = 0, 0
    stack: list[tuple[int, object]] = [(1, schema)]
    while stack:
        depth, node = stack.pop()
        if not isinstance(node, Mapping) or not _fits_strict(cast(Mapping[str, Any], node)):
            return False
        children = cast(Mapping[str, Any], node)
        own = list(children.get("properties", {}).values())
        properties, deepest = properties + len(own), max(deepest, depth)
        stack.extend((depth + 1, child) for child in own)
        stack.extend((depth + 1, child) for child in ([children["items"]] if "items" in children else []))
        stack.extend((depth, child) for child in children.get("anyOf", []))
        stack.extend((1, child) for child in children.get("$defs", {}).values())
    return "anyOf" not in schema and properties <= MAX_STRICT_PROPERTIES and deepest <= MAX_STRICT_DEPTH


def _fits_strict(node: Mapping[str, Any]) -> bool:
    """Whether strict mode takes this schema, without those in it."""
    kind = node.get("type")
    kinds = cast(list[object], kind) if isinstance(kind, list) else [kind]
    if not STRICT_KEYWORDS.issuperset(node) or not node.keys() & {"type", "anyOf", "$ref"}:
        return False
    if "$ref" in node:
        return len(node) == 1
    if "array" in kinds and "items" not in node:
        return False
    if "object" not in kinds and "properties" not in node:
        return True
    return node.get("additionalProperties") is False and set(node.get("properties", {})) == set(
        node.get("required", [])
    )


def _told(node: object) -> object:
    """A schema and those in it, each with its bounds in its description."""
    if not isinstance(node, Mapping):
        return node
    schema = cast(Mapping[str, Any], node)
    kept = {keyword: _told_within(keyword, value) for keyword, value in schema.items() if keyword not in TOLD_KEYWORDS}
    bounds = {keyword: schema[keyword] for keyword in TOLD_KEYWORDS if keyword in schema}
    if bounds:
        sentence = f"Must also fit {json.dumps(bounds, ensure_ascii=False)}."
        kept["description"] = " ".join(filter(None, [schema.get("description"), sentence]))
    return kept


def _told_within(keyword: str, value: Any) -> Any:
    return _IN_KEYWORD[keyword](value) if keyword in _IN_KEYWORD else value


def _told_by_name(schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _told(schema) for name, schema in schemas.items()}


def _told_alternatives(schemas: list[Any]) -> list[Any]:
    return [_told(schema) for schema in schemas]


_IN_KEYWORD: Mapping[str, Callable[[Any], Any]] = {
    "$defs": _told_by_name,
    "properties": _told_by_name,
    "anyOf": _told_alternatives,
    "items": _told,
}
"""How schemas stand in the keywords of strict mode that hold schemas; `additionalProperties` can only be false."""
