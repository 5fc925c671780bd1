"""Strictness: the subset of JSON Schema that strict mode takes, so that what runs offline runs with a service, too.

Where OpenAI and Azure OpenAI differ, the narrower holds: Azure OpenAI takes no bounds on values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from local_host.offline.errors import ApiError

REFUSED_KEYWORDS = (
    "oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "format", "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "minProperties",
    "maxProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
TYPES: dict[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value)),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
SCHEMA_LISTS = ("anyOf", "prefixItems")
SCHEMA_MAPS = ("properties", "$defs", "definitions")


def check_strict(schema: object, name: str) -> None:
    """Passes a schema that strict mode takes; ApiError 400 names the place and the rule that it breaks."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise _refused(name, (), "schema must be a JSON Schema of 'type: \"object\"'")
    for path, node in _nodes(schema, ()):
        for keyword in REFUSED_KEYWORDS:
            if keyword in node:
                raise _refused(name, path, f"'{keyword}' is not permitted")
        _check_enum(node, name, path)
        if node.get("type") != "object" and "properties" not in node:
            continue
        if node.get("additionalProperties") is not False:
            raise _refused(name, path, "'additionalProperties' is required to be supplied and to be false")
        missing = [key for key in node.get("properties", {}) if key not in node.get("required", ())]
        if missing:
            raise _refused(
                name,
                path,
                "'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing[0]}'",
            )


def _check_enum(node: dict[str, Any], name: str, path: tuple[str, ...]) -> None:
    stated = node.get("type")
    if stated is None:
        return
    checks = [TYPES[kind] for kind in (stated if isinstance(stated, list) else [stated]) if kind in TYPES]
    for value in node.get("enum", ()):
        if not any(check(value) for check in checks):
            raise _refused(name, path, f"enum value {value!r} does not validate against {{'type': {stated!r}}}")


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()


def _nodes(node: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    if not isinstance(node, dict):
        return
    yield path, node
    for key in SCHEMA_MAPS:
        inner = node.get(key)
        if isinstance(inner, dict):
            for name, child in inner.items():
                yield from _nodes(child, (*path, key, name))
    for key in SCHEMA_LISTS:
        inner = node.get(key)
        if isinstance(inner, list):
            for index, child in enumerate(inner):
                yield from _nodes(child, (*path, key, str(index)))
    yield from _nodes(node.get("items"), (*path, "items"))


def _refused(name: str, path: tuple[str, ...], rule: str) -> ApiError:
    return ApiError(
        400,
        f"Invalid schema for response_format '{name}': In context={path!r}, {rule}.",
        param="text.format.schema",
        code="invalid_json_schema",
    )
