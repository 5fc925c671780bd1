"""All recipes of a folder, each read and checked when it is first wanted, and again when its file has changed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from shared.contracts.recipe import RecipeDetails, RecipeSummary
from shared.errors import RecipeBroken
from shared.recipes.checks import checked
from shared.recipes.description import details_of, summary_of
from shared.recipes.folder import PATTERNS, RecipeFolder, contents, text_of
from shared.recipes.recipe import Recipe

Version = tuple[int, int]
"""Of a file: when it was written, in nanoseconds, and its bytes."""


@dataclass
class Catalog:
    """The recipes in `folder`. What one file says has no bearing on the others."""

    folder: RecipeFolder
    _known: dict[str, tuple[Version, Recipe | RecipeBroken]] = field(
        default_factory=dict[str, tuple[Version, Recipe | RecipeBroken]]
    )

    def recipe(self, name: str) -> Recipe:
        """The recipe of this name; raise `UnknownRecipe` or `RecipeBroken`."""
        found = self._read(name, self.folder.file(name))
        if isinstance(found, RecipeBroken):
            raise found
        return found

    def details(self, name: str) -> RecipeDetails:
        """What the recipe of this name tells of itself; raise `UnknownRecipe` or `RecipeBroken`."""
        return details_of(self.recipe(name))

    def summaries(self) -> list[RecipeSummary]:
        """All recipes, the broken ones with their reasons."""
        found = {name: (self._read(name, file), file) for name, file in self.folder.files().items()}
        return [
            _broken(name, file, recipe) if isinstance(recipe, RecipeBroken) else summary_of(recipe)
            for name, (recipe, file) in found.items()
        ]

    def _read(self, name: str, file: Path) -> Recipe | RecipeBroken:
        version = _version(file)
        known = self._known.get(name)
        if known is None or known[0] != version:
            known = (version, _loaded(name, file))
            self._known[name] = known
        return known[1]


@cache
def catalog_of(folder: RecipeFolder) -> Catalog:
    """The one catalog of a folder in this process."""
    return Catalog(folder)


def _loaded(name: str, file: Path) -> Recipe | RecipeBroken:
    try:
        return checked(name, contents(name, file))
    except RecipeBroken as broken:
        return broken


def _version(file: Path) -> Version:
    try:
        found = file.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def _broken(name: str, file: Path, broken: RecipeBroken) -> RecipeSummary:
    try:
        said: dict[str, Any] = tomllib.loads(text_of(name, file))
    except (RecipeBroken, ValueError, RecursionError):
        said = {}
    title, description, pattern = (said.get(key) for key in ("title", "description", "pattern"))
    return RecipeSummary(
        name=name,
        title=title if isinstance(title, str) else None,
        description=description if isinstance(description, str) else None,
        pattern=pattern if pattern in PATTERNS else None,
        status="broken",
        reason=f"{name}.toml: {broken.reason}",
    )
