"""What README.md and docs/recipes.md say of recipes is what the files and the code have."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from shared.contracts import recipe as contracts
from shared.contracts.recipe import RESERVED, ParameterBase
from shared.recipes.checks import checked
from shared.recipes.first_look import looks_sound
from shared.recipes.parameters import _KINDS  # pyright: ignore[reportPrivateUsage]
from shared.recipes.places import MATERIAL
from shared.schemas import first_violation
from tests.shared.recipes.given import NAMES, RECIPES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGE = (ROOT / "docs" / "recipes.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml recipe=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
ROWS = {
    cells[0].strip("` "): cells[1:]
    for line in README.splitlines()
    if re.match(r"\| `[a-z-]+` \| (sectioning|voting|map_reduce) \|", line)
    for cells in [line.strip("|").split(" | ")]
}


def file_of(name: str) -> dict[str, Any]:
    return tomllib.loads((RECIPES / f"{name}.toml").read_text("utf-8"))


def test_the_readme_has_a_row_for_each_recipe_and_no_other() -> None:
    assert sorted(ROWS) == NAMES
    assert len(NAMES) == 15


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_the_readme_has_the_pattern_and_the_parameters_of_the_file(name: str) -> None:
    pattern, _, parameters = ROWS[name]
    said = [(found[1], bool(found[0])) for found in re.findall(r"(\*\*)?`(\w+)`", parameters)]
    recipe = file_of(name)
    assert pattern.strip() == recipe["pattern"]
    assert said == [(key, each.get("required", False)) for key, each in recipe["parameters"].items()]


def test_the_recipe_that_the_readme_calls_takes_what_it_sends() -> None:
    sent = re.search(r"--json '([^']*)' \\\n  http://localhost:7071/api/recipes/([a-z-]+)", README)
    assert sent is not None
    recipe = checked(sent[2], file_of(sent[2]))
    recipe.request(recipe.filled(recipe.given(json.loads(sent[1]))))


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_the_example_of_the_format_is_a_recipe(name: str, text: str) -> None:
    assert looks_sound(text)
    recipe = checked(name, tomllib.loads(text))
    assert first_violation(recipe.example, recipe.body.model_json_schema()) is None


def test_the_format_s_page_has_an_example() -> None:
    assert len(EXAMPLES) == 1


def test_the_format_s_page_has_every_type_of_parameter_with_its_settings() -> None:
    shown = {
        kind: set(re.findall(r"`(\w+)`", cells[2]))
        for line in PAGE.splitlines()
        if line.startswith("| `") and not line.startswith("| `type`")
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
        if len(cells) == 4
        for kind in re.findall(r"`(\w+)`", cells[0])
    }
    classes = [each for each in vars(contracts).values() if isinstance(each, type) and issubclass(each, ParameterBase)]
    own = {
        each.__name__.removesuffix("Parameter").lower(): set(each.model_fields)
        - set(ParameterBase.model_fields)
        - {"type"}
        for each in classes
        if each is not ParameterBase
    }
    assert shown == own
    assert set(shown) == set(_KINDS)


def test_the_format_s_page_names_the_places_of_material_and_the_reserved_names() -> None:
    for place in MATERIAL:
        assert f"`{'.'.join(place).replace('.*', '[]')}`" in PAGE
    assert all(f"`{name}`" in PAGE for name in RESERVED)
