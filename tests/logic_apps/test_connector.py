"""The files of the custom connector keep the rules that Microsoft publishes for connectors."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.logic_apps.connector_rules import NOT_ALLOWED_COLOURS, complaints, icon_complaints
from tests.logic_apps.samples import CONNECTOR
from tests.logic_apps.sending import JSON


def read(name: str) -> JSON:
    return json.loads((CONNECTOR / name).read_text("utf-8"))


def test_the_definition_keeps_the_rules() -> None:
    assert complaints(read("apiDefinition.swagger.json")) == []


def test_the_icon_keeps_the_rules() -> None:
    assert icon_complaints((CONNECTOR / "icon.png").read_bytes()) == []


def test_an_icon_that_is_none_is_told_so() -> None:
    small = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (64).to_bytes(4) + (32).to_bytes(4) + bytes([8, 6])

    assert icon_complaints(b"GIF89a") == ["the icon is no PNG"]
    assert len(icon_complaints(small)) == 3


def test_the_properties_ask_for_the_key_of_the_definition_as_a_secret() -> None:
    properties = read("apiProperties.json")["properties"]
    [key] = properties["connectionParameters"].values()

    assert set(properties["connectionParameters"]) == {"api_key"}, "the name by which a connection finds an API key"
    assert key["type"] == "securestring"
    assert key["uiDefinition"]["constraints"]["clearText"] is False
    for told in ("displayName", "description", "tooltip"):
        assert key["uiDefinition"][told]
    assert "x-functions-key" in key["uiDefinition"]["description"]


def test_the_properties_have_a_colour_that_is_allowed_and_is_the_icons() -> None:
    properties = read("apiProperties.json")["properties"]

    assert set(properties) == {"connectionParameters", "iconBrandColor", "capabilities", "policyTemplateInstances"}
    assert properties["iconBrandColor"].lower() not in NOT_ALLOWED_COLOURS
    assert properties["iconBrandColor"] == "#4B2E83"


BROKEN: dict[str, tuple[list[str], Any, str]] = {
    "long title": (["info", "title"], "Chorus, which starts agents in parallel", "the title has more"),
    "word": (["info", "description"], "The API of an app that runs many agents in parallel.", "not allowed"),
    "plain http": (["schemes"], ["http", "https"], "https alone"),
    "no key": (["security"], [], "do not ask for the key"),
    "id": (["paths", "/voting", "post", "operationId"], "start_voting", "PascalCase"),
    "summary": (["paths", "/voting", "post", "summary"], "Start a vote.", "no phrase"),
    "description": (["paths", "/voting", "post", "description"], "", "no sentence"),
    "twice": (["paths", "/voting", "post", "operationId"], "StartSectioning", "twice"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_definition_that_breaks_a_rule_is_told_so(case: str) -> None:
    path, value, expected = BROKEN[case]
    definition = copy.deepcopy(read("apiDefinition.swagger.json"))
    part: Any = definition
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    found = complaints(definition)

    assert any(expected in complaint for complaint in found), found
