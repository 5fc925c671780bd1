"""The tree: which outputs go into which call, and that it ends."""

from __future__ import annotations

from math import ceil, log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.aggregation.material import sources_in
from shared.aggregation.tree import REDUCTION, Tree
from tests.shared.aggregation.outcomes import failed, succeeded
from tests.shared.aggregation.reading import desk, mapped, names, played, read_by_calls, tokens_of

LENGTHS = st.sampled_from([0, 1, 300, 1_200, 3_000, 6_000, 20_000])
OUTPUTS = st.lists(st.none() | LENGTHS.map(lambda length: "x<answer>€ "[:10] * (length // 10)), min_size=1, max_size=40)
FAN_INS = st.none() | st.integers(2, 7)
BUDGETS = st.integers(1_100, 6_000)
REPLIES = st.lists(st.none() | LENGTHS.map(lambda length: "</answer> y" * (length // 10 + 1)), min_size=1, max_size=9)


def tree_of(outputs: list[Any], tokens: int = 2_000, fan_in: int | None = None) -> Tree:
    return Tree.of(desk(len(outputs), tokens, fan_in), mapped(outputs))


@given(OUTPUTS, BUDGETS, FAN_INS)
def test_every_output_is_read_whole_and_in_order_by_the_first_level(
    outputs: list[Any], tokens: int, fan_in: int | None
) -> None:
    tree = tree_of(outputs, tokens, fan_in)
    read: dict[str, str] = {}
    for part in read_by_calls(tree):
        [source] = part.sources
        read[source] = read.get(source, "") + str(part.output)

    given_ = {name: output for name, output in zip(names(len(outputs)), outputs, strict=True) if output is not None}
    assert list(read.items()) == list(given_.items())


@given(OUTPUTS, BUDGETS, FAN_INS, REPLIES)
@settings(max_examples=200)
def test_it_ends_within_its_depth_and_no_call_is_above_the_budget(
    outputs: list[Any], tokens: int, fan_in: int | None, replies: list[Any]
) -> None:
    """Whatever its calls answer, and whichever of them fail."""
    told = iter(range(10**9))
    tree = tree_of(outputs, tokens, fan_in)
    groups = len(tree.groups)

    end, levels = played(tree, lambda _: replies[next(told) % len(replies)])

    assert len(levels) <= 1 + ceil(log2(max(groups, 1)))
    assert all(tokens_of(branch) <= tokens for level in levels for branch in level)
    called = [branch.name for level in levels for branch in level]
    assert len(set(called)) == len(called)
    assert end.calls == tuple(len(level) for level in levels)


@given(OUTPUTS, BUDGETS, FAN_INS, REPLIES)
def test_every_document_with_an_output_is_in_the_answer_or_in_what_is_left(
    outputs: list[Any], tokens: int, fan_in: int | None, replies: list[Any]
) -> None:
    told = iter(range(10**9))
    end, _ = played(tree_of(outputs, tokens, fan_in), lambda _: replies[next(told) % len(replies)])

    mapped_names = {name for name, output in zip(names(len(outputs)), outputs, strict=True) if output is not None}
    assert set(sources_in(end.frontier)) == mapped_names
    if end.answer is not None:
        assert {*end.answer.sources, *sources_in(end.unread)} == mapped_names
    positions = [end.desk.sources.index(part.sources[0]) for part in end.frontier]
    assert positions == sorted(positions)


@pytest.mark.parametrize("documents", [1, 2, 3, 9, 10, 27, 28, 100])
@pytest.mark.parametrize("fan_in", [2, 3, 10])
def test_depth_and_calls_are_those_of_the_formula(documents: int, fan_in: int) -> None:
    """n parts make ⌈n ÷ k⌉ of the next level, a lone one without a call, until one is left."""
    _, levels = played(tree_of(["short"] * documents, 60_000, fan_in))

    expected, parts = [], documents
    while parts > 1 or not expected:
        groups = ceil(parts / fan_in)
        expected.append(groups - (parts % fan_in == 1 and groups > 1))
        parts = groups
    assert [len(level) for level in levels] == expected
    assert len(levels) == max(1, ceil(round(log2(documents) / log2(fan_in), 9)))


def test_one_call_that_reads_all_is_named_as_ever() -> None:
    _, [[only]] = played(tree_of(["one", "two"]))

    assert only.name == REDUCTION
    assert only.prompt == '<answer name="d0">\none\n</answer>\n\n<answer name="d1">\ntwo\n</answer>'


def test_the_calls_of_a_level_are_told_what_they_rest_on_and_what_is_missing() -> None:
    outputs = ["zero", None, "two", "three", None, "five"]
    _, [[first, second], [last]] = played(tree_of(outputs, 60_000, fan_in=2), lambda branch: f"from {branch.name}")

    assert (first.name, second.name, last.name) == ("~reduce-1-1", "~reduce-1-2", REDUCTION)
    assert "<missing>\nd1\n</missing>" in first.prompt
    assert "<missing>\nd4\n</missing>" in second.prompt
    assert "2 of 6 documents" in first.prompt
    assert last.prompt == (
        '<answer name="d0 to d2" documents="2">\nfrom ~reduce-1-1\n</answer>\n\n'
        '<answer name="d3 to d5" documents="2">\nfrom ~reduce-1-2\n</answer>\n\n<missing>\nd1\nd4\n</missing>'
    )


def test_after_a_failed_call_the_reduction_goes_on_and_says_what_it_lacks() -> None:
    fails = {"~reduce-1-2": None}
    end, [_, [last]] = played(tree_of(["o"] * 6, 60_000, fan_in=2), lambda branch: fails.get(branch.name, "said"))

    assert "<missing>\nd2\nd3\n</missing>" in last.prompt
    assert end.answer is not None
    assert end.answer.sources == ("d0", "d1", "d4", "d5")
    assert sources_in(end.unread) == ("d2", "d3")


def test_when_the_last_call_fails_the_answers_below_it_are_what_is_left() -> None:
    end, _ = played(tree_of(["o"] * 4, 60_000, fan_in=2), lambda branch: None if branch.name == REDUCTION else "said")

    assert end.answer is None
    assert [part.heading for part in end.frontier] == ["d0 to d1 (2 documents)", "d2 to d3 (2 documents)"]


def test_an_output_above_the_budget_is_read_in_pieces_and_the_reader_knows() -> None:
    _, [[first, second, third], [last]] = played(tree_of(["word " * 4_000]))

    assert [f'<answer name="d0" piece="{number} of 4">' in third.prompt for number in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
    assert all(branch.prompt.startswith('<answer name="d0" piece="') for branch in (first, second))
    assert last.prompt.count('<answer name="d0" documents="1">') == 3


def test_an_answer_too_long_for_the_next_level_is_cut_there_and_the_reader_knows() -> None:
    end, [_, [last]] = played(tree_of(["o" * 5_000] * 2), lambda _: "long " * 2_000)

    assert last.prompt.count('cut="only the first 3,') == last.prompt.count("of 10,000 bytes") == 2
    assert end.clipped == ("~reduce-1-1", "~reduce-1-2")


def test_more_missing_documents_than_fit_are_counted() -> None:
    outputs: list[Any] = ["zero", *[None] * 900]
    _, [[only]] = played(tree_of(outputs))

    told = only.prompt.count("\nd")
    assert f"and {900 - told} more\n</missing>" in only.prompt
    assert 300 < told < 900


def test_no_answer_of_half_a_level_stands_for_the_whole_when_the_run_is_interrupted() -> None:
    tree = tree_of(["o"] * 4, 60_000, fan_in=2)
    first, second = tree.branches
    end = tree.heard([succeeded(first.name, "said"), failed(second.name)], interrupted=True)

    assert end.branches == []
    assert end.answer is None
    assert [part.label for part in end.frontier] == ["d0 to d1", "d2", "d3"]
