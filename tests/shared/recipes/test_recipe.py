from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from shared.contracts.extraction import ExtractedField, schema_of
from shared.contracts.sectioning import SectioningRequest
from shared.recipes.catalog import Catalog
from shared.recipes.checks import checked
from shared.recipes.description import details_of, input_schema
from shared.recipes.folder import RecipeFolder
from shared.recipes.parameters import body_contract
from shared.recipes.recipe import Recipe
from shared.schemas import check_output_schema, first_violation
from shared.strict_mode import is_strict
from tests.shared.recipes.given import NAMES, RECIPES, filled, sectioning

POLICY = {"hedge": "p95", "branch_timeout_s": 180, "deadline_s": 600, "attempts": 2}


@pytest.mark.parametrize(
    ("stated", "policy"),
    [
        ({}, POLICY),
        ({"attempts": 5}, {**POLICY, "attempts": 5}),
        ({"deadline_s": 60}, {"hedge": "p95", "deadline_s": 60, "attempts": 2}),
        ({"branch_timeout_s": 10}, {**POLICY, "branch_timeout_s": 10}),
        ({"hedge_after_s": 5}, {"branch_timeout_s": 180, "deadline_s": 600, "attempts": 2, "hedge_after_s": 5}),
        ({"hedge": None}, {"branch_timeout_s": 180, "deadline_s": 600, "attempts": 2, "hedge": None}),
        (
            {"max_concurrency": 1},
            {"branch_timeout_s": 180, "deadline_s": 600, "attempts": 2, "max_concurrency": 1},
        ),
    ],
)
def test_a_caller_s_policy_goes_into_the_recipe_s_and_what_would_contradict_it_goes(
    stated: dict[str, Any], policy: dict[str, Any]
) -> None:
    recipe = checked("given", sectioning({}, policy=POLICY))
    request = recipe.filled(recipe.given({"text": "t", "policy": stated}))
    assert request["policy"] == policy
    recipe.request(request)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stated", [{"deadline_s": 10}, {"branch_timeout_s": 10}, {"max_concurrency": 1}])
def test_every_recipe_of_the_app_takes_a_caller_who_has_less_time(name: str, stated: dict[str, Any]) -> None:
    recipe = Catalog(RecipeFolder(RECIPES)).recipe(name)
    request = recipe.request(recipe.filled(recipe.given({**recipe.example, "policy": stated})))
    assert stated.items() <= request.policy.model_dump().items()


def test_a_caller_s_time_beyond_the_recipe_s_hedge_leaves_it() -> None:
    recipe = checked("given", sectioning({}, policy={"hedge_after_s": 20, "branch_timeout_s": 90}))
    request = recipe.filled(recipe.given({"text": "t", "policy": {"branch_timeout_s": 21}}))
    assert request["policy"] == {"hedge_after_s": 20, "branch_timeout_s": 21}


def test_a_caller_s_model_goes_into_the_recipe_s_defaults() -> None:
    request = filled(sectioning({}, defaults={"temperature": 0.2}), defaults={"model": "m"})
    assert request["defaults"] == {"temperature": 0.2, "model": "m"}


class CallingBack(SectioningRequest):
    """A request that knows a field which every recipe passes on."""

    callback_url: Annotated[str, Field(pattern="^https:")] | None = None


def test_a_callback_is_passed_on_and_checked_like_the_request_s() -> None:
    file = checked("given", sectioning({})).file
    recipe = Recipe("given", file, body_contract("given", file, CallingBack), CallingBack)
    request = recipe.filled(recipe.given({"text": "t", "callback_url": "https://a.example"}))
    assert request["callback_url"] == "https://a.example"
    assert "callback_url" not in recipe.filled(recipe.given({"text": "t"}))
    with pytest.raises(ValidationError):
        recipe.given({"text": "t", "callback_url": "ftp://a.example"})
    assert "description" in input_schema(recipe)["properties"]["callback_url"]  # type: ignore[index]


@pytest.mark.parametrize(
    "body",
    [{}, {"text": ""}, {"text": 3}, {"text": "t", "other": 1}, {"parameter_text": "t"}, {"text": "t", "input": ""}],
)
def test_a_body_that_does_not_fit_the_parameters_is_refused(body: dict[str, Any]) -> None:
    recipe = checked("given", sectioning({}))
    with pytest.raises(ValidationError):
        recipe.given(body)


def test_an_optional_parameter_may_be_null_and_is_then_absent() -> None:
    note = {"type": "text", "description": "A note."}
    data = sectioning({"note": note}, input="{{text}}{{note}}")
    assert filled(data, note=None) == filled(data) == {**filled(data), "input": "<text>\nSome text.\n</text>"}


def test_a_place_in_the_request_is_told_as_the_parameter_that_filled_it() -> None:
    number = {"type": "integer", "description": "A.", "minimum": 1, "maximum": 5, "default": 2}
    data = sectioning({"n": number}, policy={"min_successful": 1, "attempts": "{{n}}"})
    recipe = checked("given", data)
    assert recipe.parameter_at("input") == "text"
    assert recipe.parameter_at("input[3].x") == "text[3].x"
    assert recipe.parameter_at("policy.attempts") == "policy.attempts"
    assert recipe.parameter_at("sections[0].name") is None


def test_fields_become_a_closed_schema_in_which_what_is_not_stated_is_null() -> None:
    kinds = ("text", "number", "integer", "boolean", "date", "list")
    fields = {kind: ExtractedField(type=kind) for kind in kinds}
    fields["choice"] = ExtractedField(type="choice", options=["EUR", "USD"], description="The currency")
    schema = schema_of(fields)
    check_output_schema(schema)
    nothing = {**dict.fromkeys(fields), "list": []}
    assert first_violation(nothing, schema) is None
    assert first_violation({**nothing, "date": "3 March"}, schema)
    assert first_violation({**nothing, "choice": "GBP"}, schema)
    assert first_violation({"text": "a"}, schema)


@pytest.mark.parametrize("name", NAMES)
def test_the_schemas_of_the_recipes_are_ones_that_strict_mode_takes(name: str) -> None:
    from shared.recipes.folder import contents
    from shared.strict_mode import strict_form

    recipe = checked(name, contents(name, RECIPES / f"{name}.toml"))
    details = details_of(recipe)
    if details.output_schema is not None and details.output_path == "output.content":
        assert (form := strict_form(details.output_schema)) is not None
        assert is_strict(form)


@pytest.mark.parametrize("name", NAMES)
def test_the_input_schema_tells_what_the_contract_takes(name: str) -> None:
    from shared.recipes.folder import contents

    recipe = checked(name, contents(name, RECIPES / f"{name}.toml"))
    schema = input_schema(recipe)
    properties: Any = schema["properties"]
    assert set(properties) >= {*recipe.file.parameters, "policy", "defaults"}
    assert all(field["title"] and field["description"] for field in properties.values())
    assert schema.get("required", []) == [key for key, each in recipe.file.parameters.items() if each.required]
    for key, each in recipe.file.parameters.items():
        assert properties[key].get("default") == each.default
    assert first_violation(recipe.example, schema) is None
    assert first_violation({**recipe.example, "other": 1}, schema)
    assert first_violation({}, schema) or not schema.get("required")
