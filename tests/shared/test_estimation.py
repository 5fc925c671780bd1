"""How many calls and tokens a request would take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.branching import REQUESTS, branches_of
from shared.contracts.estimate import RunEstimate
from shared.estimation import estimate
from shared.scheduling.batch import in_batches
from shared.token_estimate import USUAL_OUTPUT_TOKENS
from tests.shared.contracts.rejection import accepted
from tests.shared.strategies import MAP_REDUCE_REQUESTS, SECTIONING_REQUESTS, VOTING_REQUESTS

AGENT = {"instructions": "read"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
SHAPED = {**AGENT, "output_schema": SCHEMA}
BODIES: dict[Any, Any] = {
    "sectioning": SECTIONING_REQUESTS,
    "voting": VOTING_REQUESTS,
    "map_reduce": MAP_REDUCE_REQUESTS,
}
HEDGES = st.just({}) | st.fixed_dictionaries(
    {"hedge": st.just("p95"), "max_concurrency": st.integers(2, 1_000)},
    optional={"max_hedge_percentage": st.floats(0.001, 100)},
)
BUDGETS = st.just({}) | st.fixed_dictionaries({"max_total_tokens": st.integers(1, 2**70)})


def estimated(pattern: Any, body: Any) -> RunEstimate:
    return estimate(pattern, accepted(REQUESTS[pattern], body))


def sections(count: int, agent: Any = AGENT, **fields: Any) -> Any:
    named = [{"name": f"s{number}", "agent": agent} for number in range(count)]
    return {"input": "text", "sections": named, "aggregation": "concatenate", **fields}


def documents(count: int, **fields: Any) -> Any:
    given = [{"id": f"d{number}", "content": "text"} for number in range(count)]
    return {"documents": given, "map": AGENT, "reduce": AGENT, **fields}


@pytest.mark.parametrize(
    ("pattern", "body", "expected", "at_most"),
    [
        ("sectioning", sections(4, policy={"attempts": 1}), 4, 4),
        ("map_reduce", documents(5, batch_size=2, reduce="concatenate", policy={"attempts": 1}), 3, 2 * 2 + 5),
        ("map_reduce", documents(5, batch_size=2), 3 + 1, 3 * (2 * 2 + 5) + 3),
        ("sectioning", sections(4), 4, 12),
        ("sectioning", sections(4, SHAPED), 4, 24),
        ("sectioning", sections(4, aggregation="synthesize"), 5, 15),
        ("sectioning", sections(4, aggregation="synthesize", synthesizer=SHAPED), 5, 18),
        ("sectioning", sections(4, policy={"attempts": 1, "hedge": "p95"}), 4, 5),
        ("sectioning", sections(4, SHAPED, policy={"attempts": 1, "hedge": "p95"}), 4, 10),
        ("sectioning", sections(4, policy={"attempts": 1, "hedge_after_s": 1, "max_hedge_percentage": 100}), 4, 8),
        ("sectioning", sections(6, policy={"attempts": 1, "hedge_after_s": 1, "max_hedge_percentage": 17}), 6, 8),
        ("sectioning", sections(4, aggregation="synthesize", policy={"attempts": 1, "hedge": "p95"}), 5, 6),
        ("sectioning", sections(4, aggregation="synthesize", policy={"attempts": 1, "hedge_after_s": 1}), 5, 7),
        ("voting", {"question": "q", "voters": 5, "policy": {"attempts": 1}}, 5, 10),
        ("voting", {"question": "q", "voters": 5, "policy": {"attempts": 10}}, 5, 100),
        ("map_reduce", documents(10, policy={"attempts": 2}), 11, 22),
        ("map_reduce", documents(10, reduce=SHAPED, policy={"attempts": 2, "hedge_after_s": 1}), 11, 28),
    ],
)
def test_calls_are_counted_with_every_retry_repair_and_hedge(
    pattern: Any, body: Any, expected: int, at_most: int
) -> None:
    calls = estimated(pattern, body).model_calls

    assert (calls.expected, calls.at_most) == (expected, at_most)


@pytest.mark.parametrize(
    ("body", "at_least"),
    [
        ({"voters": 5}, 5),
        ({"voters": 5, "rule": "best_of"}, 5),
        ({"voters": 5, "rule": "self_consistency"}, 5),
        ({"voters": {"max": 40}}, 10),
        ({"voters": {"max": 40, "wave": 3}}, 3),
        ({"voters": {"max": 40}, "stop": "confident"}, 4),
    ],
)
def test_a_vote_takes_its_first_wave_at_least_and_perhaps_no_judge(body: Any, at_least: int) -> None:
    """Voters who give the same answer leave a judge nothing to do."""
    assert estimated("voting", {"question": "q", **body}).model_calls.at_least == at_least


@pytest.mark.parametrize(
    ("reduce", "at_least", "expected"),
    [
        ("concatenate", 0, 0),
        ({"type": "tree", "agent": AGENT}, 1, 1),
        ({"type": "tree", "agent": AGENT, "max_input_tokens": 16_000}, 1, 5),
        ({"type": "tree", "agent": AGENT, "max_fan_in": 10}, 1, 11),
        ({"type": "tree", "agent": AGENT, "max_fan_in": 2}, 1, 99),
        ({"type": "refine", "agent": AGENT, "max_input_tokens": 16_000}, 1, 4),
    ],
)
def test_a_reduction_takes_the_calls_that_outputs_of_the_usual_length_would_take(
    reduce: Any, at_least: int, expected: int
) -> None:
    """100 outputs of 500 tokens: a call of 16,000 has room for 30 of them."""
    calls = estimated("map_reduce", documents(100, reduce=reduce)).model_calls

    assert (calls.at_least - 100, calls.expected - 100) == (at_least, expected)


@pytest.mark.parametrize(
    ("pattern", "body", "at_least"),
    [
        ("sectioning", sections(5, policy={"min_successful": 2, "stop_early": True}), 2),
        ("sectioning", sections(5, policy={"min_successful": 2}), 5),
        ("sectioning", sections(5, aggregation="synthesize", policy={"min_successful": 2, "stop_early": True}), 3),
        ("voting", {"question": "q", "voters": 5, "policy": {"min_successful": 5, "stop_early": True}}, 5),
        ("voting", {"question": "q", "voters": {"max": 40}, "policy": {"min_successful": 9, "stop_early": True}}, 9),
        ("map_reduce", documents(7, batch_size=3, policy={"min_successful": 4, "stop_early": True}), 2 + 1),
        ("map_reduce", documents(7, policy={"max_total_tokens": 1}), 1),
        ("map_reduce", documents(7, policy={"max_total_tokens": 1_000_000}), 8),
    ],
)
def test_a_run_that_stops_early_or_has_too_small_a_budget_takes_fewer_calls(
    pattern: Any, body: Any, at_least: int
) -> None:
    assert estimated(pattern, body).model_calls.at_least == at_least


def test_a_vote_in_a_section_takes_its_voters_and_judges_and_the_rest_as_before() -> None:
    vote = {"question": "q", "voters": {"max": 10, "wave": 4}, "ballot": {"type": "free"}, "rule": "best_of"}
    body = sections(2, aggregation="synthesize", policy={"attempts": 1})
    found = estimated("sectioning", {**body, "sections": [*body["sections"], {"name": "v", "vote": vote}]})
    without = estimated("sectioning", body)
    alone = estimated("voting", {**vote, "context": body["input"], "policy": {"attempts": 1}})

    assert found.branches == without.branches + alone.branches == 12
    assert found.model_calls.at_least == without.model_calls.at_least + 4
    assert found.model_calls.expected == without.model_calls.expected + alone.model_calls.expected
    assert found.model_calls.at_most == without.model_calls.at_most + alone.model_calls.at_most
    assert found.tokens.input_tokens == (
        without.tokens.input_tokens + alone.tokens.input_tokens + 10 * USUAL_OUTPUT_TOKENS
    )


def test_a_tie_in_a_section_may_take_its_judge_besides() -> None:
    def at_most(**fields: Any) -> int:
        section = {"name": "v", "vote": {"question": "q", "voters": 2, **fields}}
        body = {"input": "text", "sections": [section], "aggregation": "merge", "policy": {"attempts": 1}}
        return estimated("sectioning", body).model_calls.at_most

    assert at_most(tie_break="judge") == at_most() + 2 * 2


def test_a_longer_prompt_instructions_or_schema_are_more_input() -> None:
    least = estimated("sectioning", sections(3)).tokens.input_tokens

    for fuller in (
        sections(3, input="text" * 100),
        sections(3, {"instructions": "read" * 100}),
        sections(3, SHAPED),
        sections(4),
    ):
        assert estimated("sectioning", fuller).tokens.input_tokens > least


def test_the_aggregation_reads_what_the_branches_write() -> None:
    joined, written = (estimated("sectioning", sections(4, aggregation=how)) for how in ("merge", "synthesize"))

    assert written.tokens.input_tokens >= joined.tokens.input_tokens + 4 * USUAL_OUTPUT_TOKENS
    assert written.tokens.output_tokens == joined.tokens.output_tokens + USUAL_OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("stated", "expected"), [(None, USUAL_OUTPUT_TOKENS), (16, 16), (200_000, USUAL_OUTPUT_TOKENS)]
)
def test_an_answer_is_as_long_as_usual_or_as_it_may_be(stated: int | None, expected: int) -> None:
    agent = AGENT if stated is None else {**AGENT, "max_output_tokens": stated}

    assert estimated("sectioning", sections(2, agent)).tokens.output_tokens == 2 * expected


def test_the_budget_is_kept_when_it_is_as_large_as_the_estimate() -> None:
    total = estimated("sectioning", sections(3)).tokens.total_tokens

    for budget, within in ((total - 1, False), (total, True), (2**70, True)):
        found = estimated("sectioning", sections(3, policy={"max_total_tokens": budget}))
        assert (found.within_budget, found.policy.max_total_tokens) == (within, budget)


@pytest.mark.parametrize("pattern", BODIES)
@given(data=st.data())
def test_a_valid_request_always_has_an_estimate_and_it_adds_up(pattern: Any, data: st.DataObject) -> None:
    body = data.draw(BODIES[pattern])
    policy = {**body.get("policy", {}), **data.draw(HEDGES), **data.draw(BUDGETS)}
    assume({"branch_timeout_s", "deadline_s"} - set(policy))  # both could contradict each other
    assume(not {"hedge", "hedge_after_s"} <= set(policy))
    body = {**body, "policy": policy}
    request = accepted(REQUESTS[pattern], body)

    found = estimate(pattern, request)

    branches, calls, tokens = len(branches_of(request)), found.model_calls, found.tokens
    assert found.branches == branches
    batches = len(in_batches(branches_of(request), body.get("batch_size", 1)))
    judges = 2 * sum("vote" in section for section in body.get("sections", []))
    most = {"sectioning": 1 + judges, "voting": 3, "map_reduce": max(1, branches - 1)}
    assert 0 <= calls.expected - batches <= most[pattern]
    assert calls.at_least <= calls.expected
    assert calls.expected <= calls.expected * found.policy.attempts <= calls.at_most
    assert tokens.total_tokens == tokens.input_tokens + tokens.output_tokens
    assert min(tokens.input_tokens, tokens.output_tokens) > 0
    assert (found.within_budget is None) == (found.policy.max_total_tokens is None)
    assert RunEstimate.model_validate_json(found.model_dump_json()) == found
