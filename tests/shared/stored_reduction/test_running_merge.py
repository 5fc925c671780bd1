"""A merge of one output after the other comes to the same as that of all at once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.merge import merged
from shared.stored_reduction.running_merge import MAX_TOLD_VALUES, RunningMerge
from tests.shared.aggregation.outcomes import succeeded
from tests.shared.strategies import JSON_VALUES

NUMBERS = st.integers(-(2**70), 2**70) | st.floats(-1e300, 1e300)
KEYS = st.sampled_from([1, 1.0, True, "1", None])
RECORDS = st.fixed_dictionaries({}, optional={"id": KEYS, "n": NUMBERS | st.none(), "kind": st.sampled_from("ab")})
OBJECTS = st.fixed_dictionaries(
    {}, optional={"n": NUMBERS | JSON_VALUES, "rows": st.lists(RECORDS, max_size=4), "x": JSON_VALUES}
)
OUTPUTS = st.lists(OBJECTS | JSON_VALUES, max_size=6)


@given(OUTPUTS, st.none() | st.just("id"), st.sampled_from([(), ("n",), ("n", "x")]))
def test_content_and_places_of_conflicts_are_those_of_a_merge_at_once(
    outputs: list[Any], key: str | None, sums: tuple[str, ...]
) -> None:
    outcomes = [succeeded(f"d{number}", output) for number, output in enumerate(outputs)]
    content, conflicts = merged(outcomes, key=key, sums=sums, keep_repeated=True)
    merge = RunningMerge(key, sums)
    for outcome in outcomes:
        merge.add(outcome.name, outcome.output)

    assert repr(merge.content) == repr(content)
    running = list(merge.conflicts())
    assert [(found.path, found.kept) for found in running] == [(found.path, found.kept) for found in conflicts]
    for found, whole in zip(running, conflicts, strict=True):
        assert repr(next(iter(found.values.items()))) == repr(next(iter(whole.values.items())))
        assert len(found.values) > 1


def test_a_conflict_of_many_lists_the_value_that_stands_and_the_first_others() -> None:
    merge = RunningMerge()
    for number in range(1_000):
        merge.add(f"d{number}", {"title": "same" if number < 5 else f"title {number}"})

    [conflict] = merge.conflicts()
    assert (conflict.path, conflict.kept) == ("$.title", "d0")
    assert list(conflict.values) == ["d0", *(f"d{number}" for number in range(5, 4 + MAX_TOLD_VALUES))]


def test_a_sum_that_is_no_number_is_a_conflict() -> None:
    merge = RunningMerge(sums=["n"])
    merge.add("a", {"n": 1.7e308})
    merge.add("b", {"n": 1.7e308})

    assert merge.content == {"n": 1.7e308}
    assert [found.path for found in merge.conflicts()] == ["$.n"]


def test_of_nothing_there_is_an_empty_object() -> None:
    assert (RunningMerge().content, list(RunningMerge().conflicts())) == ({}, [])
