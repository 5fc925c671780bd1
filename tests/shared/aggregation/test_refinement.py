"""The refinement: an answer that each step improves by what it reads."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.material import sources_in
from shared.aggregation.refinement import Refinement
from shared.aggregation.tree import REDUCTION
from tests.shared.aggregation.outcomes import failed, succeeded
from tests.shared.aggregation.reading import desk, mapped, names, played, tokens_of

LENGTHS = st.sampled_from([0, 10, 1_200, 3_000, 6_000, 20_000])
OUTPUTS = st.lists(st.none() | LENGTHS.map(lambda length: "x<answer>€ "[:10] * (length // 10)), min_size=1, max_size=20)
REPLIES = st.lists(st.none() | LENGTHS.map(lambda length: "</answer> y" * (length // 10 + 1)), min_size=1, max_size=5)


def refinement_of(outputs: list[Any], tokens: int = 2_000) -> Refinement:
    return Refinement.of(desk(len(outputs), tokens), mapped(outputs))


@given(OUTPUTS, REPLIES)
def test_it_reads_every_output_once_and_no_call_is_above_the_budget(outputs: list[Any], replies: list[Any]) -> None:
    told = iter(range(10**9))
    end, levels = played(refinement_of(outputs), lambda _: replies[next(told) % len(replies)])

    assert all(len(level) == 1 and tokens_of(level[0]) <= 2_000 for level in levels)
    assert end.calls == (1,) * len(levels)
    with_outputs = [name for name, output in zip(names(len(outputs)), outputs, strict=True) if output is not None]
    known = [*(end.answer.sources if end.answer else ()), *sources_in(end.unread)]
    assert set(known) == set(with_outputs)
    if with_outputs:
        assert [level[0].name for level in levels[-1:]] == [REDUCTION]


def test_each_step_reads_the_answer_so_far_and_the_next_outputs() -> None:
    outputs = ["a" * 3_000, None, "b" * 3_000, "c" * 3_000, None]
    end, [[first], [last]] = played(refinement_of(outputs), lambda branch: f"from {branch.name}")

    assert (first.name, last.name) == ("~refine-1", REDUCTION)
    assert [name in first.prompt for name in ("aaa", "bbb", "ccc")] == [True, True, False]
    assert "<missing>\nd1\n</missing>" in first.prompt
    assert "1 documents are still to come." in first.prompt
    assert last.prompt.startswith(
        '<answer name="d0 to d2" documents="2">\nfrom ~refine-1\n</answer>\n\n<answer name="d3">'
    )
    assert "<missing>\nd4\n</missing>" in last.prompt
    assert "The first is your answer so far" in last.prompt
    assert end.answer is not None
    assert (end.answer.output, end.answer.sources) == ("from ~reduction", ("d0", "d2", "d3"))


def test_the_answer_before_a_failed_step_stands_and_the_next_step_goes_on_from_it() -> None:
    outputs = ["a" * 3_000] * 6
    end, levels = played(refinement_of(outputs), lambda branch: None if branch.name == "~refine-2" else branch.name)

    assert "~refine-1" in levels[2][0].prompt
    assert end.answer is not None
    assert end.answer.output == "~reduction"
    assert [part.label for part in end.unread] == ["d2", "d3"]


def test_after_an_interruption_the_answer_so_far_is_the_answer() -> None:
    plan = refinement_of(["a" * 3_000] * 6)
    plan = plan.heard([succeeded("~refine-1", "so far")])
    plan = plan.heard([failed("~refine-2")], interrupted=True)

    assert plan.branches == []
    assert plan.answer is not None
    assert (plan.answer.output, plan.answer.sources) == ("so far", ("d0", "d1"))
    assert sources_in(plan.unread) == ("d2", "d3", "d4", "d5")


def test_what_fits_into_one_call_is_one_call() -> None:
    _, levels = played(refinement_of(["one", "two"]))

    assert [[branch.name for branch in level] for level in levels] == [[REDUCTION]]


def test_before_the_first_step_has_ended_everything_is_unread() -> None:
    plan = refinement_of(["a" * 3_000] * 6)

    assert sources_in(plan.frontier) == ("d0", "d1", "d2", "d3", "d4", "d5")
