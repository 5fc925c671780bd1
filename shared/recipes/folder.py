"""The folder that recipes are in: which there are, and what their files say. A start reads it, so no pydantic here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import RecipeBroken, SettingsError, UnknownRecipe
from shared.recipes.first_look import looks_sound
from shared.settings import CHORUS_RECIPES

APP_DIR = Path(__file__).resolve().parents[2]
SUFFIX = ".toml"
NAME = re.compile(r"(?=.{1,60}$)[a-z0-9]+(-[a-z0-9]+)*")
MAX_FILE_BYTES = 200_000
NEEDED = {"title": str, "description": str, "pattern": str, "parameters": dict, "request": dict}
PATTERNS = ("sectioning", "voting", "map_reduce")


@dataclass(frozen=True, slots=True)
class RecipeFolder:
    """The files `NAME.toml` directly in `path`."""

    path: Path

    def files(self) -> dict[str, Path]:
        """The files by the names of their recipes, in order; a name that callers cannot use is among them."""
        try:
            found = sorted(self.path.iterdir())
        except OSError as exc:
            told = f"the folder of the recipes ({CHORUS_RECIPES}) cannot be read: {exc.strerror}"
            raise SettingsError([told]) from exc
        return {_name_of(file): file for file in found if file.suffix == SUFFIX and not file.name.startswith(".")}

    def file(self, name: str) -> Path:
        """The file of a recipe; raise `UnknownRecipe`. A name is looked up and never made part of a path."""
        files = self.files()
        if name not in files:
            raise UnknownRecipe(name, list(files))
        return files[name]

    def problems(self) -> Iterator[RecipeBroken]:
        """Each file that is no recipe at first sight; whether its request fits its contract is seen on first use.

        Files that look sound are not parsed: this is what every cold start pays for.
        """
        for name, file in self.files().items():
            try:
                if not (NAME.fullmatch(name) and looks_sound(text_of(name, file))):
                    contents(name, file)
            except RecipeBroken as broken:
                yield broken


def _name_of(file: Path) -> str:
    """The file's name without its suffix, as text that an answer can hold: a file system takes any bytes for names."""
    return file.stem.encode(errors="replace").decode()


def folder_of(env: Mapping[str, str]) -> RecipeFolder:
    """The folder that the settings name, a relative path within the app's; else `recipes` beside `function_app.py`."""
    return RecipeFolder(APP_DIR / (env.get(CHORUS_RECIPES, "").strip() or "recipes"))


def contents(name: str, file: Path) -> dict[str, Any]:
    """What the file says, as far as it can be told without the contracts; raise `RecipeBroken`."""
    if not NAME.fullmatch(name):
        raise RecipeBroken(name, "its name is not of at most 60 lower-case letters and digits with single hyphens")
    data = _parsed(name, file)
    for key, kind in NEEDED.items():
        if not isinstance(data.get(key), kind):
            raise RecipeBroken(name, f"{key!r} is missing, or is no {'text' if kind is str else 'table'}")
    if unknown := [key for key in data if key not in NEEDED]:
        raise RecipeBroken(name, f"{unknown[0]!r} is no part of a recipe, which has {', '.join(NEEDED)}")
    if data["pattern"] not in PATTERNS:
        raise RecipeBroken(name, f"the pattern is {data['pattern']!r}; it must be one of {', '.join(PATTERNS)}")
    return data


def _parsed(name: str, file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text_of(name, file))
    except ValueError as exc:  # not TOMLDecodeError alone: a number of thousands of digits is another one
        raise RecipeBroken(name, f"the file is not valid TOML: {exc}") from exc
    except RecursionError as exc:
        raise RecipeBroken(name, "the file is nested too deeply") from exc


def text_of(name: str, file: Path) -> str:
    """What is in the file; raise `RecipeBroken`. Messages have no path: whoever calls the API may read them."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise RecipeBroken(name, f"the file has more than {MAX_FILE_BYTES:,} bytes")
        return file.read_text("utf-8")
    except OSError as exc:
        raise RecipeBroken(name, f"the file cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise RecipeBroken(name, "the file is not UTF-8") from exc
