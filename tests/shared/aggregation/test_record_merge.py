"""Merging the outputs of a map: whole lists, records by key, sums."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.merge import merged, summed
from tests.shared.aggregation.outcomes import succeeded


def merge_of(*outputs: Any, **how: Any) -> tuple[Any, list[Any]]:
    outcomes = [succeeded(f"d{number}", output) for number, output in enumerate(outputs)]
    content, conflicts = merged(outcomes, keep_repeated=True, **how)
    return content, [conflict.model_dump() for conflict in conflicts]


def test_lists_come_one_after_the_other_with_all_their_items() -> None:
    assert merge_of({"tags": ["a", "b"]}, {"tags": ["b"]}) == ({"tags": ["a", "b", "b"]}, [])


def test_records_of_the_same_key_are_one_where_the_first_stood() -> None:
    content, conflicts = merge_of(
        {"people": [{"id": 1, "name": "Ann"}, {"id": 2}]},
        {"people": [{"id": 3}, {"id": 1, "mail": "ann@example.org"}]},
        key="id",
    )

    assert content == {"people": [{"id": 1, "name": "Ann", "mail": "ann@example.org"}, {"id": 2}, {"id": 3}]}
    assert conflicts == []


def test_records_that_disagree_are_a_conflict_and_the_first_stands() -> None:
    content, conflicts = merge_of(
        {"r": [{"id": "x", "v": 1}, {"id": "x", "v": 2}]}, {"r": [{"id": "x", "v": 3}]}, key="id"
    )

    assert content == {"r": [{"id": "x", "v": 1}]}
    assert conflicts == [{"path": '$.r[id="x"].v', "kept": "d0", "values": {"d0": 1, "d0 (2)": 2, "d1": 3}}]


def test_items_without_the_key_are_all_kept() -> None:
    items = [{"id": None}, {"other": 1}, "text", ["id"]]

    assert merge_of({"r": items}, {"r": items}, key="id") == ({"r": [*items, *items]}, [])


def test_keys_of_different_types_are_different_records() -> None:
    records = [{"id": 1}, {"id": "1"}, {"id": True}]

    assert merge_of({"r": records}, {"r": [{"id": 1.0}]}, key="id") == ({"r": records}, [])


def test_counts_are_added_up_at_every_depth_and_in_records() -> None:
    content, conflicts = merge_of(
        {"n": 1, "in": {"n": 2}, "codes": [{"code": 500, "n": 3}]},
        {"n": 10, "in": {"n": None}, "codes": [{"code": 500, "n": 4}, {"code": 404, "n": 1}]},
        key="code",
        sums=["n"],
    )

    assert content == {"n": 11, "in": {"n": 2}, "codes": [{"code": 500, "n": 7}, {"code": 404, "n": 1}]}
    assert conflicts == []


@pytest.mark.parametrize("values", [[1, "2"], [1, True], [1e308, 1e308], [1, [2]]])
def test_what_cannot_be_added_up_is_a_conflict(values: list[Any]) -> None:
    content, [conflict] = merge_of(*({"n": value} for value in values), sums=["n"])

    assert content == {"n": values[0]}
    assert conflict["values"] == {"d0": values[0], "d1": values[1]}


@given(st.lists(st.integers(-(10**20), 10**20) | st.floats(-1e9, 1e9), min_size=1), st.randoms(use_true_random=False))
def test_a_sum_is_rounded_once_and_has_no_order(values: list[Any], random: Any) -> None:
    shuffled = random.sample(values, len(values))

    assert summed(values) == summed(shuffled)
    if all(isinstance(value, int) for value in values):
        assert summed(values) == sum(map(Fraction, values))
