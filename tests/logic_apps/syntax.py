"""The grammar of Logic Apps' expressions: what `@{concat('a', body('Ask')?['x'])}` is made of, before it has a value.

Expression = Literal | Call | Access. A string of a workflow is a `Template`: one expression (`@…`), which keeps its
type, or text with expressions in it (`… @{…} …`), which is text. `@@` stands for an at sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_$][\w$-]*)|(?P<sign>\?\.|\?\[|[()\[\],.]))"
)
CONSTANTS = {"true": True, "false": False, "null": None}


class BadExpression(Exception):
    """The text is no expression of the language."""


@dataclass(frozen=True)
class Literal:
    """A string, number, boolean or null."""

    value: Any


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Access:
    """A property or item of a value; with `safe` (`?`) what is not there is null."""

    target: Expression
    key: Expression
    safe: bool


type Expression = Literal | Call | Access


@dataclass(frozen=True)
class Template:
    """The parts of a string: texts and expressions. `whole` says that it is one expression and nothing else."""

    parts: tuple[str | Expression, ...]
    whole: bool = False

    @property
    def expressions(self) -> list[Expression]:
        """The parts that have to be evaluated."""
        return [part for part in self.parts if not isinstance(part, str)]


class _Parser:
    """Reads one expression from `position` of a text."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def peek(self) -> re.Match[str] | None:
        return TOKEN.match(self.text, self.position)

    def take(self, sign: str | None = None) -> re.Match[str]:
        token = self.peek()
        if token is None or (sign is not None and token["sign"] != sign):
            raise BadExpression(f"{sign or 'something else'} is missing at {self.position} of {self.text!r}")
        self.position = token.end()
        return token

    def is_next(self, sign: str) -> bool:
        token = self.peek()
        return token is not None and token["sign"] == sign

    def expression(self) -> Expression:
        found = self._primary()
        while (token := self.peek()) is not None and token["sign"] in {".", "?.", "[", "?["}:
            sign = self.take()["sign"]
            safe = sign.startswith("?")
            if sign.endswith("."):
                found = Access(found, Literal(self.take()["name"]), safe)
            else:
                found = Access(found, self.expression(), safe)
                self.take("]")
        return found

    def _primary(self) -> Expression:
        token = self.take()
        if token["string"] is not None:
            return Literal(token["string"][1:-1].replace("''", "'"))
        if token["number"] is not None:
            return Literal(float(token["number"]) if "." in token["number"] else int(token["number"]))
        name = token["name"]
        if name is None:
            raise BadExpression(f"{token['sign']!r} begins no expression in {self.text!r}")
        if name in CONSTANTS and not self.is_next("("):
            return Literal(CONSTANTS[name])
        return Call(name, tuple(self._arguments()))

    def _arguments(self) -> Iterator[Expression]:
        self.take("(")
        while not self.is_next(")"):
            yield self.expression()
            if not self.is_next(")"):
                self.take(",")
        self.take(")")


def template(text: str) -> Template:
    """Read a string of a workflow."""
    if text.startswith("@") and not text.startswith(("@@", "@{")):
        parser = _Parser(text, 1)
        expression = parser.expression()
        if text[parser.position :].strip():
            raise BadExpression(f"{text[parser.position :]!r} follows the expression of {text!r}")
        return Template((expression,), whole=True)
    return Template(tuple(_interpolated(text)))


def _interpolated(text: str) -> Iterator[str | Expression]:
    position = 0
    while (found := text.find("@", position)) >= 0:
        yield text[position:found]
        if text.startswith("@{", found):
            parser = _Parser(text, found + 2)
            yield parser.expression()
            closed = re.compile(r"\s*\}").match(text, parser.position)
            if closed is None:
                raise BadExpression(f"an expression of {text!r} is not closed")
            position = closed.end()
        else:
            yield "@"
            position = found + (2 if text.startswith("@@", found) else 1)
    yield text[position:]


def templates_in(value: Any) -> Iterator[Template]:
    """Every string of a piece of a definition, names of properties included, as a template."""
    if isinstance(value, str):
        yield template(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield template(key)
            yield from templates_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from templates_in(part)


def calls_in(value: Any) -> Iterator[Call]:
    """Every function call in a piece of a definition, nested ones included."""
    for found in templates_in(value):
        for expression in found.expressions:
            yield from _calls(expression)


def _calls(expression: Expression) -> Iterator[Call]:
    if isinstance(expression, Call):
        yield expression
        for argument in expression.arguments:
            yield from _calls(argument)
    elif isinstance(expression, Access):
        yield from _calls(expression.target)
        yield from _calls(expression.key)
