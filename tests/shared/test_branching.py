"""From a request to its branches."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.branching import REQUESTS, branches_of, possible_aggregators_of, readers_of
from shared.contracts.base import MAX_NAME_CHARS, restored
from shared.contracts.run import Pattern
from shared.prompts import DEFAULT_SYNTHESIZER_INSTRUCTIONS
from shared.voting.prompts import GROUPING_TASK, RANKING_TASK
from tests.shared.contracts.rejection import accepted
from tests.shared.strategies import MAP_REDUCE_REQUESTS, SECTIONING_REQUESTS, VOTING_REQUESTS

AGENT = {"instructions": "read"}
DEFAULTS = {"model": "m", "temperature": 1, "max_output_tokens": 100}
SECTIONING: dict[str, Any] = {"input": "shared", "sections": [{"name": "a", "instructions": "judge"}]}
VOTING: dict[str, Any] = {"question": "Is it safe?"}
MAP_REDUCE: dict[str, Any] = {"documents": [{"id": "d", "content": "text"}], "map": AGENT, "reduce": AGENT}
BODIES: dict[Any, Any] = {
    "sectioning": SECTIONING_REQUESTS,
    "voting": VOTING_REQUESTS,
    "map_reduce": MAP_REDUCE_REQUESTS,
}


def request_of(pattern: Pattern, body: Any) -> Any:
    return accepted(REQUESTS[pattern], body)


def test_every_pattern_has_its_request() -> None:
    assert set(REQUESTS) == set(get_args(Pattern)) == set(BODIES)


def test_a_section_works_on_its_own_input_or_else_on_the_request_s() -> None:
    sections = [*SECTIONING["sections"], {"name": "b", "instructions": "judge", "input": "own"}]
    shared, own = branches_of(request_of("sectioning", {**SECTIONING, "sections": sections}))

    assert "shared" in shared.prompt
    assert "own" in own.prompt
    assert "shared" not in own.prompt


def test_a_document_is_the_prompt_of_a_branch_that_its_id_names() -> None:
    documents = [{"id": name, "content": f"text of {name}"} for name in ("z", "a")]
    branches = branches_of(request_of("map_reduce", {**MAP_REDUCE, "documents": documents}))

    assert [branch.name for branch in branches] == ["z", "a"]
    assert all(f"text of {branch.name}" in branch.prompt for branch in branches)
    assert {branch.agent.instructions for branch in branches} == {"read"}


@pytest.mark.parametrize(
    ("pattern", "body", "instructions"),
    [
        ("sectioning", SECTIONING, [DEFAULT_SYNTHESIZER_INSTRUCTIONS]),
        ("sectioning", {**SECTIONING, "synthesizer": AGENT}, ["read"]),
        ("sectioning", {**SECTIONING, "aggregation": "concatenate"}, []),
        ("sectioning", {**SECTIONING, "aggregation": "merge"}, []),
        ("sectioning", {**SECTIONING, "sections": [{"name": "v", "vote": VOTING}], "aggregation": "merge"}, []),
        (
            "sectioning",
            {**SECTIONING, "sections": [{"name": "v", "vote": {**VOTING, "rule": "best_of"}}]},
            [RANKING_TASK, RANKING_TASK, DEFAULT_SYNTHESIZER_INSTRUCTIONS],
        ),
        ("voting", VOTING, []),
        ("voting", {**VOTING, "rule": "self_consistency"}, [GROUPING_TASK]),
        ("voting", {**VOTING, "rule": "best_of"}, [RANKING_TASK, RANKING_TASK]),
        ("map_reduce", MAP_REDUCE, []),
    ],
)
def test_the_agents_that_aggregate_are_known_beforehand(pattern: Any, body: Any, instructions: list[str]) -> None:
    request = request_of(pattern, body)

    assert [aggregator.instructions for aggregator, _ in readers_of(request)] == instructions


def test_so_is_the_judge_whom_a_tie_would_take() -> None:
    def possible(**fields: Any) -> list[str]:
        request = request_of("voting", {**VOTING, **fields})
        return [judge.instructions for judge in possible_aggregators_of(request)]

    assert possible(tie_break="judge") == [RANKING_TASK, RANKING_TASK]
    assert possible(tie_break="first") == []
    assert possible_aggregators_of(request_of("sectioning", SECTIONING)) == []


@pytest.mark.parametrize(
    ("pattern", "body"), [("sectioning", SECTIONING), ("voting", VOTING), ("map_reduce", MAP_REDUCE)]
)
def test_every_agent_of_a_run_has_its_defaults(pattern: Any, body: Any) -> None:
    request = request_of(pattern, {**body, "defaults": DEFAULTS})
    agents = [*(branch.agent for branch in branches_of(request)), *(agent for agent, _ in readers_of(request))]

    assert {(agent.model, agent.temperature, agent.max_output_tokens) for agent in agents} == {("m", 1, 100)}


@pytest.mark.parametrize("pattern", BODIES)
@given(data=st.data())
def test_branches_have_the_request_s_names_and_are_the_same_after_history(pattern: Any, data: st.DataObject) -> None:
    body = data.draw(BODIES[pattern])
    request = request_of(pattern, {name: value for name, value in body.items() if name != "policy"})
    branches = branches_of(request)
    again = restored(REQUESTS[pattern], request.model_dump(mode="json"))

    assert branches_of(again) == branches
    assert len({branch.name for branch in branches}) == len(branches)
    assert all(0 < len(branch.name) <= MAX_NAME_CHARS and "~" not in branch.name for branch in branches)
    assert all(branch.prompt.strip() for branch in branches)
