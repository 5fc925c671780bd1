"""JSON Schemas of answers: which are accepted, and whether a value fits one. Nothing is ever fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from shared.json_values import problem_with

MAX_SCHEMA_BYTES = 32_768
MAX_SCHEMA_DEPTH = 24
MAX_MESSAGE_CHARS = 500

STRICT_KEYWORDS = frozenset({
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "items", "properties", "required",
    "title", "type",
})  # fmt: skip
"""What the strict modes of OpenAI and Azure OpenAI both take; a request with any other keyword is rejected."""

MAX_STRICT_PROPERTIES = 100
MAX_STRICT_DEPTH = 5


def check_output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` when an agent's answer can be held to it; raise ValueError that says why not.

    The root must be an object, the schema valid (draft 2020-12), bounded in size and depth,
    and every `$ref` local and defined.
    """
    from jsonschema import Draft202012Validator, SchemaError

    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        raise ValueError(f"the schema is larger than {MAX_SCHEMA_BYTES} bytes")
    if schema.get("type") != "object":
        raise ValueError('the schema\'s root must have "type": "object"')
    if problem := problem_with(schema):
        raise ValueError(f"the schema cannot be passed on: {problem}")
    if any(depth > MAX_SCHEMA_DEPTH for depth, _ in _nodes(schema)):
        raise ValueError(f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        raise ValueError(f"not a valid JSON Schema at {exc.json_path}: {_short(exc.message)}") from exc
    _check_references(schema)
    return schema


def _check_references(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for a reference that leads out of `schema`, or nowhere."""
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    root: Resource[Any] = Resource(schema, specification=DRAFT202012)
    empty: Registry[Any] = Registry()
    resolver = empty.resolver_with_root(root)
    for _, node in _nodes(schema):
        for keyword in ("$ref", "$dynamicRef"):
            reference = node.get(keyword)
            if not isinstance(reference, str):
                continue
            if not reference.startswith("#"):
                raise ValueError(
                    f"{keyword} {reference!r} is not local: define it under $defs and refer to it by '#/…'"
                )
            try:
                resolver.lookup(reference)
            except Unresolvable as exc:
                raise ValueError(f"{keyword} {reference!r} refers to nothing in the schema") from exc


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
    except RecursionError:
        return "$: cannot be checked: the schema refers to itself without end, or the value is nested too deeply"
    except ArithmeticError as exc:
        return f"$: cannot be checked: {exc}"
    return None if error is None else f"{error.json_path}: {_short(error.message)}"


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAI's strict mode takes it: every object closed with all its properties required, and no keyword
    beyond `STRICT_KEYWORDS`. What does not fit is sent as guidance, and the answer is validated here either way.
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
    if "array" in kinds and "items" not in node:
        return False
    if "object" not in kinds and "properties" not in node:
        return True
    return node.get("additionalProperties") is False and set(node.get("properties", {})) == set(
        node.get("required", [])
    )


def _short(message: str) -> str:
    """jsonschema quotes the whole value in its messages."""
    return message if len(message) <= MAX_MESSAGE_CHARS else f"{message[:MAX_MESSAGE_CHARS]}…"


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
