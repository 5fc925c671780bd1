"""Every operation of the API: the table that both definitions and the page for people are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.estimate import RunEstimate
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.recipe import RecipeDetails, RecipeList
from shared.contracts.run import RedriveRequest, RunPending, RunResult, RunView
from shared.contracts.run_list import ListedRun, RunList
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.openapi import examples
from shared.openapi.answers import POLLING, STARTED
from shared.openapi.bodies import HealthReport, RecipeRequest
from shared.openapi.operation import Answer, Operation
from shared.openapi.parameters import FILTERS, KEY_OF_START, OF_A_START, RECIPE_NAME, RUN_ID
from shared.openapi.patterns import estimate_of, start_of
from shared.openapi.problems import (
    OF_A_RESULT,
    OF_A_RUN,
    OF_BODIES,
    OF_RECIPES,
    OF_STARTS,
    OF_STORAGE,
    OF_STORAGE_ESTIMATES,
    OF_THE_HUB,
)
from shared.openapi.tags import APP, ESTIMATES, RECIPES, RUNS

RECIPE_BODY: Mapping[str, Any] = {
    "x-ms-dynamic-schema": {
        "operationId": "GetRecipe",
        "parameters": {"name": {"parameter": "name"}},
        "value-path": "input_schema",
    }
}
"""A recipe's own schema takes the place of the one that all recipes share."""


