from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from shared.json_values import MAX_DEPTH, as_encodable, problem_with
from tests.shared.strategies import JSON_VALUES


def nested(levels: int, inner: Any = 1) -> Any:
    value = inner
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@given(JSON_VALUES)
def test_ordinary_values_have_no_problem(value: Any) -> None:
    assert problem_with(value) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1e999}', "a number is not finite"),
        ("[-1e999]", "a number is not finite"),
        ("[NaN]", "a number is not finite"),
        (r'"\ud800"', "surrogate"),
        (r'{"\udfff": 1}', "surrogate"),
        (r'["😀", {"a": "\ude00"}]', "surrogate"),
    ],
)
def test_what_python_reads_and_others_do_not_is_a_problem(text: str, problem: str) -> None:
    found = problem_with(json.loads(text))

    assert found is not None
    assert problem in found


def test_depth_is_bounded() -> None:
    assert problem_with(nested(MAX_DEPTH)) is None
    assert problem_with(nested(MAX_DEPTH + 1)) == f"nested deeper than {MAX_DEPTH} levels"


def test_any_depth_is_measured_without_recursion() -> None:
    assert problem_with(nested(100_000)) is not None


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert as_encodable("a\ud800b😀") == "a?b😀"
