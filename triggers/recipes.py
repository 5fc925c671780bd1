"""Recipes: which there are, what each takes, and starting one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func
from pydantic import ValidationError

from shared.branching import Request
from shared.contracts.recipe import RecipeList
from shared.errors import RecipeBroken, SettingsError, UnknownRecipe
from shared.recipes.catalog import Catalog, catalog_of
from shared.recipes.folder import folder_of
from shared.recipes.recipe import Recipe
from triggers.answers import answer, answering_problems
from triggers.bodies import parsed
from triggers.estimates import estimate_of
from triggers.problems import FieldError, Problem, from_validation
from triggers.runs import begin

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

MAX_LISTED_NAMES = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipe, and the request that it makes of a caller's parameters."""

    recipe: Recipe
    request: Request


@answering_problems
async def list_recipes(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/recipes`: all of them, and of the broken ones what is wrong."""
    del req
    summaries = await asyncio.to_thread(_told, Catalog.summaries)
    return answer(HTTPStatus.OK, RecipeList(recipes=summaries))


@answering_problems
async def describe_recipe(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/recipes/{name}`: what it does, the schema of what it takes, and an example."""
    details = await asyncio.to_thread(_told, lambda catalog: catalog.details(_name(req)))
    return answer(HTTPStatus.OK, details)


@answering_problems
async def start_recipe(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`POST /api/recipes/{name}`: a run of the recipe's pattern."""
    asked = await asyncio.to_thread(_asked, req)
    recipe = asked.recipe
    return await begin(req, client, recipe.file.pattern, asked.request, f"recipes/{recipe.name}", recipe=recipe.name)


@answering_problems
async def estimate_recipe(req: func.HttpRequest) -> func.HttpResponse:
    """`POST /api/recipes/{name}/estimate`: what the same body would take; nothing is started."""
    asked = await asyncio.to_thread(_asked, req)
    return await estimate_of(asked.recipe.file.pattern, asked.request)


def _name(req: func.HttpRequest) -> str:
    return req.route_params.get("name", "")


def _asked(req: func.HttpRequest) -> Asked:
    """What the body makes of the recipe that the route names; raise the `Problem` with either."""
    recipe = _told(lambda catalog: catalog.recipe(_name(req)))
    filled = recipe.filled(parsed(req, recipe.body))
    try:
        return Asked(recipe, recipe.request(filled))
    except ValidationError as exc:
        raise _by_parameters(recipe, from_validation(exc, filled)) from exc


def _by_parameters(recipe: Recipe, problem: Problem) -> Problem:
    """A problem with the request that the recipe made, told at the parameters that went into it."""
    errors = [_by_parameter(recipe, error) for error in problem.errors]
    told = f"{errors[0].path}: {errors[0].message}"
    detail = f"The parameters do not make a request that fits its contract: {told}. Nothing was started."
    return Problem(problem.status, problem.code, detail, errors)


def _by_parameter(recipe: Recipe, error: FieldError) -> FieldError:
    path = recipe.parameter_at(error.path)
    return FieldError(path, error.message) if path else FieldError("$", f"{error.path}: {error.message}")


def _told[T](ask: Callable[[Catalog], T]) -> T:
    """What the catalog says; raise the `Problem` that it has."""
    try:
        return ask(catalog_of(folder_of(os.environ)))
    except UnknownRecipe as unknown:
        raise _not_found(unknown) from unknown
    except RecipeBroken as broken:
        told = f"The recipe {broken.name!r} cannot be used: {broken.name}.toml: {broken.reason}"
        raise Problem(
            HTTPStatus.CONFLICT, "recipe_broken", f"{told}. Correct the file; other recipes work. Nothing was started."
        ) from broken
    except SettingsError as exc:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "recipes_unavailable", f"This app has no recipes: {exc}."
        ) from exc


def _not_found(unknown: UnknownRecipe) -> Problem:
    more = len(unknown.known) - MAX_LISTED_NAMES
    listed = ", ".join(unknown.known[:MAX_LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")
    return Problem(
        HTTPStatus.NOT_FOUND,
        "recipe_not_found",
        f"There is no recipe of this name. There are: {listed or 'none'}.",
    )
