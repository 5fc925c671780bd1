from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.policy import RunPolicy
from tests.shared.contracts.rejection import accepted, rejection

BOUNDS: list[tuple[str, list[Any], list[Any]]] = [
    ("max_concurrency", [1, 1_000], [0, 1_001, 1.0, "1", True, None]),
    ("attempts", [1, 10], [0, 11, 2.5, "3", None]),
    ("branch_timeout_s", [0.1, 1, 3_600], [0, 0.09, 3_601, "1", float("nan"), float("inf"), None]),
    ("deadline_s", [0.1, 86_400], [0, -1, 86_401, float("-inf"), 10**400]),
    ("min_successful", [1, 10**30, None], [0, -1, 1.5, "1"]),
    ("tolerated_failure_count", [0, 3, None], [-1, 0.5, "0"]),
    ("tolerated_failure_percentage", [0, 33.3, 100, None], [-0.1, 100.1, "5", float("nan")]),
]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, good, _ in BOUNDS for value in good])
def test_a_value_within_its_bounds_is_accepted(field: str, value: Any) -> None:
    assert getattr(accepted(RunPolicy, {field: value}), field) == value


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, _, bad in BOUNDS for value in bad])
def test_a_value_outside_its_bounds_is_rejected(field: str, value: Any) -> None:
    [(location, _)] = rejection(RunPolicy, {field: value})

    assert location == field


def test_every_field_of_the_policy_has_its_bounds_tested() -> None:
    assert {field for field, _, _ in BOUNDS} == set(RunPolicy.model_fields)


@pytest.mark.parametrize(("min_successful", "branches", "possible"), [(None, 1, True), (3, 3, True), (4, 3, False)])
def test_a_policy_contradicts_fewer_branches_than_must_succeed(
    min_successful: int | None, branches: int, possible: bool
) -> None:
    assert (RunPolicy(min_successful=min_successful).contradiction(branches) is None) == possible
