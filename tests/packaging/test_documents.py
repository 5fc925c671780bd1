"""The pages for contributors name commands and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.packaging.checkout import ROOT

PAGES = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/decisions/0025-package.md")]
MAKEFILE_TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_every_heading_in_it_exists(page: Path) -> None:
    for link, heading in re.findall(r"\]\((?!https?:)([^)#]+)(?:#([\w-]+))?\)", page.read_text("utf-8")):
        target = page.parent / link
        assert target.exists(), link
        if heading:
            assert heading in headings_of(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_make_is_a_target(page: Path) -> None:
    made = re.findall(r"(?:`|^)make ([a-z]+(?: [a-z]+)*)", page.read_text("utf-8"), re.MULTILINE)

    assert {target for targets in made for target in targets.split()} <= MAKEFILE_TARGETS


def headings_of(page: Path) -> list[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
