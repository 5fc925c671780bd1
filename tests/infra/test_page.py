from __future__ import annotations

import re

from tests.infra.bicep import INFRA, all_templates, text_of
from tests.infra.parameter_table import PAGE, with_table
from tests.infra.roles import ROLES

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_has_the_parameters_of_today() -> None:
    assert with_table(TEXT) == TEXT, "python -m tests.infra.parameter_table writes it"


def test_the_page_explains_every_role_that_is_assigned() -> None:
    section = TEXT.partition("## Roles")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| (?:app|operator) \| ([^|]+?) \|", section, re.M))
    assert explained == {title for title, _ in ROLES.values()}


def test_the_page_names_every_resource_by_what_its_name_begins_with() -> None:
    names = text_of(all_templates()[0].named("names").node)
    prefixes = re.findall(r": '([a-z-]+?)\$\{token\}'", names)
    assert len(prefixes) == names.count("${token}")
    assert [prefix for prefix in prefixes if f"{prefix}…" not in TEXT and not prefix.startswith("plan-")] == []


def test_the_files_that_the_page_names_are_there() -> None:
    for name in re.findall(r"`([\w-]+\.(?:sh|ps1|bicep|scheduler\.json))`", TEXT):
        assert (INFRA / name).is_file(), name
