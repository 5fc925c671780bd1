"""One version, told by the project, the API, its connector, the app's health and the changelog."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import date

from shared.openapi.document import openapi_document
from shared.version import VERSION
from tests.packaging.checkout import ROOT
from triggers.health import health_of

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
HEADINGS = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", CHANGELOG, re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_place_tells_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    connector = json.loads((ROOT / "connector/apiDefinition.swagger.json").read_text("utf-8"))

    assert project["version"] == VERSION
    assert openapi_document("https://host/api")["info"]["version"] == VERSION
    assert connector["info"]["version"] == VERSION
    assert health_of({})["version"] == VERSION


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[\w.-]+)?", VERSION)


def test_the_changelog_begins_with_what_is_not_released_and_has_the_rest_newest_first() -> None:
    assert HEADINGS[0] == ("Unreleased", "")
    dates = [date.fromisoformat(day) for _, day in HEADINGS[1:]]
    assert dates == sorted(dates, reverse=True)


def test_the_changelog_has_the_kinds_of_changes_that_keep_a_changelog_has() -> None:
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_the_newest_release_of_the_changelog_is_this_version_or_there_is_none_yet() -> None:
    assert [version for version, _ in HEADINGS[1:2]] in ([], [VERSION])
