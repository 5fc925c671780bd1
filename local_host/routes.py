"""ASP.NET route templates: `orders/{id:int}`, `{name}.{ext?}`, `files/{*path}` and the rest of the syntax.

`parse_template` turns the text of a template into a `RouteTemplate`; a `RouteTable` finds the function of a request.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from local_host.route_constraints import Constraint, parse_constraint

_NAME = re.compile(r"[^{}/?*:=()]+")
_LITERAL_DIGIT, _CONSTRAINED_DIGIT, _PARAMETER_DIGIT, _CONSTRAINED_REST_DIGIT, _REST_DIGIT = range(1, 6)


class TemplateError(ValueError):
    """A route template that ASP.NET would refuse; the message says why."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `{…}` of a template."""

    name: str
    constraints: tuple[Constraint, ...] = ()
    default: str | None = None
    optional: bool = False
    catch_all: bool = False

    def accepts(self, value: str) -> bool:
        """Whether the value passes every constraint."""
        return all(constraint(value) for constraint in self.constraints)


type Part = str | Parameter


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two slashes: literal texts and parameters, never two parameters in a row."""

    parts: tuple[Part, ...]
    patterns: tuple[re.Pattern[str], ...] = field(default=(), compare=False)

    @property
    def only_parameter(self) -> Parameter | None:
        """The parameter that fills the whole segment, if one does."""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, Parameter) else None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in order."""
        return tuple(part for part in self.parts if isinstance(part, Parameter))

    @property
    def precedence(self) -> int:
        """ASP.NET's rank: literals first, then constrained and mixed segments, parameters, catch-alls."""
        parameter = self.only_parameter
        if parameter is None:
            return _LITERAL_DIGIT if len(self.parts) == 1 else _CONSTRAINED_DIGIT
        if parameter.catch_all:
            return _CONSTRAINED_REST_DIGIT if parameter.constraints else _REST_DIGIT
        return _CONSTRAINED_DIGIT if parameter.constraints else _PARAMETER_DIGIT

    @property
    def may_be_missing(self) -> bool:
        """Whether a path may end before this segment."""
        parameter = self.only_parameter
        return parameter is not None and (parameter.optional or parameter.catch_all or parameter.default is not None)

    def match(self, text: str) -> dict[str, str] | None:
        """Return the parameter values that `text` gives, or None when it does not fit."""
        for pattern in self.patterns:
            found = pattern.fullmatch(text)
            if found is None:
                continue
            present = [(p, v) for p, v in zip(self.parameters, found.groups(), strict=False) if v is not None]
            if all(parameter.accepts(value) for parameter, value in present):
                return {parameter.name: value for parameter, value in present}
        return None


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    """A parsed template."""

    text: str
    segments: tuple[Segment, ...]

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sorts templates: the lower one is tried first."""
        return tuple(segment.precedence for segment in self.segments)

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """Return the parameter values for the decoded segments of a path, or None when it does not fit."""
        values: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            parameter = segment.only_parameter
            if parameter is not None and parameter.catch_all:
                rest = _rest_of_path(parameter, path[index:])
                return None if rest is None else values | rest
            if index >= len(path):
                if not segment.may_be_missing:
                    return None
                continue
            found = segment.match(path[index])
            if found is None:
                return None
            values |= found
        return self._defaults() | values if len(path) <= len(self.segments) else None

    def _defaults(self) -> dict[str, str]:
        parameters = [parameter for segment in self.segments for parameter in segment.parameters]
        return {p.name: p.default for p in parameters if p.default is not None}


def _rest_of_path(parameter: Parameter, rest: Sequence[str]) -> dict[str, str] | None:
    """Return the value of a catch-all; like ASP.NET, a path that ends before it gives the default or no value."""
    if not rest:
        return {} if parameter.default is None else {parameter.name: parameter.default}
    value = "/".join(rest)
    return {parameter.name: value} if parameter.accepts(value) else None


@dataclass(frozen=True, slots=True)
class Route[T]:
    """A template, the methods it serves (none means every one) and what it leads to."""

    template: RouteTemplate
    methods: frozenset[str]
    target: T

    def serves(self, method: str) -> bool:
        """Whether the route answers requests of this method."""
        return not self.methods or method.upper() in self.methods


class RouteTable[T]:
    """All routes of an app, the most specific first."""

    def __init__(self, routes: Iterable[Route[T]] = ()) -> None:
        self._routes = sorted(routes, key=lambda route: route.template.precedence)

    def find(self, method: str, path: Sequence[str]) -> tuple[Route[T], dict[str, str]] | None:
        """Return the route of a request and its parameter values, or None when there is none."""
        for route in self._routes:
            if route.serves(method):
                values = route.template.match(path)
                if values is not None:
                    return route, values
        return None


def parse_template(text: str) -> RouteTemplate:
    """Parse a template; raise `TemplateError` when ASP.NET would refuse it."""
    try:
        segments = tuple(_segment(tokens) for tokens in _scan(text.strip("/")))
        _check(segments)
    except ValueError as error:
        raise TemplateError(f"The route template {text!r} is not valid: {error}.") from error
    return RouteTemplate(text, segments)


@dataclass(slots=True)
class _Token:
    """A piece of a template, with its doubled braces made single."""

    is_parameter: bool
    text: str = ""


def _scan(text: str) -> list[list[_Token]]:
    """Cut a template into segments of literals and parameters; a parameter may hold slashes."""
    segments: list[list[_Token]] = [[]] if text else []
    parameter: _Token | None = None
    for piece in re.findall(r"\{\{|\}\}|.", text, re.DOTALL):
        tokens = segments[-1]
        if piece == "{" and parameter is None:
            parameter = _Token(is_parameter=True)
            tokens.append(parameter)
        elif piece == "}" and parameter is not None:
            parameter = None
        elif piece in "{}":
            raise ValueError(f"its braces do not match at {piece!r} (a literal brace is written twice)")
        elif parameter is not None:
            parameter.text += piece[0]
        elif piece == "/":
            segments.append([])
        else:
            if not tokens or tokens[-1].is_parameter:
                tokens.append(_Token(is_parameter=False))
            tokens[-1].text += piece[0]
    if parameter is not None:
        raise ValueError("a brace is not closed (a literal brace is written twice)")
    return segments


def _segment(tokens: Sequence[_Token]) -> Segment:
    if not tokens:
        raise ValueError("it has two slashes in a row")
    if any(a.is_parameter and b.is_parameter for a, b in pairwise(tokens)):
        raise ValueError("two parameters stand in a row; put a literal between them")
    parts = tuple(_parameter(token.text) if token.is_parameter else _literal(token.text) for token in tokens)
    return Segment(parts, tuple(_patterns(parts)))


def _literal(text: str) -> str:
    if "?" in text:
        raise ValueError(f"the literal {text!r} holds a question mark")
    return text


def _parameter(inner: str) -> Parameter:
    stars = re.match(r"\*{0,2}", inner)
    start = stars.end() if stars else 0
    match = _NAME.match(inner, start)
    if match is None:
        raise ValueError(f"the parameter {inner!r} has no name")
    constraints, tail = _constraints(inner[match.end() :])
    optional = tail == "?"
    if tail and not optional and not tail.startswith("="):
        raise ValueError(f"{tail!r} in the parameter {inner!r} cannot be read")
    if start and optional:
        raise ValueError(f"the catch-all parameter {match[0]!r} cannot be optional")
    default = tail[1:] if tail.startswith("=") else None
    return Parameter(match[0], constraints, default, optional, catch_all=start > 0)


def _constraints(tail: str) -> tuple[tuple[Constraint, ...], str]:
    """Read `:name(arguments)` again and again; return the constraints and what follows them."""
    found: list[Constraint] = []
    while tail.startswith(":"):
        end = _constraint_end(tail)
        found.append(parse_constraint(tail[1:end]))
        tail = tail[end:]
    return tuple(found), tail


def _constraint_end(tail: str) -> int:
    """Return where the constraint at the start of `tail` ends: colons within its brackets belong to it."""
    depth = 0
    for match in re.finditer(r"\\.|.", tail[1:], re.DOTALL):
        piece = match[0]
        if depth == 0 and piece in {":", "=", "?"}:
            return match.start() + 1
        depth += (piece == "(") - (piece == ")")
    return len(tail)


def _patterns(parts: Sequence[Part]) -> Iterable[re.Pattern[str]]:
    """Yield the patterns of a segment in the order in which to try them."""
    yield _pattern(parts)
    last = parts[-1]
    if len(parts) > 1 and isinstance(last, Parameter) and last.optional:
        if parts[len(parts) - 2] != ".":
            raise ValueError(f"the optional parameter {last.name!r} may follow a whole segment or a single '.' only")
        yield _pattern(parts[:-2])


def _pattern(parts: Sequence[Part]) -> re.Pattern[str]:
    # Greedy: like ASP.NET, a literal that occurs more than once is taken at its last place.
    text = "".join("(.+)" if isinstance(part, Parameter) else re.escape(part) for part in parts)
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def _check(segments: Sequence[Segment]) -> None:
    names: set[str] = set()
    for index, segment in enumerate(segments):
        for parameter in segment.parameters:
            if parameter.name.lower() in names:
                raise ValueError(f"the parameter {parameter.name!r} occurs twice")
            names.add(parameter.name.lower())
            if parameter.catch_all and (len(segment.parts) > 1 or index < len(segments) - 1):
                raise ValueError(f"the catch-all parameter {parameter.name!r} must be the last segment, on its own")
            if parameter.optional and parameter is not segment.parts[len(segment.parts) - 1]:
                raise ValueError(f"the optional parameter {parameter.name!r} must end its segment")
            if parameter.optional and parameter.default is not None:
                raise ValueError(f"the optional parameter {parameter.name!r} cannot have a default")
