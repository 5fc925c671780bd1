from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import RecipeBroken
from shared.recipes.checks import checked
from shared.recipes.parameters import _KINDS, _VALUES  # pyright: ignore[reportPrivateUsage]
from tests.shared.recipes.given import filled, sectioning, told

INTEGER = {"description": "A number.", "type": "integer", "minimum": 1, "maximum": 9, "default": 2}


def why(data: dict[str, Any]) -> str:
    """Why the recipe is broken."""
    with pytest.raises(RecipeBroken) as broken:
        checked("given", data)
    assert broken.value.name == "given"
    return broken.value.reason


def without(field: str) -> dict[str, Any]:
    return {key: value for key, value in sectioning({}).items() if key != field}


@pytest.mark.parametrize("field", ["title", "description", "pattern", "parameters", "request"])
def test_a_recipe_without_one_of_its_fields_is_broken(field: str) -> None:
    assert field in why(without(field))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({**sectioning({}), "author": "me"}, "author: Extra inputs are not permitted"),
        ({**sectioning({}), "pattern": "chain"}, "pattern"),
        (sectioning({}, aggregation="vote"), "its example: aggregation"),
        (sectioning({}, sections=[]), "its example: sections"),
        (told("{{p}}", type="thing"), "parameters.p"),
        (told("{{p}}", **{**INTEGER, "options": [1]}), "parameters.p.options"),
        (told("At most {{p}}.", **{**INTEGER, "default": 12}), "less than or equal to 9"),
        (told("At most {{p}}.", **{**INTEGER, "maximum": 0}), "must not be below minimum"),
        (told("At most {{p}}.", **{**INTEGER, "required": True}), "no use for a default"),
        (told("For {{p}}.", type="string", required=True), "needs an example"),
        (told("For {{p}}.", type="string"), "may be absent"),
        (told("For {{p}}.", type="string", default="a\nb"), "must be one line"),
        (told("Judge.", **INTEGER), "parameters.p: the request does not use it"),
        (told("At most {{p}}, {{q}}.", **INTEGER), "'q' is none of the parameters"),
        (told("At most {{p}}, {{Q}}.", **INTEGER), "after '{{' comes the name of a parameter"),
        (sectioning({}, **{"{{text}}": 1}), "none stands in a key"),
        (sectioning({"policy": INTEGER}, input="{{text}}{{policy}}"), "every recipe takes 'policy' already"),
        (sectioning({"P": INTEGER}), "parameters.P"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_its_place(data: dict[str, Any], reason: str) -> None:
    assert reason in why(data)


@pytest.mark.parametrize(
    "place",
    [
        lambda value: {"sections": [{"name": "part", "instructions": value}]},
        lambda value: {"sections": [{"name": "part", "agent": {"name": "a", "instructions": value}}]},
        lambda value: {"synthesizer": {"name": "a", "instructions": value}},
        lambda value: {"sections": [{"name": value, "instructions": "Judge."}]},
        lambda value: {"defaults": {"model": value}},
    ],
)
@pytest.mark.parametrize("value", ["{{text}}", "Judge: {{text}}"])
def test_a_long_text_goes_nowhere_but_into_what_prompts_mark_as_data(
    place: Callable[[str], dict[str, Any]], value: str
) -> None:
    assert "goes into what prompts mark as data" in why(sectioning({}, **place(value)))


@pytest.mark.parametrize(
    ("kind", "example"),
    [
        ("strings", ["a", "b"]),
        ("documents", [{"id": "d", "content": "c"}]),
        ("source", {"container": "docs"}),
        ("sink", {"container": "docs"}),
        ("fields", {"total": "number"}),
    ],
)
def test_no_list_or_object_stands_in_instructions(kind: str, example: Any) -> None:
    assert f"of type '{kind}', is" in why(told("Judge {{p}}.", type=kind, required=True, example=example))


def test_every_value_that_a_parameter_offers_is_tried() -> None:
    choice = {"type": "choice", "description": "How.", "options": ["merge", "vote"], "default": "merge"}
    agent = {"name": "a", "instructions": "Judge.", "output_schema": {"type": "object"}}
    data = sectioning({"p": choice}, aggregation="{{p}}", sections=[{"name": "part", "agent": agent}])
    assert "its example with p = 'vote': aggregation" in why(data)
    bounds = {"description": "How many.", "type": "integer", "minimum": 1, "maximum": 5_000, "default": 2}
    assert "p = 5000: policy.max_concurrency" in why(sectioning({"p": bounds}, policy={"max_concurrency": "{{p}}"}))


@pytest.mark.parametrize("name", ["json", "copy", "schema", "model_config", "dict", "validate"])
def test_a_parameter_may_have_any_name_that_is_not_reserved(name: str) -> None:
    data = sectioning({name: INTEGER}, input=f"{{{{text}}}} {{{{{name}}}}}")
    assert filled(data, **{name: 5})["input"].endswith("5")


@pytest.mark.parametrize("kind", [*_KINDS])
def test_every_type_of_parameter_has_its_value(kind: str) -> None:
    assert kind in _VALUES
    assert len(_VALUES) == len(_KINDS) == 11
