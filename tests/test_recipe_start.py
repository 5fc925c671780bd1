"""What a start says of recipes, and what it does not load for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.shared.recipes.given import SMALL, catalog

ROOT = Path(__file__).parents[1]


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    """Import the app with the recipes of a folder; what it prints is which slow modules it has loaded."""
    code = "import sys, function_app; print(sorted({'pydantic', 'tomllib', 'jsonschema'} & sys.modules.keys()))"
    env = {**os.environ, "CHORUS_RECIPES": str(folder)}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)


def test_a_start_names_each_broken_recipe_in_the_log_and_goes_on(tmp_path: Path) -> None:
    catalog(tmp_path, fine=SMALL, faulty=SMALL.replace("voters = 3", "voters 3"))
    done = start(tmp_path)
    assert "'faulty' (faulty.toml) cannot be used: the file is not valid TOML" in done.stderr
    assert "fine" not in done.stderr
    assert "'pydantic'" not in done.stdout


def test_a_start_parses_no_recipe_that_looks_sound(tmp_path: Path) -> None:
    catalog(tmp_path, fine=SMALL)
    done = start(tmp_path)
    assert done.stdout.strip() == "[]"
    assert "recipe" not in done.stderr


def test_a_start_without_the_folder_of_recipes_says_so_and_goes_on(tmp_path: Path) -> None:
    done = start(tmp_path / "none")
    assert "without recipes: the folder of the recipes (CHORUS_RECIPES) cannot be read" in done.stderr
