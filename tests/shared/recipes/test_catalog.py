from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from shared.contracts.recipe import RecipeList
from shared.errors import RecipeBroken, SettingsError, UnknownRecipe
from shared.recipes.first_look import looks_sound
from shared.recipes.folder import APP_DIR, MAX_FILE_BYTES, RecipeFolder, folder_of
from tests.shared.recipes.given import NAMES, RECIPES, SMALL, catalog

BROKEN = {
    "an open string": SMALL.replace('title = "Small"', 'title = "Small'),
    "an open text": SMALL.replace('"Is it good?"', "'''Is it good?"),
    "an open bracket": SMALL.replace("voters = 3", "voters = [3"),
    "a closing bracket": SMALL.replace("voters = 3", "voters = 3]"),
    "no equals sign": SMALL.replace("voters = 3", "voters 3"),
    "no value": SMALL.replace("voters = 3", "voters ="),
    "words": SMALL.replace("voters = 3", "three voters"),
    "no title": SMALL.replace('title = "Small"\n', ""),
    "no request": SMALL.partition("[request]")[0],
    "no parameters": SMALL.replace("[parameters.text]", "[settings.text]"),
    "another pattern": SMALL.replace('"voting"', '"chain"'),
    "nothing": "",
    "too long a number": SMALL.replace("voters = 3", f"voters = {'9' * 5_000}\nno value ="),
}
"""Broken so that a first look sees it."""
BROKEN_BELOW = {
    "a request of no pattern": SMALL.replace("voters = 3", "voters = 0"),
    "an unknown field": SMALL.replace("voters = 3", "balot = 3"),
    "a key twice": SMALL.replace("voters = 3", "voters = 3\nvoters = 4"),
    "an unknown parameter": SMALL.replace("{{text}}", "{{txt}}"),
    "too long a number": SMALL.replace("voters = 3", f"voters = {'9' * 5_000}"),
    "deep nesting": SMALL.replace("voters = 3", f"voters = {'[' * 250}{']' * 250}"),
}
"""Broken so that only the contracts, or a parser, see it."""


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_of_the_app_looks_sound(name: str) -> None:
    assert looks_sound((RECIPES / f"{name}.toml").read_text("utf-8"))


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_first_look_reports_a_broken_file_by_its_name(tmp_path: Path, text: str) -> None:
    folder = catalog(tmp_path, fine=SMALL, faulty=text).folder
    assert [broken.name for broken in folder.problems()] == ["faulty"]


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace('title = "Small"', '"title" = "Small"'),
        SMALL.replace('"voting"', "'voting'  # by voters"),
        SMALL.replace("voters = 3", "voters = {\n}").replace("{\n}", "[\n  {},\n]"),
        SMALL.replace("[request]", "[ request ]"),
        SMALL.replace('"Is it good?"', "'''It's \"good\"?\n[not a table\n'''"),
        SMALL.replace("\n", "\r\n"),
    ],
)
def test_a_first_look_reports_no_file_that_parses(tmp_path: Path, text: str) -> None:
    tomllib.loads(text)
    assert list(catalog(tmp_path, unusual=text).folder.problems()) == []


@pytest.mark.parametrize("text", [*BROKEN.values(), *BROKEN_BELOW.values()], ids=[*BROKEN, *BROKEN_BELOW])
def test_a_broken_recipe_is_told_with_its_file_and_without_a_path_and_breaks_no_other(
    tmp_path: Path, text: str
) -> None:
    recipes = catalog(tmp_path, fine=SMALL, faulty=text)
    faulty, fine = recipes.summaries()
    assert (fine.name, fine.status, fine.reason) == ("fine", "ok", None)
    assert (faulty.name, faulty.status) == ("faulty", "broken")
    assert faulty.reason is not None
    assert faulty.reason.startswith("faulty.toml: ")
    assert str(tmp_path) not in faulty.reason
    assert len(faulty.reason) < 1_100
    with pytest.raises(RecipeBroken):
        recipes.recipe("faulty")
    assert recipes.recipe("fine").name == "fine"


@pytest.mark.parametrize("name", ["Upper", "two--hyphens", "under_score", "-", "a" * 61, "dot.ted"])
def test_a_file_whose_name_is_none_for_a_recipe_is_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.toml").write_text(SMALL, "utf-8")
    folder = RecipeFolder(tmp_path)
    assert [broken.name for broken in folder.problems()] == [name]


def test_a_file_whose_name_is_no_text_is_reported_and_breaks_no_other(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd\xff.toml")).write_text(SMALL, "utf-8")
    recipes = catalog(tmp_path, fine=SMALL)
    assert [broken.name for broken in recipes.folder.problems()] == ["odd?"]
    assert {told.name: told.status for told in recipes.summaries()} == {"fine": "ok", "odd?": "broken"}
    assert RecipeList(recipes=recipes.summaries()).model_dump_json()


def test_a_file_that_is_no_text_or_too_large_or_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "large.toml").write_text(SMALL + "#" * MAX_FILE_BYTES, "utf-8")
    (tmp_path / "notes.txt").write_text("no recipe", "utf-8")
    problems = {broken.name: broken.reason for broken in RecipeFolder(tmp_path).problems()}
    assert set(problems) == {"binary", "folder", "large"}
    assert not [reason for reason in problems.values() if str(tmp_path) in reason]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "small/../small", "/etc/passwd", "small.toml", "SMALL", "small\x00", "%2e%2e"]
)
def test_a_name_is_looked_up_and_never_made_part_of_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.toml").write_text(SMALL, "utf-8")
    inside = tmp_path / "recipes"
    inside.mkdir()
    with pytest.raises(UnknownRecipe) as unknown:
        catalog(inside, small=SMALL).recipe(name)
    assert unknown.value.known == ["small"]


def test_a_recipe_is_read_again_when_its_file_has_changed(tmp_path: Path) -> None:
    recipes = catalog(tmp_path, small=SMALL)
    first = recipes.recipe("small")
    assert recipes.recipe("small") is first
    catalog(tmp_path, small=SMALL.replace('"Small"', '"Larger"'))
    os.utime(tmp_path / "small.toml", ns=(1, 1))
    assert recipes.recipe("small").file.title == "Larger"


def test_the_folder_is_the_setting_s_or_the_app_s_own(tmp_path: Path) -> None:
    assert folder_of({}).path == folder_of({"CHORUS_RECIPES": " "}).path == RECIPES == APP_DIR / "recipes"
    assert folder_of({"CHORUS_RECIPES": str(tmp_path)}).path == tmp_path
    assert folder_of({"CHORUS_RECIPES": "mine"}).path == APP_DIR / "mine"


def test_a_folder_that_is_not_there_is_told_by_its_setting_and_not_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CHORUS_RECIPES") as wrong:
        folder_of({"CHORUS_RECIPES": str(tmp_path / "none")}).files()
    assert str(tmp_path) not in str(wrong.value)


def test_the_package_keeps_the_recipes() -> None:
    ignored = (APP_DIR / ".funcignore").read_text("utf-8").splitlines()
    assert not [line for line in ignored if line.strip("/") in {"recipes", "*.toml", "recipes/*"}]
