"""Placeholders: `{{name}}` in the values of a recipe's request, and what takes their place.

Values are put into values, never text into TOML or JSON, and in one pass: what a parameter holds is not read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from shared.prompts import block

PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A caller's short line."""

    text: str


@dataclass(frozen=True, slots=True)
class Material:
    """A caller's text, or lines of it."""

    text: JsonValue


Value = JsonValue | Line | Material
"""What a parameter came to. A plain `JsonValue` cannot have been worded by the caller: a number, or an option."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place where the parameter `name` is used: as the `whole` value, or within a longer one."""

    path: Path
    name: str
    whole: bool


class _Absent:
    """Of a parameter without a value."""


_ABSENT = _Absent()


def uses(template: JsonValue, path: Path = ()) -> Iterator[Use]:
    """Every placeholder in the values of `template`."""
    match template:
        case str():
            whole = PLACEHOLDER.fullmatch(template) is not None
            yield from (Use(path, found[1], whole) for found in PLACEHOLDER.finditer(template))
        case dict():
            for key, child in template.items():
                yield from uses(child, (*path, key))
        case list():
            for index, child in enumerate(template):
                yield from uses(child, (*path, index))
        case _:
            pass


def misspelt(template: JsonValue, path: Path = ()) -> Iterator[Path]:
    """Where two braces open and no placeholder follows, or one stands in a key."""
    match template:
        case str():
            if "{{" in PLACEHOLDER.sub("", template):
                yield path
        case dict():
            for key, child in template.items():
                if "{{" in key:
                    yield (*path, key)
                yield from misspelt(child, (*path, key))
        case list():
            for index, child in enumerate(template):
                yield from misspelt(child, (*path, index))
        case _:
            pass


def filled(template: JsonValue, values: Mapping[str, Value]) -> JsonValue:
    """`template` with `values` in the place of placeholders.

    Where a placeholder without a value is all there is, its field or item is left out. Within longer text a line is
    put in quotation marks, material between tags of the parameter's name, and nothing where there is no value.
    """
    result = _filled(template, values)
    return None if isinstance(result, _Absent) else result


def _filled(template: JsonValue, values: Mapping[str, Value]) -> JsonValue | _Absent:
    match template:
        case str():
            return _filled_text(template, values)
        case dict():
            done = {key: _filled(child, values) for key, child in template.items()}
            return {key: child for key, child in done.items() if not isinstance(child, _Absent)}
        case list():
            items = [_filled(child, values) for child in template]
            return [item for item in items if not isinstance(item, _Absent)]
        case _:
            return template


def _filled_text(template: str, values: Mapping[str, Value]) -> JsonValue | _Absent:
    whole = PLACEHOLDER.fullmatch(template)
    if whole is None:
        within = PLACEHOLDER.sub(lambda found: _within_text(found[1], values.get(found[1])), template)
        return within if within == template else within.strip()
    match values.get(whole[1]):
        case None:
            return _ABSENT
        case Line(text) | Material(text):
            return text
        case value:
            return cast(JsonValue, value)


def _within_text(name: str, value: Value) -> str:
    match value:
        case None:
            return ""
        case Line(text):
            return json.dumps(text, ensure_ascii=False)
        case Material(str() as text):
            return block(name, text)
        case Material(list() as lines):
            return block(name, "\n".join(f"- {line}" for line in lines))
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def shown(path: Path) -> str:
    """A path as callers know it: `sections[0].name`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".") or "$"
