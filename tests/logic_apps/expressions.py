"""The values of Logic Apps' expressions: those functions of the language that the workflows here use, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.logic_apps.syntax import Access, Expression, Literal, Template, template

Function = Callable[..., Any]


class EvaluationFailed(Exception):
    """An expression has no value here, which fails the action that asked for it."""


def text_of(value: Any) -> str:
    """A value within a text: null is nothing, objects are JSON, booleans are True and False."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value)


def same(first: Any, second: Any) -> bool:
    """`equals`: numbers by value, the rest by type and value."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    return first == second


def has(container: Any, part: Any) -> bool:
    """`contains`: a piece of a text, an item of an array, a property of an object."""
    if container is None:
        raise EvaluationFailed("contains expects a text, an array or an object, not null")
    return part in container


def booleans(values: tuple[Any, ...]) -> tuple[bool, ...]:
    """The arguments of `and` and `or`, which take nothing but booleans."""
    if not all(isinstance(value, bool) for value in values):
        raise EvaluationFailed(f"and, or and not expect booleans, not {values!r}")
    return values


def compared(first: Any, second: Any, rule: Callable[[Any, Any], bool]) -> bool:
    """A comparison of two numbers or two texts."""
    numbers = isinstance(first, (int, float)) and isinstance(second, (int, float))
    if not numbers and not (isinstance(first, str) and isinstance(second, str)):
        raise EvaluationFailed(f"{first!r} and {second!r} cannot be compared")
    return rule(first, second)


def replaced(text: Any, old: Any, new: Any) -> str:
    """`replace`: every piece of a text that is `old`; it takes nothing but texts."""
    if not all(isinstance(value, str) for value in (text, old, new)) or not old:
        raise EvaluationFailed(f"replace expects three texts, the second not empty, not {(text, old, new)!r}")
    return text.replace(old, new)


FUNCTIONS: Mapping[str, Function] = {
    "concat": lambda *values: "".join(text_of(value) for value in values),
    "string": text_of,
    "json": json.loads,
    "length": len,
    "empty": lambda value: value is None or len(value) == 0,
    "equals": same,
    "not": lambda value: not booleans((value,))[0],
    "and": lambda *values: all(booleans(values)),
    "or": lambda *values: any(booleans(values)),
    "less": lambda first, second: compared(first, second, lambda a, b: a < b),
    "greater": lambda first, second: compared(first, second, lambda a, b: a > b),
    "contains": has,
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "if": lambda condition, yes, no: yes if booleans((condition,))[0] else no,
    "join": lambda items, sign: sign.join(text_of(item) for item in items),
    "replace": replaced,
    "range": lambda first, count: list(range(first, first + count)),
    "uriComponent": lambda value: quote(value, safe=""),
    "encodeURIComponent": lambda value: quote(value, safe=""),
}


@dataclass(frozen=True)
class Scope:
    """Where a string of a workflow is evaluated: the functions that read the run, such as `body` and `parameters`."""

    readers: Mapping[str, Function]

    def value(self, given: Any) -> Any:
        """A piece of a definition with all its expressions evaluated."""
        if isinstance(given, str):
            return self._filled(template(given))
        if isinstance(given, dict):
            return {text_of(self.value(key)): self.value(part) for key, part in given.items()}
        return [self.value(part) for part in given] if isinstance(given, list) else given

    def _filled(self, found: Template) -> Any:
        if found.whole:
            return self._evaluated(found.expressions[0])
        return "".join(part if isinstance(part, str) else text_of(self._evaluated(part)) for part in found.parts)

    def _evaluated(self, expression: Expression) -> Any:
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Access):
            return part_of(self._evaluated(expression.target), self._evaluated(expression.key), expression.safe)
        arguments = [self._evaluated(argument) for argument in expression.arguments]
        return applied(expression.function, arguments, self.readers)


def applied(name: str, arguments: list[Any], readers: Mapping[str, Function] | None = None) -> Any:
    """The value of a function: one of `readers`, or of the language."""
    function = (readers or {}).get(name) or FUNCTIONS.get(name)
    if function is None:
        raise EvaluationFailed(f"there is no function {name!r}")
    try:
        return function(*arguments)
    except (TypeError, ValueError, KeyError) as exc:
        raise EvaluationFailed(f"{name} does not take {arguments!r}: {exc!r}") from exc


def part_of(value: Any, key: Any, safe: bool) -> Any:
    """The property or item of a value."""
    if value is None and safe:
        return None
    if isinstance(value, dict) and isinstance(key, str) and (safe or key in value):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int) and (safe or 0 <= key < len(value)):
        return value[key] if 0 <= key < len(value) else None
    raise EvaluationFailed(f"{key!r} cannot be read of {text_of(value)[:80]!r}")
