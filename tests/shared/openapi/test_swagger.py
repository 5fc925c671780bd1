"""The definition for custom connectors: valid OpenAPI 2.0, with what designers of workflows need, and in step."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft4Validator
from openapi_spec_validator import OpenAPIV2SpecValidator

from shared.openapi.operations import OPERATIONS
from shared.openapi.swagger import plain, swagger_document
from tests.architecture import ROOT
from tests.shared.openapi.requests import shown_requests

SWAGGER = swagger_document("https://chorus.example/api")
CONNECTOR = ROOT / "connector" / "apiDefinition.swagger.json"
LATER_KEYWORDS = {
    "anyOf", "oneOf", "allOf", "const", "discriminator", "examples", "prefixItems", "propertyNames", "$defs", "not",
    "patternProperties", "nullable", "content", "requestBody", "components", "title",
}  # fmt: skip
"""Keywords that OpenAPI 2.0 does not have, or that connectors make nothing of."""
VISIBILITIES = {"important", "advanced", "internal"}


def operations() -> list[Any]:
    return [operation for methods in SWAGGER["paths"].values() for operation in methods.values()]


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema, parameter and answer, but not the maps from names to properties."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            for part in inner.values() if key in {"properties", "definitions", "headers"} else [inner]:
                yield from parts(part)
    elif isinstance(value, list):
        for item in value:
            yield from parts(item)


def test_a_validator_finds_nothing_wrong_with_the_definition() -> None:
    assert [error.message for error in OpenAPIV2SpecValidator(SWAGGER).iter_errors()] == []


def test_the_connector_s_file_is_the_definition_as_it_is_now() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "shared.openapi"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert CONNECTOR.read_text("utf-8") == made.stdout, "run 'make connector'"


def test_the_connector_s_file_names_no_app() -> None:
    definition = json.loads(CONNECTOR.read_text("utf-8"))

    assert (definition["host"], definition["basePath"], definition["schemes"]) == (
        "your-app.azurewebsites.net", "/api", ["https"],
    )  # fmt: skip


def test_an_app_s_own_definition_names_the_app() -> None:
    assert (SWAGGER["host"], SWAGGER["basePath"], SWAGGER["schemes"]) == ("chorus.example", "/api", ["https"])


def test_no_keyword_is_left_that_only_later_versions_have() -> None:
    paths, definitions = SWAGGER["paths"], SWAGGER["definitions"]
    found = {keyword for part in parts([*paths.values(), *definitions.values()]) for keyword in part}

    assert found & LATER_KEYWORDS == set()


def test_it_has_every_operation_but_those_that_give_definitions() -> None:
    missing = {operation.id for operation in OPERATIONS} - {operation["operationId"] for operation in operations()}

    assert missing == {"GetOpenApi", "GetSwagger", "ViewDocs"}


def test_operations_say_what_they_do_and_who_sees_them() -> None:
    for operation in operations():
        assert operation["summary"]
        assert operation["description"].endswith(".")
        assert operation["x-ms-visibility"] in VISIBILITIES


def test_parameters_and_properties_say_what_they_are_and_who_sees_them() -> None:
    told = [parameter for operation in operations() for parameter in operation.get("parameters", [])]
    told += [each for definition in SWAGGER["definitions"].values() for each in definition["properties"].values()]

    assert len(told) > 200
    for each in told:
        assert each["x-ms-summary"], each
        assert each["x-ms-summary"].rstrip(".") == each["x-ms-summary"]
        assert each["description"].rstrip().endswith((".", "`")), each
        assert each["x-ms-visibility"] in VISIBILITIES


def test_what_is_required_is_seen_at_once() -> None:
    for definition in SWAGGER["definitions"].values():
        for name in definition.get("required", []):
            assert definition["properties"][name]["x-ms-visibility"] == "important"


def test_keys_go_in_a_header() -> None:
    assert SWAGGER["securityDefinitions"] == {
        "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"}
    }
    assert SWAGGER["security"] == [{"functionKey": []}]


def operation_of(operation_id: str) -> Any:
    [found] = [operation for operation in operations() if operation["operationId"] == operation_id]
    return found


@pytest.mark.parametrize("operation_id", ["GetRecipe", "StartRecipe", "EstimateRecipe"])
def test_a_designer_offers_the_names_of_recipes(operation_id: str) -> None:
    [name] = [each for each in operation_of(operation_id)["parameters"] if each["name"] == "name"]
    told = name["x-ms-dynamic-values"]
    listed = SWAGGER["definitions"]["RecipeList"]["properties"]

    assert operation_of(told["operationId"])["responses"]["200"]["schema"] == {"$ref": "#/definitions/RecipeList"}
    assert listed[told["value-collection"]]["items"] == {"$ref": "#/definitions/RecipeSummary"}
    assert {told["value-path"], told["value-title"]} <= {*SWAGGER["definitions"]["RecipeSummary"]["properties"]}


@pytest.mark.parametrize("operation_id", ["StartRecipe", "EstimateRecipe"])
def test_a_designer_shows_the_fields_that_the_chosen_recipe_takes(operation_id: str) -> None:
    parameters = {each["name"]: each for each in operation_of(operation_id)["parameters"]}
    told = parameters["body"]["schema"]["x-ms-dynamic-schema"]

    assert parameters["body"]["schema"]["type"] == "object"
    assert operation_of(told["operationId"])["responses"]["200"]["schema"] == {"$ref": "#/definitions/RecipeDetails"}
    assert told["value-path"] in SWAGGER["definitions"]["RecipeDetails"]["properties"]
    assert all(parameter["parameter"] in parameters for parameter in told["parameters"].values())


@pytest.mark.parametrize(("operation_id", "where", "request_body"), shown_requests())
def test_a_request_that_is_shown_fits_the_simpler_schema_too(operation_id: str, where: str, request_body: Any) -> None:
    [body] = [
        parameter["schema"]
        for operation in operations()
        if operation["operationId"] == operation_id
        for parameter in operation["parameters"]
        if parameter["in"] == "body"
    ]
    validator = Draft4Validator({**body, "definitions": SWAGGER["definitions"]})

    assert [error.message for error in validator.iter_errors(request_body)] == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": "a", "type": "string"}, {"type": "string", "enum": ["a"]}),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, {"type": "integer", "minimum": 1}),
        (
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True},
        ),
        (
            {"description": "Who.", "oneOf": [{"type": "integer"}, {"$ref": "#/components/schemas/VoterPlan"}]},
            {"description": "Who. It is an integer; or an object: voter plan."},
        ),
        (
            {"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
            {"type": "object", "description": "It is an object: a; or an object: b."},
        ),
        ({"$ref": "#/components/schemas/Usage"}, {"$ref": "#/definitions/Usage"}),
        (
            {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ),
        ({"type": "object", "additionalProperties": False}, {"type": "object"}),
    ],
)
def test_a_schema_is_said_in_the_words_of_the_older_version(schema: Any, expected: Any) -> None:
    assert plain(schema) == expected
