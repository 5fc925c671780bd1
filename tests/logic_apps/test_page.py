"""docs/logic-apps.md says what is true: the workflows that there are, their parameters, and where files are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.logic_apps.samples import CONNECTOR, WORKFLOWS, workflow

ROOT = CONNECTOR.parent
PAGES = [ROOT / "docs/logic-apps.md", ROOT / "docs/decisions/0020-logic-apps.md", CONNECTOR / "README.md"]
PAGE = PAGES[0].read_text("utf-8")


def test_the_page_lists_the_workflows_and_what_their_callers_send() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)\.json` \| .* \| `(\{.*\})` \|$", PAGE, re.MULTILINE))

    assert set(rows) == set(WORKFLOWS)
    for name, sent in rows.items():
        schema = workflow(name)["triggers"]["manual"]["inputs"]["schema"]
        assert set(re.findall(r'\{"(\w+)"', sent)) >= set(schema["required"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"connector/[\w./-]*\.\w+", PAGE))))
def test_the_files_that_its_commands_name_are_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_default_agreement_is_as_the_page_says() -> None:
    [told] = re.findall(r"the\s+default, (0\.\d+), accepts four of five", PAGE)

    assert workflow("approval")["parameters"]["least_agreement"]["defaultValue"] == float(told)
