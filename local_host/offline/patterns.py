"""Patterns: a text for a regular expression, as short as it may be or stretched to a length."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from re import _constants as sre  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

ALPHABET = string.ascii_letters + string.digits + "-_ .:/@+,;!?#%&*()[]{}=<>|~^$'\"`\\\n\t"
CATEGORIES = {
    sre.CATEGORY_DIGIT: str.isdigit,
    sre.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
    sre.CATEGORY_WORD: lambda c: c.isalnum() or c == "_",
    sre.CATEGORY_NOT_WORD: lambda c: not (c.isalnum() or c == "_"),
}
MAX_REPEATS = 64


def texts_for(pattern: str, min_length: int) -> Iterator[str]:
    """Texts in which `re.search(pattern, …)` should find a match; look-arounds are not followed, so check each."""
    try:
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return
    for extra in dict.fromkeys((0, 1, 2, min_length, max(0, min_length - 1), max(0, min_length - 2))):
        for shift in range(3):
            yield _Writer(extra, shift).write(tree)


class _Writer:
    """Walks a parsed expression; the first open repeat is stretched by `extra`, `shift` turns the choices."""

    def __init__(self, extra: int, shift: int) -> None:
        self.extra = extra
        self.shift = shift
        self.groups: dict[int, str] = {}

    def write(self, tree: Any) -> str:
        return "".join(self._node(operator, argument) for operator, argument in tree)

    def _node(self, operator: Any, argument: Any) -> str:
        if operator is sre.LITERAL:
            return chr(argument)
        if operator is sre.NOT_LITERAL:
            return next(c for c in ALPHABET if ord(c) != argument)
        if operator is sre.ANY:
            return "a"
        if operator is sre.IN:
            return self._member(argument)
        if operator is sre.BRANCH:
            branches = argument[1]
            return self.write(branches[self.shift % len(branches)])
        if operator is sre.SUBPATTERN:
            self.groups[argument[0]] = self.write(argument[3])
            return self.groups[argument[0]]
        if operator is sre.GROUPREF:
            return self.groups.get(argument, "")
        if operator in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self._repeat(*argument)
        if operator is sre.ATOMIC_GROUP:
            return self.write(argument)
        return ""

    def _repeat(self, low: int, high: int, tree: Any) -> str:
        more = min(self.extra, int(high) - low)
        self.extra -= more
        return "".join(self.write(tree) for _ in range(min(low, MAX_REPEATS * 16) + more))

    def _member(self, parts: Any) -> str:
        negated = parts[0][0] is sre.NEGATE
        accepted = [c for c in ALPHABET if any(_matches(part, c) for part in parts) is not negated]
        if accepted:
            return accepted[0]
        first = parts[0]
        return chr(first[1][0]) if first[0] is sre.RANGE else chr(first[1]) if first[0] is sre.LITERAL else "a"


def _matches(part: Any, character: str) -> bool:
    operator, argument = part
    if operator is sre.LITERAL:
        return ord(character) == argument
    if operator is sre.RANGE:
        return argument[0] <= ord(character) <= argument[1]
    if operator is sre.CATEGORY:
        return bool(CATEGORIES[argument](character))
    return False
