"""An operation of the API: a method on a route, what it takes, and every answer that it can give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts.base import Contract

Visibility = Literal["important", "advanced", "internal"]
"""How a designer of workflows shows it: always, on demand, or not at all."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter besides the body. `extensions` are `x-ms-…` that only the connector's definition has."""

    name: str
    place: Literal["path", "query", "header"]
    title: str
    description: str
    schema: Mapping[str, Any]
    visibility: Visibility = "advanced"
    extensions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    required: bool = False
    """Those in the path always are."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header of an answer, as text; one that is not `required` is there at times."""

    name: str
    description: str
    example: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no problem: JSON of a contract, or text of another `media_type` and no contract."""

    status: int
    description: str
    contract: type[Contract] | None = None
    media_type: str = "application/json"
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a route; `id` names it in definitions, `function` in the app.

    `problems` are codes of `shared/openapi/problems.py`. `body_extensions` are `x-ms-…` of the body's schema that only
    the connector's definition has. What is not `in_connector` is left out of that as a whole.
    """

    id: str
    function: str
    method: Literal["GET", "POST", "DELETE"]
    route: str
    tag: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    problems: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    request: type[Contract] | None = None
    request_required: bool = True
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    body_extensions: Mapping[str, Any] = field(default_factory=dict[str, Any])
    anonymous: bool = False
    visibility: Visibility = "important"
    in_connector: bool = True

    @property
    def all_problems(self) -> tuple[str, ...]:
        """The codes of the problems that it can meet, each once."""
        return tuple(dict.fromkeys(self.problems))
