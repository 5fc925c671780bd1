"""JSON Schemas of answers: which are accepted, and whether a value fits one.

A caller writes the schema and a model the value, so neither may cost more than a bounded time: nothing is ever
fetched, patterns match in linear time (RE2), and a check that branches without end is given up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, cast

from shared.json_values import problem_with

MAX_SCHEMA_BYTES = 32_768
MAX_SCHEMA_DEPTH = 24
MAX_MESSAGE_CHARS = 500
MAX_CHECKS = 100_000
"""Keywords evaluated for one value, long lists by their length. 2,000 records of ten bounded strings take 46,000."""
MAX_PATTERN_CHARS = 500

UNSUPPORTED_KEYWORDS: Mapping[str, str] = {
    "$id": "leave it out; references start with '#'",
    "$dynamicRef": "use $ref",
    "patternProperties": "use properties, or additionalProperties with a schema",
}
"""Keywords that are rejected, and what to write instead: they move references' base, or match by Python's `re`."""

_checks: ContextVar[list[int]] = ContextVar("checks")


class _TooManyChecksError(Exception):
    """The check of a value was given up."""


def check_output_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` when an agent's answer can be held to it; raise ValueError that says why not.

    The root must be an object, the schema valid (draft 2020-12), bounded in size and depth, every `$ref` local and
    defined, and every pattern one that RE2 takes.
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
        # Without formats: among them is "regex", which would compile patterns with Python's `re`.
        Draft202012Validator.check_schema(schema, format_checker=_no_formats())
    except SchemaError as exc:
        raise ValueError(f"not a valid JSON Schema at {exc.json_path}: {_short(exc.message)}") from exc
    nodes = list(_subschemas(schema))
    for node in nodes:
        _check_keywords(node)
    _check_references(nodes)
    return schema


def first_violation(value: object, schema: Mapping[str, Any]) -> str | None:
    """The most relevant way in which `value` breaks `schema`, as "path: message"; None when it fits."""
    from jsonschema import exceptions
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    empty: Registry[Any] = Registry()  # the default registry would fetch a remote $ref
    validator = _bounded_validator()(schema, registry=empty)
    token = _checks.set([MAX_CHECKS])
    try:
        error = cast(Any, exceptions).best_match(validator.iter_errors(value))
    except Unresolvable as exc:
        return f"$: the schema refers to {exc.ref!r}, which it does not define"
    except _TooManyChecksError:
        return f"$: cannot be checked: the schema's alternatives multiply to more than {MAX_CHECKS:,} checks"
    except RecursionError:
        return "$: cannot be checked: the schema refers to itself without end, or the value is nested too deeply"
    except ArithmeticError as exc:
        return f"$: cannot be checked: {exc}"
    finally:
        _checks.reset(token)
    return None if error is None else f"{error.json_path}: {_short(error.message)}"


def _check_keywords(node: Mapping[str, Any]) -> None:
    """Raise ValueError for a keyword that is not supported, or a pattern that RE2 does not take."""
    for keyword, instead in UNSUPPORTED_KEYWORDS.items():
        if keyword in node:
            raise ValueError(f"{keyword} is not supported in an output schema: {instead}")
    if "pattern" in node:
        _compiled(node["pattern"])


def _check_references(nodes: list[Mapping[str, Any]]) -> None:
    """Raise ValueError for a reference that leads out of the schema (`nodes[0]`), nowhere, or to what is no schema."""
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    root: Resource[Any] = Resource(nodes[0], specification=DRAFT202012)
    empty: Registry[Any] = Registry()
    resolver = empty.resolver_with_root(root)
    for reference in (node["$ref"] for node in nodes if "$ref" in node):
        if not reference.startswith("#"):
            raise ValueError(f"$ref {reference!r} is not local: define it under $defs and refer to it by '#/…'")
        try:
            target: object = resolver.lookup(reference).contents
        except (Unresolvable, TypeError, ValueError, LookupError):
            target = None
        if not isinstance(target, bool) and not any(target is node for node in nodes):
            raise ValueError(f"$ref {reference!r} refers to no schema in the schema")


@cache
def _bounded_validator() -> Any:
    """The validator of draft 2020-12, every keyword of which counts its evaluations, with patterns by RE2."""
    from jsonschema import Draft202012Validator, validators

    keywords = {
        **cast(dict[str, Any], Draft202012Validator.VALIDATORS),
        "pattern": _pattern,
        "uniqueItems": _unique_items,
    }
    counted = {keyword: _counted(check) for keyword, check in keywords.items()}
    return cast(Any, validators).extend(Draft202012Validator, validators=counted)


def _counted(check: Callable[..., Iterator[Any] | None]) -> Callable[..., Iterator[Any]]:
    def counting(validator: Any, keyword_value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        left = _checks.get()
        left[0] -= 1 + (len(cast(list[object], keyword_value)) // 8 if isinstance(keyword_value, list) else 0)
        if left[0] < 0:
            raise _TooManyChecksError
        yield from check(validator, keyword_value, instance, schema) or ()

    return counting


def _pattern(validator: Any, pattern: str, instance: object, schema: Any) -> Iterator[Any]:
    del validator, schema
    from jsonschema import ValidationError

    if isinstance(instance, str) and _compiled(pattern).search(instance) is None:
        yield ValidationError(f"{_short(repr(instance))} does not match {pattern!r}")


def _unique_items(validator: Any, wanted: bool, instance: object, schema: Any) -> Iterator[Any]:
    """The library compares every item with every other one."""
    del validator, schema
    from jsonschema import ValidationError

    if wanted and isinstance(instance, list):
        items = [json.dumps(item, sort_keys=True) for item in cast(list[object], instance)]
        if len(set(items)) < len(items):
            yield ValidationError("the array has non-unique elements")


@cache
def _no_formats() -> Any:
    from jsonschema import FormatChecker

    return FormatChecker(formats=())


def _compiled(pattern: str) -> Any:
    """`pattern` for RE2; raise ValueError that says why it does not take it."""
    import re2  # pyright: ignore[reportMissingTypeStubs]

    engine = cast(Any, re2)
    quiet = engine.Options()
    quiet.log_errors = False
    quiet.never_capture = True
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ValueError(f"a pattern is longer than {MAX_PATTERN_CHARS} characters")
    try:
        return engine.compile(pattern, quiet)  # the library caches
    except engine.error as exc:
        reason = exc.args[0].decode(errors="replace") if isinstance(exc.args[0], bytes) else str(exc)
        raise ValueError(
            f"pattern {_short(pattern)!r} is not supported (RE2 syntax: no look-around, no back-references): "
            f"{_short(reason)}"
        ) from exc


def _short(message: str) -> str:
    """jsonschema quotes the whole value in its messages."""
    return message if len(message) <= MAX_MESSAGE_CHARS else f"{message[:MAX_MESSAGE_CHARS]}…"


MAPS_OF_SCHEMAS = ("properties", "$defs", "definitions", "dependentSchemas")
LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
SCHEMAS = (
    "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then", "unevaluatedItems",
    "unevaluatedProperties",
)  # fmt: skip


def _subschemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """`schema` and every schema in it; what stands under `enum` or `const`, say, is none."""
    stack: list[object] = [schema]
    while stack:
        node = stack.pop()
        if not isinstance(node, Mapping):
            continue
        children = cast(Mapping[str, Any], node)
        yield children
        stack.extend(child for keyword in MAPS_OF_SCHEMAS for child in children.get(keyword, {}).values())
        stack.extend(child for keyword in LISTS_OF_SCHEMAS for child in children.get(keyword, []))
        stack.extend(children[keyword] for keyword in SCHEMAS if keyword in children)


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
