from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.agent import AgentSpec
from shared.scheduling.budget import Budget
from shared.token_estimate import USUAL_OUTPUT_TOKENS
from tests.shared.scheduling.given import AGENT


def test_without_a_limit_everything_may_start() -> None:
    budget = Budget(None)
    budget.reserve(10**9)
    budget.spend(10**9, 10**9)

    assert (budget.exhausted, budget.left, budget.allows(10**9)) == (False, None, True)


def test_a_budget_is_exhausted_when_the_last_token_is_spent() -> None:
    budget = Budget(100)
    budget.spend(99, 0)
    assert (budget.exhausted, budget.left) == (False, 1)
    budget.spend(1, 0)
    assert (budget.exhausted, budget.left) == (True, 0)


def test_what_is_left_is_never_less_than_nothing() -> None:
    budget = Budget(100)
    budget.spend(250, 0)

    assert budget.left == 0


def test_one_call_may_start_whatever_it_may_cost_while_anything_is_left() -> None:
    budget = Budget(100)
    budget.spend(99, 0)
    assert budget.allows(10**9)
    budget.spend(1, 0)
    assert not budget.allows(1)


def test_calls_side_by_side_may_start_while_their_estimates_fit_together() -> None:
    budget = Budget(100)
    budget.reserve(60)

    assert budget.allows(40)
    assert not budget.allows(41)


def test_what_was_reserved_for_a_call_is_free_when_it_has_ended() -> None:
    budget = Budget(100)
    budget.reserve(60)
    budget.reserve(40)
    budget.release(60)
    budget.spend(10, 5)

    assert budget.allows(50)
    assert not budget.allows(51)


def test_before_any_answer_a_usual_one_is_assumed() -> None:
    assert Budget(10_000).estimate(AGENT, 70) == 70 + USUAL_OUTPUT_TOKENS


def test_the_answers_so_far_say_how_long_the_next_one_may_be() -> None:
    budget = Budget(10_000)
    budget.spend(130, 30)
    budget.spend(151, 51)

    assert budget.estimate(AGENT, 70) == 70 + 41, "40.5, rounded up"


def test_calls_without_an_answer_say_nothing_about_the_length_of_one() -> None:
    budget = Budget(10_000)
    budget.spend(130, 30)
    budget.spend(70, 0)

    assert budget.estimate(AGENT, 0) == 30


def test_an_agent_s_own_limit_bounds_the_estimate() -> None:
    terse = AgentSpec(instructions="i", max_output_tokens=20)
    budget = Budget(10_000)
    assert budget.estimate(terse, 70) == 90
    budget.spend(130, 30)
    assert budget.estimate(terse, 70) == 90


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=30), st.integers(1, 3_000))
def test_everything_that_was_reserved_is_free_in_the_end(calls: list[tuple[int, int]], limit: int) -> None:
    budget = Budget(limit)
    for reserved, _ in calls:
        budget.reserve(reserved)
    for reserved, cost in calls:
        budget.release(reserved)
        budget.spend(cost, cost // 2)
    spent = sum(cost for _, cost in calls)

    assert budget.left == max(0, limit - spent)
    assert budget.allows(limit) == (spent < limit), "nothing is reserved any more"