OPERATIONS: tuple[Operation, ...] = (
    start_of(
        "Sectioning",
        "sectioning",
        SectioningRequest,
        examples.SECTIONING,
        summary="Start sectioning",
        description="Splits a task into independent sections, one focused agent each, and makes one answer of theirs.",
    ),
    start_of(
        "Voting",
        "voting",
        VotingRequest,
        examples.VOTING,
        summary="Start a vote",
        description="Puts the same question to several voters and decides by a rule, with dissent and confidence.",
    ),
    start_of(
        "MapReduce",
        "map-reduce",
        MapReduceRequest,
        examples.MAP_REDUCE,
        summary="Start map-reduce",
        description="Has one agent read each document, and makes one answer of all of their outputs.",
        of_storage=OF_STORAGE,
    ),
    Operation(
        id="ListRecipes",
        function="list_recipes",
        method="GET",
        route="recipes",
        tag=RECIPES,
        summary="List recipes",
        description="Gives the recipes of the app by name, and of a broken one what is wrong with its file.",
        answers=(Answer(200, "The recipes.", RecipeList),),
        problems=("recipes_unavailable",),
        visibility="advanced",
    ),
    Operation(
        id="GetRecipe",
        function="describe_recipe",
        method="GET",
        route="recipes/{name}",
        tag=RECIPES,
        summary="Get a recipe",
        description="Gives what a recipe does, the JSON Schema of what it takes, and an example.",
        parameters=(RECIPE_NAME,),
        answers=(Answer(200, "The recipe.", RecipeDetails),),
        problems=OF_RECIPES,
        visibility="advanced",
    ),
    Operation(
        id="StartRecipe",
        function="start_recipe",
        method="POST",
        route="recipes/{name}",
        tag=RECIPES,
        summary="Start a recipe",
        description="Starts a run of the recipe's pattern, with the request that the recipe makes of its parameters.",
        parameters=(RECIPE_NAME, *OF_A_START),
        request=RecipeRequest,
        examples=examples.RECIPE,
        body_extensions=RECIPE_BODY,
        answers=STARTED,
        problems=(*OF_BODIES, *OF_STARTS, *OF_RECIPES, *OF_STORAGE, *OF_THE_HUB),
    ),
    Operation(
        id="ListRuns",
        function="list_runs",
        method="GET",
        route="runs",
        tag=RUNS,
        summary="List runs",
        description="Gives runs, the newest first, a page at a time. A page may hold fewer runs than were asked for, "
        "or none, and yet not be the last: that is the one without a continuation token.",
        parameters=FILTERS,
        answers=(Answer(200, "A page of runs.", RunList),),
        problems=("invalid_parameter", *OF_THE_HUB),
        visibility="advanced",
    ),
    Operation(
        id="GetRun",
        function="get_run",
        method="GET",
        route="runs/{id}",
        tag=RUNS,
        summary="Get a run's result",
        description="Gives the result of a run that has ended. While it goes on, the answer is 202, and says when to "
        "ask again.",
        parameters=(RUN_ID,),
        answers=(
            Answer(200, "The run has ended: its result.", RunResult),
            Answer(202, "The run goes on.", RunPending, headers=POLLING),
        ),
        problems=OF_A_RUN,
    ),
    Operation(
        id="ViewRun",
        function="view_run",
        method="GET",
        route="runs/{id}/view",
        tag=RUNS,
        summary="View a run",
        description="Gives the run as it is now, with its progress and what became of each branch so far.",
        parameters=(RUN_ID,),
        answers=(Answer(200, "The run as it is now.", RunView),),
        problems=OF_A_RESULT,
    ),
    Operation(
        id="CancelRun",
        function="cancel_run",
        method="DELETE",
        route="runs/{id}",
        tag=RUNS,
        summary="Cancel a run",
        description="Asks the run to end now, as `cancelled`, with what it has.",
        parameters=(RUN_ID,),
        answers=(Answer(202, "The run was asked to end.", RunPending, headers=POLLING),),
        problems=(*OF_A_RUN, "run_already_ended"),
    ),
    Operation(
        id="CancelRunOfKey",
        function="cancel_run_of_key",
        method="DELETE",
        route="runs",
        tag=RUNS,
        summary="Cancel a run by its key",
        description="Asks the run that a request with this Idempotency-Key started to end now, for who has no answer "
        "to that request. That the run has ended already is no error.",
        parameters=(KEY_OF_START,),
        answers=(
            Answer(200, "The run has ended already.", ListedRun),
            Answer(202, "The run was asked to end.", RunPending, headers=POLLING),
        ),
        problems=("invalid_parameter", *OF_A_RUN),
        visibility="advanced",
    ),
    Operation(
        id="RedriveRun",
        function="redrive_run",
        method="POST",
        route="runs/{id}/redrive",
        tag=RUNS,
        summary="Redrive a run",
        description="Starts a new run that takes over what succeeded in this one, and runs the rest.",
        parameters=(RUN_ID, *OF_A_START),
        request=RedriveRequest,
        request_required=False,
        examples=examples.REDRIVE,
        answers=STARTED,
        problems=(*OF_A_RESULT, *OF_BODIES, *OF_STARTS, *OF_STORAGE, "run_not_ended", "nothing_to_redrive"),
        visibility="advanced",
    ),
    estimate_of("Sectioning", "sectioning", SectioningRequest, examples.SECTIONING),
    estimate_of("Voting", "voting", VotingRequest, examples.VOTING),
    estimate_of(
        "MapReduce",
        "map-reduce",
        MapReduceRequest,
        examples.MAP_REDUCE,
        of_storage=OF_STORAGE_ESTIMATES,
    ),
    Operation(
        id="EstimateRecipe",
        function="estimate_recipe",
        method="POST",
        route="recipes/{name}/estimate",
        tag=ESTIMATES,
        summary="Estimate a recipe",
        description="How many calls and tokens a run would take. Takes the request of a start, and starts nothing.",
        parameters=(RECIPE_NAME,),
        request=RecipeRequest,
        examples=examples.RECIPE,
        body_extensions=RECIPE_BODY,
        answers=(Answer(200, "The estimate.", RunEstimate),),
        problems=(*OF_BODIES, *OF_RECIPES, *OF_STORAGE_ESTIMATES),
        visibility="advanced",
    ),
    Operation(
        id="GetHealth",
        function="health",
        method="GET",
        route="health",
        tag=APP,
        summary="Get the app's health",
        description="Says whether the app is up, and whether its settings let it call a model and use storage.",
        answers=(Answer(200, "The app is up; `status` says whether its settings are right.", HealthReport),),
        anonymous=True,
        visibility="advanced",
    ),
    Operation(
        id="GetOpenApi",
        function="get_openapi",
        method="GET",
        route="openapi.json",
        tag=APP,
        summary="Get the OpenAPI definition",
        description="This definition of the API, as OpenAPI 3.1.",
        answers=(Answer(200, "The definition."),),
        in_connector=False,
    ),
    Operation(
        id="GetSwagger",
        function="get_swagger",
        method="GET",
        route="swagger.json",
        tag=APP,
        summary="Get the connector's definition",
        description="The definition of the API as OpenAPI 2.0, for custom connectors of Logic Apps and Power Platform.",
        answers=(Answer(200, "The definition."),),
        in_connector=False,
    ),
    Operation(
        id="ViewDocs",
        function="view_docs",
        method="GET",
        route="docs",
        tag=APP,
        summary="Read the API's page",
        description="The definition of the API as a page for people.",
        answers=(Answer(200, "The page.", media_type="text/html"),),
        in_connector=False,
    ),
)
