"""How branches are put into batches, and what a batch's call is given."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Branch
from shared.scheduling.batch import Batch, BranchJob, in_batches
from shared.token_estimate import MAX_BATCH_TOKENS, estimated_input_tokens
from shared.tokens import BYTES_PER_TOKEN

AGENT = AgentSpec(instructions="Read.", max_output_tokens=30)


def branch(name: str, tokens: int = 10) -> Branch:
    prompt = f'<document id="{name}">\n'
    return Branch(name=name, agent=AGENT, prompt=prompt + "x" * (tokens * BYTES_PER_TOKEN - len(prompt)))


def members(job: BranchJob) -> list[str]:
    return [branch.name for branch in job.branches] if isinstance(job, Batch) else [job.name]


def test_batches_are_filled_in_order_and_one_that_is_left_is_called_alone() -> None:
    jobs = in_batches([branch(name) for name in "abcde"], 2)

    assert [(job.name, members(job), job.weight) for job in jobs] == [
        ("~batch-1", ["a", "b"], 2), ("~batch-2", ["c", "d"], 2), ("e", ["e"], 1),
    ]  # fmt: skip


def test_without_batches_branches_are_what_they_were() -> None:
    branches = [branch(name, MAX_BATCH_TOKENS) for name in "ab"]

    assert in_batches(branches, 1) == branches


def test_a_batch_has_no_more_text_than_a_document_may() -> None:
    sizes = [MAX_BATCH_TOKENS - 10, 10, 10, MAX_BATCH_TOKENS + 1, 10]
    jobs = in_batches([branch(name, size) for name, size in zip("abcde", sizes, strict=True)], 5)

    assert [members(job) for job in jobs] == [["a", "b"], ["c"], ["d"], ["e"]]


@given(st.lists(st.integers(10, MAX_BATCH_TOKENS // 3), max_size=12), st.integers(2, 5))
def test_every_branch_is_in_one_batch_and_none_could_have_joined_the_one_before(sizes: list[int], most: int) -> None:
    branches = {f"b{number}": branch(f"b{number}", size) for number, size in enumerate(sizes)}
    groups = [members(job) for job in in_batches(list(branches.values()), most)]

    assert [name for group in groups for name in group] == list(branches)
    tokens = [[sizes[int(name[1:])] for name in group] for group in groups]
    assert all(len(group) <= most and sum(group) <= MAX_BATCH_TOKENS for group in tokens)
    assert all(len(group) == most or sum(group) + later[0] > MAX_BATCH_TOKENS for group, later in pairwise(tokens))


def test_a_batch_s_call_is_given_each_prompt_with_its_number() -> None:
    prompts = ['<document id="a">\n<document id="x">\n</document>', '<document id="b+2" part="2 of 3">\nb\n</document>']
    batch = Batch(
        "~batch-1", [Branch(name=name, agent=AGENT, prompt=prompts[n]) for n, name in enumerate(["a", "b+2"])]
    )
    asked = batch.asked()

    assert (asked.name, asked.agent, asked.batch) == ("~batch-1", AGENT, ["a", "b+2"])
    assert asked.prompt == (
        '<document number="1" id="a">\n<document id="x">\n</document>\n\n'
        '<document number="2" id="b+2" part="2 of 3">\nb\n</document>'
    )


def test_the_budget_allows_for_all_of_a_batch() -> None:
    batch = Batch("~batch-1", [branch("a", 100), branch("b", 200)])

    assert batch.estimated_input_tokens() == estimated_input_tokens(AGENT, "") + 300
    assert batch.max_output_tokens == 60
    assert (
        Batch("~batch-1", [Branch(name="a", agent=AgentSpec(instructions="r"), prompt="p")]).max_output_tokens is None
    )
