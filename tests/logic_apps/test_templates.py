"""The templates deploy the workflows as they are, and no secret is in them or comes out of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from connector.make_templates import TEMPLATES, escaped, templates, text_of
from tests.logic_apps.samples import WORKFLOWS, workflow
from tests.logic_apps.sending import JSON

ALL = templates()


def resource(template: JSON, kind: str) -> JSON:
    [found] = [found for found in template["resources"] if found["type"] == kind]
    return found


def strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings_in(part)


def test_each_workflow_has_its_template() -> None:
    assert {f"{name}.json" for name in WORKFLOWS} <= set(ALL)
    assert {path.name for path in TEMPLATES.glob("*.json")} == set(ALL)


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_template_is_written_as_it_would_be_now(name: str) -> None:
    assert (TEMPLATES / name).read_text("utf-8") == text_of(ALL[name]), "run `make connector`"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_template_deploys_the_workflow_as_it_is_and_sets_its_parameters(name: str) -> None:
    properties = resource(ALL[f"{name}.json"], "Microsoft.Logic/workflows")["properties"]
    definition = workflow(name)

    assert properties["definition"] == definition, "no text of a sample begins as an expression of ARM does"
    unset = set(definition["parameters"]) - set(properties["parameters"])
    assert all("defaultValue" in definition["parameters"][key] for key in unset)
    assert set(properties["parameters"]) <= set(definition["parameters"])


@pytest.mark.parametrize("name", sorted(ALL))
def test_expressions_name_parameters_and_variables_that_there_are(name: str) -> None:
    template = ALL[name]
    own = {**template, "variables": {}, "resources": [{**part, "definition": None} for part in template["resources"]]}
    expressions = [text for text in strings_in(own) if text.startswith("[") and not text.startswith("[[")]

    assert expressions
    for expression in expressions:
        assert set(re.findall(r"parameters\('(\w+)'\)", expression)) <= set(template["parameters"])
        assert set(re.findall(r"variables\('(\w+)'\)", expression)) <= set(template["variables"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_key_is_a_secure_parameter_without_a_default_and_no_output(name: str) -> None:
    template = ALL[f"{name}.json"]

    assert template["parameters"]["chorusKey"]["type"] == "securestring"
    assert "defaultValue" not in template["parameters"]["chorusKey"]
    assert template["outputs"] == {}, "outputs stay in the deployment history, and a trigger's URL is a secret"


def test_a_template_makes_the_connections_of_its_workflow() -> None:
    made = {
        name: [part["name"] for part in ALL[f"{name}.json"]["resources"] if part["type"] == "Microsoft.Web/connections"]
        for name in WORKFLOWS
    }

    assert {name: found for name, found in made.items() if found} == {
        "approval": ["[parameters('office365Connection')]"],
        "with-connector": ["[parameters('chorusConnection')]"],
    }


def test_the_example_of_a_parameter_file_sets_what_a_template_asks_for() -> None:
    given = json.loads((TEMPLATES / "parameters.keyvault.json.example").read_text("utf-8"))["parameters"]
    asked = {key for key, part in ALL["polling.json"]["parameters"].items() if "defaultValue" not in part}

    assert set(given) == asked
    assert "reference" in given["chorusKey"]


def test_a_text_that_begins_with_a_bracket_is_no_expression() -> None:
    assert escaped({"a": ["[x]", "x"]}) == {"a": ["[[x]", "x"]}
