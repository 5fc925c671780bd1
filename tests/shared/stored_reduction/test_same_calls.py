"""A reduction in storage makes the calls of the one in history, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.aggregation.material import Desk
from shared.aggregation.reduction import reduced
from shared.aggregation.refinement import Refinement
from shared.aggregation.tree import Tree
from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.reduction import RefineReduction, TreeReduction
from shared.contracts.split import Chunk
from shared.contracts.stored_reduction import JoinOutputs, Listed, PlanLevel
from shared.stored_reduction.joining import join_outputs
from shared.stored_reduction.planning import plan_level
from tests.shared.aggregation.outcomes import failed, succeeded
from tests.shared.aggregation.reading import AGENT
from tests.shared.aggregation.reading import played as played_in_history
from tests.shared.stored_reduction.stored_map import FOLDER, Mapped, ScriptedModel, call_all, pages_of, played, written

LENGTHS = st.sampled_from([0, 1, 300, 1_200, 3_000, 6_000, 20_000])
TEXTS = LENGTHS.map(lambda length: "x<answer>€\n"[:10] * (length // 10))
STRUCTURED = st.fixed_dictionaries({"answer": TEXTS, "other": st.lists(st.integers(), max_size=3)})
OUTPUTS = st.none() | TEXTS | STRUCTURED
REPLIES = st.lists(st.none() | LENGTHS, min_size=1, max_size=9)
"""How long each is."""
BUDGETS = st.integers(1_200, 6_000)


@st.composite
def maps(draw: st.DrawFn) -> list[Mapped]:
    """Documents, some of them split, with outputs or without."""
    works: list[Mapped] = []
    for number, parts in enumerate(draw(st.lists(st.just(1) | st.integers(1, 5), min_size=1, max_size=12))):
        document = f"d{number}"
        if parts == 1:
            works.append(Mapped(document, draw(OUTPUTS)))
            continue
        works += [Mapped(f"{document}+{part}", draw(OUTPUTS), document, part, parts) for part in range(1, parts + 1)]
    return works


def outcomes_of(works: list[Mapped]) -> list[BranchOutcome]:
    return [failed(work.name) if work.output is None else succeeded(work.name, work.output) for work in works]


def desk_of(works: list[Mapped], tokens: int, fan_in: int | None) -> Desk:
    chunks = {
        work.name: Chunk(branch=work.name, start=0, end=1, **work.origin) for work in works if work.part is not None
    }
    return Desk(AGENT, tokens, tuple(work.name for work in works), fan_in, chunks)


def replying(replies: list[int | None]) -> Callable[[str], str | None]:
    """A reply by the call's name, so that both sides hear the same."""

    def reply(name: str) -> str | None:
        length = replies[sum(name.encode()) % len(replies)]
        return None if length is None else "</answer> y" * (length // 10 + 1)

    return reply


@given(maps(), BUDGETS, st.none() | st.integers(2, 7), REPLIES)
@settings(max_examples=40)
def test_a_tree_makes_the_same_calls(
    works: list[Mapped], tokens: int, fan_in: int | None, replies: list[int | None]
) -> None:
    if all(work.output is None for work in works):
        return
    reply = replying(replies)
    end, levels = played_in_history(
        Tree.of(desk_of(works, tokens, fan_in), outcomes_of(works)), lambda branch: reply(branch.name)
    )
    way = TreeReduction.model_construct(agent=AGENT, max_input_tokens=tokens, max_fan_in=fan_in)
    stored = asyncio.run(played(written(works), way, pages_of(works), reply))

    assert stored.levels == [[branch.name for branch in level] for level in levels]
    assert stored.prompts == prompts_of(levels)
    assert tuple(name for plan in stored.plans for name in plan.clipped.names) == end.clipped


@given(maps(), BUDGETS, REPLIES)
@settings(max_examples=40)
def test_a_refinement_makes_the_same_calls(works: list[Mapped], tokens: int, replies: list[int | None]) -> None:
    if all(work.output is None for work in works):
        return
    reply = replying(replies)
    end, levels = played_in_history(
        Refinement.of(desk_of(works, tokens, None), outcomes_of(works)), lambda branch: reply(branch.name)
    )
    way = RefineReduction.model_construct(agent=AGENT, max_input_tokens=tokens)
    stored = asyncio.run(played(written(works), way, pages_of(works), reply))

    assert stored.levels == [[branch.name for branch in level] for level in levels]
    assert stored.prompts == prompts_of(levels)
    assert tuple(name for plan in stored.plans for name in plan.clipped.names) == end.clipped


def prompts_of(levels: list[list[Branch]]) -> dict[str, str]:
    return {branch.name: branch.prompt for level in levels for branch in level}


@dataclass(frozen=True)
class Case:
    """A reduction whose calls answer or fail; level `cut_at`, if it comes to it, is interrupted."""

    works: list[Mapped]
    tokens: int
    fan_in: int | None
    replies: list[int | None]
    refines: bool
    cut_at: int | None

    @property
    def way(self) -> TreeReduction | RefineReduction:
        return way_of(self.tokens, self.fan_in, refines=self.refines)


CUTS = st.none() | st.integers(0, 3)
CASES = st.builds(Case, maps(), BUDGETS, st.none() | st.integers(2, 7), REPLIES, st.booleans(), CUTS)


@given(CASES)
@settings(max_examples=40)
def test_a_reduction_ends_with_the_same_answer_and_account(case: Case) -> None:
    """Also one that was interrupted, in a level or before the first, and one of which calls have failed."""
    outcomes, blobs = outcomes_of(case.works), written(case.works)
    desk = desk_of(case.works, case.tokens, None if case.refines else case.fan_in)
    plan = Refinement.of(desk, outcomes) if case.refines else Tree.of(desk, outcomes)
    has_outputs = any(outcome.succeeded for outcome in outcomes)
    clipped: list[str] = []
    interrupted = not has_outputs or case.cut_at == 0
    while not interrupted and (branches := plan.branches):
        number = len(plan.calls) + 1
        given_ = PlanLevel(folder=FOLDER, way=case.way, number=number, pages=pages_of(case.works))
        stored = asyncio.run(plan_level(blobs, given_))
        reply = replying(case.replies)
        asyncio.run(call_all(blobs, ScriptedModel(reply), number, stored))
        clipped += stored.clipped.names
        said = [(branch.name, reply(branch.name)) for branch in branches]
        interrupted = number == case.cut_at
        plan = plan.heard(
            [failed(name) if text is None else succeeded(name, text) for name, text in said], interrupted=interrupted
        )

    request = MapReduceRequest.model_construct(reduce=case.way, chunks=list(desk.chunks.values()))
    expected = reduced(plan, request, [outcome for outcome in outcomes if outcome.succeeded])
    ending = ending_input(case, plan.calls, clipped, interrupted=interrupted)
    joined = asyncio.run(join_outputs(blobs, ending))

    assert (joined.reduction, joined.requested) == (expected.reduction, expected.requested)
    assert joined.calls_per_level == expected.calls_per_level
    if plan.calls or not case.refines:  # before its first step, a refinement has pieces, and storage whole outputs
        assert blobs.contents("results")[joined.output].decode() == expected.content
    assert joined.content == (None if joined.reduction == "concatenate" else expected.content)
    assert joined.documents == len(expected.documents)
    assert sorted(joined.unreduced.names) == sorted(expected.unreduced)
    assert joined.incomplete.names == [found.document for found in expected.incomplete]
    assert joined.clipped.names == list(expected.clipped)


def ending_input(case: Case, calls: tuple[int, ...], clipped: list[str], *, interrupted: bool) -> JoinOutputs:
    return JoinOutputs.model_construct(
        folder=FOLDER,
        way=case.way,
        pages=pages_of(case.works),
        split=True,
        planned=len(calls),
        interrupted=interrupted,
        calls_per_level=list(calls),
        clipped=Listed(count=len(clipped), names=clipped),
        redrive_of=None,
    )


def way_of(tokens: int, fan_in: int | None, *, refines: bool) -> TreeReduction | RefineReduction:
    if refines:
        return RefineReduction.model_construct(agent=AGENT, max_input_tokens=tokens)
    return TreeReduction.model_construct(agent=AGENT, max_input_tokens=tokens, max_fan_in=fan_in)


def test_a_document_of_which_all_pieces_fail_on_different_levels_is_told_as_missing() -> None:
    """Its last piece is lost on the first level, with what follows it, and the others on the second."""
    works = [Mapped(f"d{number}", "o" * 2_000) for number in range(3)]
    works[1] = Mapped("d1", "p" * 20_000)
    way = TreeReduction.model_construct(agent=AGENT, max_input_tokens=2_000, max_fan_in=2)
    desk = desk_of(works, 2_000, 2)
    _, first_levels = played_in_history(Tree.of(desk, outcomes_of(works)))
    last = first_levels[0][-1].name
    for failing in [[last, "~reduce-2-1"], [last, "~reduce-2-2"], ["~reduce-1-2", "~reduce-2-1", "~reduce-3-1"]]:

        def reply(name: str, failing: list[str] = failing) -> str | None:
            return None if name in failing else "said"

        _, levels = played_in_history(Tree.of(desk, outcomes_of(works)), lambda branch, reply=reply: reply(branch.name))
        stored = asyncio.run(played(written(works), way, pages_of(works), reply))
        assert stored.prompts == prompts_of(levels)
