"""Whether a recipe works: its example, its defaults, and every value that a parameter offers make a valid request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from shared.contracts.recipe import (
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    NumberParameter,
    Parameter,
    RecipeFile,
)
from shared.errors import RecipeBroken
from shared.recipes.places import misplaced
from shared.recipes.recipe import Recipe

MAX_TOLD = 3
"""Faults in one message."""


def checked(name: str, data: Mapping[str, Any]) -> Recipe:
    """The recipe of this name in a file's `data`; raise `RecipeBroken` that says what is wrong and where."""
    try:
        file = RecipeFile.model_validate(data, strict=True)
    except ValidationError as exc:
        raise RecipeBroken(name, _told(exc)) from exc
    if faults := list(misplaced(file)):
        raise RecipeBroken(name, "; ".join(f"{where}: {what}" for where, what in faults[:MAX_TOLD]))
    try:
        recipe = Recipe.of(name, file)
        recipe.given({name: each.example for name, each in file.parameters.items() if each.required})
    except ValidationError as exc:
        raise RecipeBroken(name, f"with its required parameters alone: {_told(exc)}") from exc
    for what, body in _bodies(recipe):
        try:
            recipe.request(recipe.filled(recipe.given(body)))
        except ValidationError as exc:
            raise RecipeBroken(name, f"{what}: {_told(exc)}") from exc
    return recipe


def _bodies(recipe: Recipe) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    """The example, and the example with each other value that a parameter offers, one at a time."""
    example = recipe.example
    yield "its example", example
    for name, parameter in recipe.file.parameters.items():
        for value in _offered(parameter):
            yield f"its example with {name} = {value!r}", {**example, name: value}


def _offered(parameter: Parameter) -> list[JsonValue]:
    match parameter:
        case ChoiceParameter():
            return list(parameter.options)
        case BooleanParameter():
            return [False, True]
        case IntegerParameter() | NumberParameter():
            return [parameter.minimum, parameter.maximum]
        case _:
            return []


def _told(error: ValidationError) -> str:
    """pydantic's findings in short, each with where it is."""
    details = error.errors(include_url=False, include_input=False)
    told = [_one(item) for item in details[:MAX_TOLD]]
    return "; ".join(told) + (f" (and {len(details) - len(told)} more)" if len(details) > len(told) else "")


def _one(item: Any) -> str:
    location = item["loc"]
    if location[:1] == ("parameters",):
        location = (*location[:2], *location[3:])  # the third is the parameter's type, which is no field
    path = ".".join(map(str, location))
    if item["type"] == "misfit":
        path = ".".join(part for part in (path, item["ctx"]["path"]) if part)
    return f"{path or '$'}: {item['msg'].removeprefix('Value error, ')}"
