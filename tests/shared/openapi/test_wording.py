"""Every property of the API is explained, once, and nothing is explained that is not there."""

from __future__ import annotations

import pytest

from shared.openapi.wording import EVERYWHERE, ITSELF, title_of, unwrapped, wording
from tests.shared.openapi.test_document import DOCUMENT, properties

FIELDS = {(contract, field) for contract, field, _ in properties()}


def test_every_schema_and_every_property_has_a_title_and_a_description() -> None:
    untold = [f"{contract}.{field}" for contract, field, given in properties() if not given.get("description")]

    assert untold == []
    assert all(given["title"] for _, _, given in properties())
    assert [name for name, schema in DOCUMENT["components"]["schemas"].items() if not schema.get("description")] == []


def test_every_entry_is_of_a_property_that_the_api_has() -> None:
    own = {(contract, field) for contract, told in wording().items() for field in told if contract != EVERYWHERE}
    itself = {(name, ITSELF) for name in DOCUMENT["components"]["schemas"]}

    assert own - FIELDS - itself == set()


def test_what_is_said_of_all_properties_of_a_name_is_said_of_some() -> None:
    own = {(contract, field) for contract, told in wording().items() for field in told}
    left = {field for contract, field in FIELDS if (contract, field) not in own}

    assert {*wording()[EVERYWHERE]} - left == set()


def test_meanings_are_sentences() -> None:
    assert [text for told in wording().values() for text in told.values() if not text.endswith(".")] == []


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("branch_timeout_s", "Branch timeout (seconds)"),
        ("max_concurrency", "Maximum concurrency"),
        ("status_url", "Status URL"),
        ("id", "ID"),
        ("http_status", "HTTP status"),
        ("sections", "Sections"),
    ],
)
def test_a_title_is_the_name_in_words(name: str, title: str) -> None:
    assert title_of(name) == title


def test_a_docstring_s_lines_are_joined_and_its_paragraphs_are_kept() -> None:
    assert unwrapped("One\ntwo.\n\nThree.\n") == "One two.\n\nThree."
