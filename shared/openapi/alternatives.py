"""Values of several types, told in words where a definition cannot have them otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.openapi.schemas import REFERENCE, title_of_contract

NULL = "null"
UNTYPED = "any"


def alternatives_of(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The schemas of which a value fits one; none if `schema` is of one type."""
    found: Sequence[Mapping[str, Any]] = schema.get("anyOf", schema.get("oneOf", []))
    return found


def types_of(schema: Mapping[str, Any]) -> set[str]:
    """The types that a value may have, null aside; whatever is referred to is an object."""
    if alternatives := alternatives_of(schema):
        return {kind for each in alternatives for kind in types_of(each)} - {NULL}
    return {"object" if "$ref" in schema else schema.get("type", UNTYPED)}


def in_words(schema: Mapping[str, Any]) -> str:
    """What a value may be."""
    if "discriminator" in schema:
        tag = schema["discriminator"]
        return f"an object whose {tag['propertyName']} is {_names(tag['mapping'])}"
    if alternatives := alternatives_of(schema):
        told = [in_words(each) for each in alternatives if each.get("type") != NULL]
        return "; or ".join(dict.fromkeys(told))
    if "$ref" in schema:
        return f"an object: {title_of_contract(str(schema['$ref']).removeprefix(REFERENCE)).lower()}"
    return _values(schema)


def _values(schema: Mapping[str, Any]) -> str:
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return _names(values)
    kind = schema.get("type", "value")
    if kind == "array":
        return f"a list, each item {in_words(schema['items'])}"
    return f"{'an' if kind in {'integer', 'object'} else 'a'} {kind}"


def _names(values: Iterable[Any]) -> str:
    *others, last = [f"`{value}`" for value in values]
    return f"{', '.join(others)} or {last}" if others else last
