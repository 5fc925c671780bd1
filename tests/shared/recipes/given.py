"""Recipes for the tests, as the data of their files and as files."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from shared.recipes.catalog import Catalog
from shared.recipes.checks import checked
from shared.recipes.folder import RecipeFolder
from shared.recipes.recipe import Recipe

RECIPES = Path(__file__).parents[3] / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))

SMALL = """\
title = "Small"
description = "Judges a text."
pattern = "voting"

[parameters.text]
type = "text"
description = "The text."
required = true
example = "Some text."

[request]
question = "Is it good?"
context = "{{text}}"
voters = 3
"""


def sectioning(parameters: dict[str, Any], **request: Any) -> dict[str, Any]:
    """The data of a recipe with one section; `text` is its input unless the request says otherwise."""
    text = {"type": "text", "description": "The text.", "required": True, "example": "Some text."}
    section = {"name": "part", "instructions": "Judge the text."}
    return {
        "title": "Title",
        "description": "What it does.",
        "pattern": "sectioning",
        "parameters": {"text": text, **copy.deepcopy(parameters)},
        "request": {"input": "{{text}}", "sections": [section], **request},
    }


def told(instructions: str, **parameter: Any) -> dict[str, Any]:
    """A recipe whose section has these instructions, and a parameter `p` for them."""
    described = {"p": {"description": "A parameter.", **parameter}}
    return sectioning(described, sections=[{"name": "part", "instructions": instructions}])


def filled(data: dict[str, Any], **body: Any) -> dict[str, Any]:
    """The request that the recipe makes of a body; `text` is given unless it is there."""
    recipe: Recipe = checked("given", data)
    return recipe.filled(recipe.given({"text": "Some text.", **body}))


def catalog(folder: Path, **files: str) -> Catalog:
    """The catalog of a folder with these files; `_` in a name stands for a hyphen."""
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.toml").write_text(text, "utf-8")
    return Catalog(RecipeFolder(folder))
