"""The simulator's expressions are those of the Workflow Definition Language, as far as the samples use them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.logic_apps.expressions import EvaluationFailed, Scope
from tests.logic_apps.syntax import BadExpression, calls_in, template

READ = {"body": lambda name: {"Ask": {"n": 3, "list": [1, 2], "none": None, "flag": True}}[name]}


def value(text: str) -> Any:
    return Scope(READ).value(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("@body('Ask')['n']", 3),
        ("@body('Ask').list[1]", 2),
        ("n is @{body('Ask')['n']}!", "n is 3!"),
        ("@{body('Ask')['n']}", "3"),
        ("@{body('Ask')?['none']}", ""),
        ("@{body('Ask')['flag']}", "True"),
        ("@{body('Ask')['list']}", "[1,2]"),
        ("@body('Ask')?['missing']?['deeper']", None),
        ("@concat('it''s ', 2, ' o''clock')", "it's 2 o'clock"),
        ("@and(equals(1, 1.0), not(false))", True),
        ("@@body('Ask')", "@body('Ask')"),
        ("mail@@example.com", "mail@example.com"),
        ("mail@example.com", "mail@example.com"),
        ("@coalesce(null, body('Ask')?['x'], 'last')", "last"),
        ("@range(2, 3)", [2, 3, 4]),
        ("@uriComponent('a b/c')", "a%20b%2Fc"),
        ("@replace('a<b<c', '<', '&lt;')", "a&lt;b&lt;c"),
        ("@equals(true, 1)", False),
        ("@if(less(0.5, 0.6), 'split', 'clear')", "split"),
    ],
)
def test_an_expression_has_the_value_that_the_language_gives_it(text: str, expected: Any) -> None:
    found = value(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "@body('Ask')['missing']",
        "@body('Ask')['none']['x']",
        "@body('Ask')['list'][2]",
        "@unknown()",
        "@and(1, true)",
        "@less('a', 1)",
    ],
)
def test_what_is_not_there_or_does_not_fit_fails(text: str) -> None:
    with pytest.raises(EvaluationFailed):
        value(text)


@pytest.mark.parametrize("text", ["@body('Ask'", "@{body('Ask')", "@body('Ask') and more", "@body", "@()"])
def test_what_is_no_expression_is_told(text: str) -> None:
    with pytest.raises(BadExpression):
        value(text)


@given(st.text())
def test_a_text_in_quotes_is_itself(text: str) -> None:
    quoted = text.replace("'", "''")

    assert value(f"@concat('{quoted}')") == text
    assert value(f"<@{{concat('{quoted}')}}>") == f"<{text}>"


def test_all_calls_of_a_definition_are_found_however_deep() -> None:
    definition = {"@{a()}": ["x @{b(c('d'))} y", {"z": "@e()?[f()].g"}], "n": 1}

    assert {call.function for call in calls_in(definition)} == {"a", "b", "c", "e", "f"}


def test_only_a_string_that_is_one_expression_keeps_its_type() -> None:
    assert template("@body('Ask')").whole
    assert not template("@{body('Ask')}").whole
