"""What a judge is asked, and what its answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.branch import BranchOutcome
from shared.contracts.voting import VotingRequest
from shared.schemas import check_output_schema, first_violation
from shared.voting.judging import (
    Candidate,
    grouping_branch,
    grouping_of,
    judges_of,
    labels,
    ranking_branches,
    rankings_of,
    schema_of,
    shuffled,
    tie_breakers_of,
)
from tests.shared.contracts.rejection import accepted

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CANDIDATES = [Candidate(text, f"voter-{number}", text) for number, text in enumerate("abcd", start=1)]
NAMES = [candidate.name for candidate in CANDIDATES]


def request(**fields: Any) -> VotingRequest:
    return accepted(VotingRequest, {"question": "Which?", "rule": "best_of", **fields})


def said(**output: Any) -> BranchOutcome:
    told = {"reasoning": "on the merits", **output}
    return BranchOutcome(name="~judge", status="succeeded", output=told, started_at=NOW, ended_at=NOW)


FAILED = BranchOutcome(name="~judge", status="failed", started_at=NOW, ended_at=NOW)


@given(st.permutations(CANDIDATES))
def test_the_order_does_not_depend_on_the_order_of_the_votes(candidates: list[Candidate]) -> None:
    assert shuffled(candidates) == shuffled(CANDIDATES)
    assert sorted(candidate.key for candidate in shuffled(candidates)) == list("abcd")


def test_the_order_differs_from_that_of_the_voters_for_most_sets_of_candidates() -> None:
    kept = 0
    for number in range(100):
        candidates = [Candidate(f"{place}", f"voter-{place}", f"text {number} {place}") for place in range(4)]
        kept += shuffled(candidates) == candidates
    assert kept < 20, "one in 24 by chance"


def test_both_calls_show_all_candidates_with_the_question() -> None:
    first, second = ranking_branches(request(context="The file."), CANDIDATES)

    assert (first.name, second.name) == ("~judge-1", "~judge-2")
    for branch in (first, second):
        assert branch.prompt.startswith("<question>\nWhich?\n</question>\n\n<context>\nThe file.\n</context>")
        assert branch.prompt.count("<candidate name=") == 4
    assert first.agent == second.agent


def test_rankings_are_told_by_the_names_of_the_candidates() -> None:
    order = [candidate.name for candidate in shuffled(CANDIDATES)]
    forward, backward = labels("ranking", 4), labels("ranking", 4)[::-1]

    first, second = rankings_of(CANDIDATES, [said(ranking=forward), said(ranking=backward)])
    assert (first.shown, first.ranking) == (order, order)
    assert (second.shown, second.ranking) == (order[::-1], order)


def test_one_failed_call_leaves_no_ranking() -> None:
    assert rankings_of(CANDIDATES, [said(ranking=labels("ranking", 4)), FAILED]) == []


@pytest.mark.parametrize(
    ("groups", "sizes"),
    [
        ([["answer-1", "answer-2"], ["answer-3", "answer-4"]], [2, 2]),
        ([["answer-1", "answer-2", "answer-3", "answer-4"], []], [4]),
        ([["answer-4", "answer-2"]], [2, 1, 1]),
        ([], [1, 1, 1, 1]),
    ],
)
def test_every_answer_is_in_one_group(groups: list[list[str]], sizes: list[int]) -> None:
    grouping = grouping_of(CANDIDATES, said(groups=groups))

    assert grouping is not None
    assert [len(group) for group in grouping.groups] == sizes
    assert sorted(name for group in grouping.groups for name in group) == NAMES


@pytest.mark.parametrize("heard", [FAILED, said(groups=[["answer-1"], ["answer-1", "answer-2"]])])
def test_a_grouping_that_failed_or_contradicts_itself_is_none(heard: BranchOutcome) -> None:
    assert grouping_of(CANDIDATES, heard) is None


def test_the_schemas_take_what_a_judge_may_say_and_no_more() -> None:
    ranking, grouping = schema_of("ranking", ["x-1", "x-2"]), schema_of("grouping", ["x-1", "x-2"])
    for schema in (ranking, grouping):
        check_output_schema(schema)

    assert first_violation({"reasoning": "", "ranking": ["x-2", "x-1"]}, ranking) is None
    for wrong in (["x-1"], ["x-1", "x-1"], ["x-1", "x-3"], ["x-1", "x-2", "x-1"]):
        assert first_violation({"reasoning": "", "ranking": wrong}, ranking)
    assert first_violation({"reasoning": "", "groups": [["x-2"], ["x-1"]]}, grouping) is None
    for wrong in ([["x-1", "x-1"]], [["x-3"]], ["x-1"]):
        assert first_violation({"reasoning": "", "groups": wrong}, grouping)


@pytest.mark.parametrize(
    ("fields", "judges", "tie_breakers"),
    [
        ({"rule": "best_of"}, 2, 0),
        ({"rule": "best_of", "tie_break": "judge"}, 2, 0),
        ({"rule": "self_consistency"}, 1, 0),
        ({"rule": "self_consistency", "tie_break": "judge"}, 1, 2),
        ({"rule": "majority", "tie_break": "judge"}, 0, 2),
        ({"rule": "majority"}, 0, 0),
    ],
)
def test_the_calls_to_a_judge_can_be_told_before(fields: dict[str, Any], judges: int, tie_breakers: int) -> None:
    asked = request(**fields)

    assert (len(judges_of(asked)), len(tie_breakers_of(asked))) == (judges, tie_breakers)


def test_the_run_s_defaults_reach_the_judge() -> None:
    asked = request(defaults={"model": "small", "temperature": 0.1})

    assert ranking_branches(asked, CANDIDATES)[0].agent.model == "small"
    assert grouping_branch(asked, CANDIDATES).agent.temperature == 0.1
