from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.merge import merged
from tests.shared.aggregation.outcomes import succeeded
from tests.shared.strategies import JSON_OBJECTS, JSON_VALUES


def merge_of(*outputs: Any) -> tuple[Any, list[Any]]:
    content, conflicts = merged([succeeded(f"s{number}", output) for number, output in enumerate(outputs, 1)])
    return content, [conflict.model_dump() for conflict in conflicts]


def canonical(value: Any) -> str:
    """JSON text that is equal for equal JSON values, 1 and 1.0 included."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value)


def everything_in(value: Any) -> set[str]:
    """The value, and every value in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {canonical(value)}.union(*(everything_in(item) for item in inner))


def leaves_of(value: Any) -> set[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return {canonical(value)} if inner is None else set().union(*(leaves_of(item) for item in inner))


def test_objects_join_key_by_key_at_every_depth() -> None:
    content, conflicts = merge_of({"a": {"x": 1}, "b": 2}, {"a": {"y": 3}, "c": 4})

    assert content == {"a": {"x": 1, "y": 3}, "b": 2, "c": 4}
    assert conflicts == []


def test_lists_join_and_an_item_that_was_listed_is_not_listed_again() -> None:
    content, conflicts = merge_of({"tags": ["a", "b"]}, {"tags": ["b", "c"]}, {"tags": ["c", "a"]})

    assert content == {"tags": ["a", "b", "c"]}
    assert conflicts == []


def test_items_that_repeat_within_one_list_are_kept() -> None:
    assert merge_of({"scores": [5, 5, 3]})[0] == {"scores": [5, 5, 3]}
    assert merge_of({"scores": [5, 5]}, {"scores": [5, 3, 5, 5]})[0] == {"scores": [5, 5, 3, 5]}
    assert merge_of({"scores": [5]}, {"scores": [5]}, {"scores": [5, 5]})[0] == {"scores": [5, 5]}


def test_where_values_differ_the_first_stands_and_the_conflict_lists_all() -> None:
    content, conflicts = merge_of({"risk": {"level": "low"}}, {"risk": {"level": "high"}}, {"risk": {"level": "low"}})

    assert content == {"risk": {"level": "low"}}
    assert conflicts == [
        {"path": "$.risk.level", "kept": "s1", "values": {"s1": "low", "s2": "high", "s3": "low"}},
    ]


def test_values_of_different_kinds_are_a_conflict() -> None:
    content, conflicts = merge_of({"a": [1]}, {"a": {"b": 1}}, {"a": None})

    assert content == {"a": [1]}
    assert [conflict["values"] for conflict in conflicts] == [{"s1": [1], "s2": {"b": 1}, "s3": None}]


def test_true_is_not_one_and_one_is_one_point_nought() -> None:
    content, conflicts = merge_of({"a": True, "b": 1, "c": [1, False]}, {"a": 1, "b": 1.0, "c": [True, 0, 1.0]})

    assert content["a"] is True
    assert [conflict["path"] for conflict in conflicts] == ["$.a"]
    assert [canonical(item) for item in content["c"]] == ["1", "false", "true", "0"]


def test_an_output_that_is_no_object_goes_under_its_branch_s_name() -> None:
    assert merge_of("text", {"a": 1}, [1])[0] == {"s1": "text", "a": 1, "s3": [1]}


def test_of_nothing_there_is_an_empty_object() -> None:
    assert merge_of() == ({}, [])


@given(st.lists(JSON_VALUES, min_size=1, max_size=4))
def test_no_value_is_lost(outputs: list[Any]) -> None:
    content, conflicts = merge_of(*outputs)

    kept = everything_in(content).union(*(everything_in(conflict["values"]) for conflict in conflicts))
    for output in outputs:
        assert leaves_of(output) <= kept


@given(st.lists(JSON_VALUES, min_size=1, max_size=4))
def test_nothing_is_invented(outputs: list[Any]) -> None:
    content, conflicts = merge_of(*outputs)

    given_leaves: set[str] = set().union(*(leaves_of(output) for output in outputs))
    assert leaves_of(content) <= given_leaves
    for conflict in conflicts:
        assert leaves_of(conflict["values"]) <= given_leaves


@given(JSON_OBJECTS, st.integers(1, 4))
def test_equal_outputs_merge_to_themselves_without_conflict(output: Any, times: int) -> None:
    content, conflicts = merge_of(*[output] * times)

    assert canonical(content) == canonical(output)
    assert conflicts == []


@given(st.lists(JSON_OBJECTS, min_size=1, max_size=4))
def test_merging_the_first_again_changes_nothing(outputs: list[Any]) -> None:
    assert canonical(merge_of(*outputs, outputs[0])[0]) == canonical(merge_of(*outputs)[0])


@given(st.lists(JSON_OBJECTS, min_size=3, max_size=3))
def test_merging_in_steps_gives_the_same_content_when_nothing_conflicts(outputs: list[Any]) -> None:
    first, second, third = outputs
    at_once, conflicts = merge_of(first, second, third)
    if conflicts:
        return

    stepwise, _ = merge_of(merge_of(first, second)[0], third)

    assert canonical(stepwise) == canonical(at_once)


@given(st.lists(JSON_OBJECTS, min_size=2, max_size=4))
def test_a_conflict_names_the_value_that_stands(outputs: list[Any]) -> None:
    _, conflicts = merge_of(*outputs)

    for conflict in conflicts:
        assert conflict["kept"] == next(iter(conflict["values"]))
        assert len({canonical(value) for value in conflict["values"].values()}) > 1


def test_long_lists_merge_in_a_time_that_grows_with_their_length() -> None:
    outputs = [{"rows": [{"id": number, "of": branch} for number in range(2_000)]} for branch in range(10)]
    started = time.process_time()

    content, _ = merge_of(*outputs)

    assert len(content["rows"]) == 20_000
    assert time.process_time() - started < 5.0, "comparing each item with every other takes minutes"
