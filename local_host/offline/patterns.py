"""Patterns: a text for a regular expression, as short as it may be or stretched to a length."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
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
MAX_REPEATS = 1024
MAX_NODES = 20_000
SHIFTS = 8


def texts_for(pattern: str, min_length: int) -> Iterator[str]:
    """Texts in which `re.search(pattern, …)` should find a match; look-arounds are not followed, so check each."""
    try:
        tree = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return
    for extra in dict.fromkeys((0, 1, 2, min_length, max(0, min_length - 1), max(0, min_length - 2))):
        for shift in range(SHIFTS):
            try:
                yield _Writer(extra, shift).write(tree)
            except TooLongError:
                return


class TooLongError(Exception):
    """Repeats within repeats would make a text of more than `MAX_NODES` nodes."""


class _Writer:
    """Walks a parsed expression; the first open repeat is stretched by `extra`, `shift` turns the choices."""

    def __init__(self, extra: int, shift: int) -> None:
        self.extra = extra
        self.shift = shift
        self.groups: dict[int, str] = {}
        self.nodes = 0

    def write(self, tree: Any) -> str:
        return "".join(self._node(operator, argument) for operator, argument in tree)

    def _node(self, operator: Any, argument: Any) -> str:
        """The text of one node; nodes that match no characters, such as `^`, have none."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise TooLongError
        writers: dict[Any, Callable[[Any], str]] = {
            sre.LITERAL: chr,
            sre.NOT_LITERAL: lambda code: next(c for c in ALPHABET if ord(c) != code),
            sre.ANY: lambda _: "a",
            sre.IN: self._member,
            sre.BRANCH: lambda branch: self.write(branch[1][self.shift % len(branch[1])]),
            sre.SUBPATTERN: self._group,
            sre.GROUPREF: lambda group: self.groups.get(group, ""),
            sre.MAX_REPEAT: self._repeat,
            sre.MIN_REPEAT: self._repeat,
            sre.POSSESSIVE_REPEAT: self._repeat,
            sre.ATOMIC_GROUP: self.write,
        }
        writer = writers.get(operator)
        return writer(argument) if writer else ""

    def _group(self, group: Any) -> str:
        self.groups[group[0]] = self.write(group[3])
        return self.groups[group[0]]

    def _repeat(self, repeat: Any) -> str:
        low, high, tree = repeat
        more = min(self.extra, int(high) - low)
        self.extra -= more
        return "".join(self.write(tree) for _ in range(min(low, MAX_REPEATS) + more))

    def _member(self, parts: Any) -> str:
        negated = parts[0][0] is sre.NEGATE
        accepted = [c for c in ALPHABET if any(_matches(part, c) for part in parts) is not negated]
        if accepted:
            return accepted[self.shift % len(accepted)]
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
