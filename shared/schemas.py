"""JSON Schemas of answers: which are accepted, and whether a value fits one. Nothing is ever fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

MAX_SCHEMA_BYTES = 32_768
MAX_SCHEMA_DEPTH = 24


def check_output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` when an agent's answer can be held to it; raise ValueError that says why not.

    The root must be an object, the schema valid (draft 2020-12), bounded in size and depth,
    and every `$ref` local.
    """
    from jsonschema import Draft202012Validator, SchemaError

    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise ValueError(f"the schema is larger than {MAX_SCHEMA_BYTES} bytes")
    if schema.get("type") != "object":
        raise ValueError('the schema\'s root must have "type": "object"')
    for depth, node in _nodes(schema):
        if depth > MAX_SCHEMA_DEPTH:
            raise ValueError(f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels")
        reference = node.get("$ref", node.get("$dynamicRef", "#"))
        if isinstance(reference, str) and not reference.startswith("#"):
            raise ValueError(f"$ref {reference!r} is not local: define it under $defs and refer to it by '#/…'")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        raise ValueError(f"not a valid JSON Schema at {exc.json_path}: {exc.message}") from exc
    return schema


def first_violation(value: object, schema: Mapping[str, Any]) -> str | None:
    """The most relevant way in which `value` breaks `schema`, as "path: message"; None when it fits."""
    from jsonschema import Draft202012Validator, exceptions
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    empty: Registry[Any] = Registry()  # the default registry would fetch a remote $ref
    validator = cast(Any, Draft202012Validator(schema, registry=empty))
    try:
        error = cast(Any, exceptions).best_match(validator.iter_errors(value))
    except Unresolvable as exc:
        return f"$: the schema refers to {exc.ref!r}, which it does not define"
    return None if error is None else f"{error.json_path}: {error.message}"


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed, with all its properties required."""
    for _, node in _nodes(schema):
        properties = node.get("properties")
        if node.get("type") == "object" or isinstance(properties, dict):
            names = set(cast(dict[str, Any], properties or {}))
            required = cast(list[str], node.get("required") or [])
            if node.get("additionalProperties") is not False or names != set(required):
                return False
    return True


def _nodes(node: object, depth: int = 0) -> Iterator[tuple[int, Mapping[str, Any]]]:
    stack: list[tuple[int, object]] = [(depth, node)]
    while stack:
        level, current = stack.pop()
        if isinstance(current, Mapping):
            mapping = cast(Mapping[str, Any], current)
            yield level, mapping
            stack.extend((level + 1, value) for value in mapping.values())
        elif isinstance(current, list):
            stack.extend((level + 1, value) for value in cast(list[object], current))
