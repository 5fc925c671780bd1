from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shared.contracts.branch import Usage
from shared.scheduling.budget import Budget
from shared.scheduling.hedging import MARGIN
from shared.scheduling.schedule import Call, Schedule
from shared.token_estimate import estimated_input_tokens
from tests.shared.scheduling.given import AGENT, at, failed, schedule, succeeded, throttled

PERMANENT = failed("content_filtered", retriable=False)
INPUT_TOKENS = estimated_input_tokens(AGENT, "Material.")


def ids(calls: Sequence[Call]) -> list[str]:
    """`b0` is a branch's first call, `b0~2` a retry, `b0~2h` a hedge."""
    suffixes = {True: "h", False: ""}
    return [
        call.record.branch.name + (f"~{call.number}{suffixes[call.is_hedge]}" if call.number > 1 else "")
        for call in calls
    ]


def spent(tokens: int, output_tokens: int = 0) -> Any:
    return succeeded(tokens=tokens, output_tokens=output_tokens)


def decided(given: Schedule) -> list[str]:
    return [name for name, record in given.records.items() if record.decided]


# --- The window ---


def test_as_many_branches_as_there_are_places_start_at_once_in_their_order() -> None:
    given = schedule(5, max_concurrency=3)

    assert ids(given.due(at(0))) == ["b0", "b1", "b2"]
    assert given.due(at(0)) == []


def test_the_next_branch_starts_when_a_call_has_ended() -> None:
    given = schedule(5, max_concurrency=3)
    _, second, _ = given.due(at(0))
    given.ended(second, succeeded(), at(1))

    assert given.wants_turn(at(1), None)
    assert ids(given.due(at(1))) == ["b3"]


def test_an_end_that_frees_no_needed_place_wants_no_turn() -> None:
    given = schedule(2)
    first, _ = given.due(at(0))
    given.ended(first, succeeded(), at(1))

    assert not given.wants_turn(at(1), None)


def test_the_end_of_the_last_branch_wants_a_turn() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, succeeded(), at(1))

    assert given.wants_turn(at(1), None)
    assert (given.finished, given.certain) == (True, None)


def test_a_schedule_without_branches_is_finished() -> None:
    given = schedule(0, reused=3, tolerated_failure_percentage=0)

    assert (given.finished, given.certain, given.due(at(0))) == (True, None, [])


def test_questions_change_nothing() -> None:
    given = schedule(3, max_concurrency=2)
    given.due(at(0))
    for _ in range(3):
        given.wants_turn(at(1), None)
        given.wake_at(at(1))

    assert len(given.records["b0"].calls) == 1
    assert given.records["b2"].calls == []


def test_a_call_s_deadline_is_its_branch_s_and_never_after_the_run_s() -> None:
    given = schedule(2, max_concurrency=1, branch_timeout_s=10, deadline_s=15)
    [first] = given.due(at(0))
    given.ended(first, succeeded(), at(8))
    [second] = given.due(at(8))

    assert (first.deadline, second.deadline) == (at(10), at(15))


def test_no_call_starts_when_the_run_s_time_is_up() -> None:
    given = schedule(2, max_concurrency=1, deadline_s=15)
    [first] = given.due(at(0))
    given.ended(first, succeeded(), at(15))

    assert given.due(at(15)) == []


def test_no_call_starts_after_the_end() -> None:
    given = schedule(2, max_concurrency=1)
    [first] = given.due(at(0))
    given.close()
    given.ended(first, succeeded(), at(1))

    assert given.due(at(1)) == []


# --- Retries ---


def test_a_failure_that_may_pass_is_tried_again_after_a_wait() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed(), at(1))
    due = given.wake_at(at(1))

    assert due is not None
    assert at(1.5) <= due <= at(2)
    assert given.due(at(1.49)) == []
    assert ids(given.due(due)) == ["b0~2"]


def test_a_turn_is_wanted_for_an_earlier_alarm_and_for_no_later_one() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed(), at(1))
    due = given.wake_at(at(1))

    assert due is not None
    assert given.wants_turn(at(1), None)
    assert given.wants_turn(at(1), at(60))
    assert not given.wants_turn(at(1), due)
    assert not given.wants_turn(at(1), at(1.2))


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_branch_fails_with_the_last_of_its_attempts(attempts: int) -> None:
    given = schedule(1, attempts=attempts)
    moment = at(0)
    for number in range(1, attempts + 1):
        [call] = given.due(moment)
        assert call.number == number
        given.ended(call, failed(f"failure_{number}"), moment)
        moment = given.wake_at(moment) or moment

    record = given.records["b0"]
    assert given.finished
    assert record.last is not None
    assert record.last["error"]["code"] == f"failure_{attempts}"
    assert record.attempts == attempts


def test_a_failure_that_would_come_again_is_not_tried_again() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, PERMANENT, at(1))

    assert (given.finished, given.records["b0"].last) == (True, PERMANENT)


def test_the_wait_that_the_service_asks_for_is_kept() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed(retry_after_s=20), at(1))

    assert given.due(at(20.9)) == []
    assert at(21) <= (given.wake_at(at(1)) or at(0)) <= at(26)


def test_a_wait_beyond_the_branch_s_time_ends_it_at_once() -> None:
    given = schedule(1, branch_timeout_s=20)
    [call] = given.due(at(0))
    given.ended(call, failed(retry_after_s=19), at(1))

    assert given.finished


def test_a_branch_that_waits_holds_no_place() -> None:
    given = schedule(2, max_concurrency=1)
    [call] = given.due(at(0))
    given.ended(call, failed(), at(1))

    assert ids(given.due(at(1))) == ["b1"]


def test_a_retry_that_is_due_comes_before_branches_that_have_not_begun() -> None:
    given = schedule(3, max_concurrency=1)
    [first] = given.due(at(0))
    given.ended(first, failed(), at(1))
    [second] = given.due(at(1))
    given.ended(second, succeeded(), at(10))

    assert ids(given.due(at(10))) == ["b0~2"]


def test_a_retry_that_finds_no_place_before_its_time_is_up_fails() -> None:
    given = schedule(2, max_concurrency=1, branch_timeout_s=10, attempts=2)
    [first] = given.due(at(0))
    given.ended(first, failed(), at(1))
    [second] = given.due(at(1))
    given.ended(second, succeeded(), at(10.5))

    assert given.wants_turn(at(10.5), None)
    assert given.due(at(10.5)) == []
    assert given.finished
    assert given.records["b0"].late_for_attempt == 2


def test_a_call_that_ran_out_of_time_ends_its_branch() -> None:
    given = schedule(1, branch_timeout_s=10)
    [call] = given.due(at(0))
    given.ended(call, failed("branch_timed_out"), at(10))

    assert given.finished


def test_a_lost_call_ends_its_branch() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.lost(call, "terminated")

    assert given.finished
    assert given.records["b0"].lost == "terminated"


# --- Throttling ---


def test_while_the_model_serves_nobody_no_call_starts_before_the_wait_is_over() -> None:
    given = schedule(5, max_concurrency=1)
    [first] = given.due(at(0))
    given.ended(first, throttled(3), at(1))
    reopens = given.wake_at(at(1))

    assert reopens is not None
    assert at(4) <= reopens <= at(5)
    assert given.due(at(3.9)) == []
    assert ids(given.due(reopens)) == ["b0~2"]


def test_a_throttled_call_s_place_goes_to_nobody_while_others_are_served() -> None:
    given = schedule(30, max_concurrency=10)
    calls = given.due(at(0))
    given.ended(calls[0], throttled(), at(0.1))

    assert given.due(at(0.1)) == []
    given.ended(calls[1], succeeded(), at(1))
    assert ids(given.due(at(1))) == ["b10"]


def test_the_place_is_free_again_when_enough_calls_have_ended_however_they_ended() -> None:
    given = schedule(30, max_concurrency=10, hedge_after_s=60)
    calls = given.due(at(0))
    given.ended(calls[0], throttled(50), at(0.1))
    for number, call in enumerate(calls[1:]):
        if number % 2:
            given.lost(call, "terminated")
        else:
            given.ended(call, PERMANENT, at(1))

    assert len(given.due(at(1))) == 10


def test_branches_that_were_throttled_together_come_back_one_by_one() -> None:
    given = schedule(20)
    served, *crowd = given.due(at(0))
    for call in crowd:
        given.ended(call, throttled(1), at(0.1))
    given.ended(served, succeeded(), at(1))
    moment, starts = at(1), 0
    while not given.finished:
        moment = given.wake_at(moment) or at(60)
        calls = given.due(moment)
        assert len(calls) == 1, "no two of them wait equally long"
        given.ended(calls[0], succeeded(), moment)
        starts += 1

    assert starts == 19
    assert at(1.1) < moment <= at(2.1)


# --- Hedging ---


def test_a_call_that_takes_too_long_gets_a_second_one() -> None:
    given = schedule(1, hedge_after_s=2)
    given.due(at(0))

    assert given.wake_at(at(0)) == at(2)
    assert given.due(at(1.999)) == []
    assert ids(given.due(at(2))) == ["b0~2h"]


def test_the_first_success_wins_and_the_other_call_is_told_once() -> None:
    given = schedule(2, hedge_after_s=2)
    first, _ = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, succeeded(), at(3))

    assert given.wants_turn(at(3), at(60))
    assert decided(given) == ["b0"]
    assert (given.losers(), given.losers()) == ([first], [])


def test_a_loser_that_has_ended_by_itself_is_not_told() -> None:
    given = schedule(2, hedge_after_s=2)
    first, _ = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, succeeded(), at(3))
    given.ended(first, succeeded(), at(3))

    assert given.losers() == []


def test_stragglers_whose_hedges_have_failed_are_hedged_again() -> None:
    given = schedule(5, hedge_after_s=2, max_hedge_percentage=100, branch_timeout_s=60)
    calls = given.due(at(0))
    for call in calls[1:]:
        given.ended(call, succeeded(), at(1))
    [hedge] = given.due(at(2))
    given.ended(hedge, failed("model_unavailable", retriable=True), at(2.1))

    assert given.due(at(2.1)) == []
    wake = given.wake_at(at(2.1))
    assert wake is not None
    assert at(2.6) <= wake <= at(3.1)
    assert given.wants_turn(at(2.1), None)
    assert ids(given.due(wake)) == ["b0~3h"]


def test_a_hedge_is_no_attempt() -> None:
    given = schedule(1, hedge_after_s=2, attempts=1)
    given.due(at(0))
    given.due(at(2))
    record = given.records["b0"]

    assert (record.attempts, record.hedges) == (1, 1)


@pytest.mark.parametrize("ends_first", [0, 1])
def test_a_failure_that_may_pass_waits_for_the_other_call(ends_first: int) -> None:
    given = schedule(1, hedge_after_s=2)
    calls = given.due(at(0)) + given.due(at(2))
    given.ended(calls[ends_first], failed(), at(3))
    assert (given.due(at(60)), given.finished) == ([], False)
    given.ended(calls[1 - ends_first], succeeded(), at(61))

    assert given.finished
    assert given.losers() == []


def test_when_both_calls_have_failed_the_branch_is_tried_again() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(first, failed(retry_after_s=30), at(3))
    given.ended(hedge, failed(), at(4))

    assert given.due(at(32.9)) == [], "the first call's Retry-After holds too"
    assert ids(given.due(given.wake_at(at(4)) or at(0))) == ["b0~3"]


def test_a_failure_that_would_come_again_decides_although_another_call_is_out() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(hedge, PERMANENT, at(3))

    assert given.finished
    assert given.losers() == [first]


def test_a_lost_call_does_not_end_a_branch_whose_other_call_is_out() -> None:
    given = schedule(1, hedge_after_s=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.lost(first, "terminated")
    assert not given.finished
    given.ended(hedge, succeeded(), at(3))

    assert given.records["b0"].last is not None


def test_hedges_are_hedged_in_turn_up_to_a_bound() -> None:
    given = schedule(1, hedge_after_s=2, max_hedge_percentage=100)
    assert [ids(given.due(at(second))) for second in (0, 2, 4, 6, 8)] == [["b0"], ["b0~2h"], [], [], []]

    given = schedule(10, hedge_after_s=2, max_hedge_percentage=100)
    for call in given.due(at(0))[1:]:
        given.ended(call, succeeded(), at(1))
    hedges = [ids(given.due(at(second))) for second in (2, 4, 6, 8)]
    assert hedges == [["b0~2h"], ["b0~3h"], ["b0~4h"], []]


def test_the_run_s_share_of_hedges_goes_to_the_oldest_calls() -> None:
    given = schedule(10, hedge_after_s=2, max_hedge_percentage=20)
    given.due(at(0))

    assert ids(given.due(at(2))) == ["b0~2h", "b1~2h"]
    assert given.wake_at(at(2)) is None


def test_a_hedge_needs_a_place() -> None:
    given = schedule(2, hedge_after_s=2, max_concurrency=2)
    _, second = given.due(at(0))
    assert (given.wake_at(at(0)), given.due(at(5))) == (None, [])
    given.ended(second, succeeded(), at(6))

    assert given.wants_turn(at(6), None)
    assert ids(given.due(at(6))) == ["b0~2h"]


def test_a_straggler_comes_before_branches_that_have_not_begun() -> None:
    given = schedule(3, hedge_after_s=2, max_concurrency=2)
    _, second = given.due(at(0))
    given.ended(second, succeeded(), at(6))

    assert ids(given.due(at(6))) == ["b0~2h"]


def test_no_hedge_starts_before_the_wait_of_a_throttled_call_is_over() -> None:
    given = schedule(10, hedge_after_s=2)
    calls = given.due(at(0))
    given.ended(calls[1], throttled(20), at(1))
    retry = given.records["b1"].not_before

    assert given.due(at(20.9)) == []
    assert given.wake_at(at(3)) == retry
    assert retry is not None
    assert ids(given.due(retry)) == ["b1~2", "b0~2h", "b2~2h"]


def test_a_call_that_hangs_is_hedged_however_few_calls_have_ended_since_a_throttle() -> None:
    given = schedule(5, hedge_after_s=2, max_hedge_percentage=100)
    *_, last = given.due(at(0))
    given.ended(last, throttled(0), at(0.1))

    assert len(given.due(at(30))) == 5, "the retry, and a second call for each of four"


def test_a_place_that_stays_empty_behind_calls_that_hang_is_given_back_in_time() -> None:
    given = schedule(6, max_concurrency=5)
    *_, last = given.due(at(0))
    given.ended(last, throttled(30), at(0.1))

    assert given.due(at(1)) == []
    assert given.wake_at(at(1)) == at(10.1)
    assert ids(given.due(at(10.1))) == ["b5"]


def test_a_retry_with_too_little_time_for_a_hedge_keeps_none_from_others() -> None:
    given = schedule(2, hedge_after_s=4, max_concurrency=2, branch_timeout_s=10, max_hedge_percentage=100)
    first, second = given.due(at(0))
    given.ended(first, failed(retry_after_s=6), at(0.5))
    given.ended(second, failed(), at(0.5))
    retry_of_second = given.due(given.wake_at(at(0.5)) or at(0))
    retry_of_first = given.due(at(7.5))
    given.ended(retry_of_second[0], succeeded(), at(8))

    assert ids(retry_of_first) == ["b0~2"]
    assert given.wake_at(at(8)) is None, "a hedge at 11.5 s would come after the branch's end"


def test_no_hedge_starts_when_its_branch_s_time_is_up() -> None:
    given = schedule(1, hedge_after_s=9.9, branch_timeout_s=10)
    given.due(at(0))

    assert given.due(at(10)) == []


def test_the_time_of_a_hedge_is_learned_from_calls_that_have_ended() -> None:
    given = schedule(10, hedge="p95")
    calls = given.due(at(0))
    for call in calls[:7]:
        given.ended(call, succeeded(), at(1))
    assert given.wake_at(at(1)) is None
    given.ended(calls[7], succeeded(), at(1))

    assert given.wake_at(at(1)) == at(MARGIN)
    assert given.wants_turn(at(1), None)
    assert ids(given.due(at(1.5))) == ["b8~2h", "b9~2h"]


# --- The budget ---


def test_nothing_starts_once_the_budget_is_spent() -> None:
    given = schedule(3, max_concurrency=1, max_total_tokens=1_000)
    [first] = given.due(at(0))
    given.ended(first, spent(1_000), at(1))

    assert given.due(at(1)) == []
    assert (given.finished, given.withheld, decided(given)) == (True, True, ["b0"])


def test_a_waiting_retry_is_withheld_too() -> None:
    given = schedule(2, max_concurrency=2, max_total_tokens=10_000)
    first, second = given.due(at(0))
    given.ended(first, failed(), at(1))
    given.ended(second, spent(10_000), at(1.1))

    assert (given.finished, given.withheld) == (True, True)


def test_a_branch_whose_failure_spent_the_budget_is_withheld() -> None:
    given = schedule(1, max_total_tokens=100)
    [call] = given.due(at(0))
    given.ended(call, failed(usage=Usage(model_calls=1, total_tokens=100)), at(1))

    assert (given.finished, given.withheld, decided(given)) == (True, True, [])


def test_a_budget_that_was_just_enough_withheld_nothing() -> None:
    given = schedule(1, max_total_tokens=1_000)
    [call] = given.due(at(0))
    given.ended(call, spent(1_000), at(1))

    assert (given.finished, given.withheld) == (True, False)


def test_calls_in_flight_come_to_their_end_although_the_budget_is_spent() -> None:
    given = schedule(3, max_concurrency=2, max_total_tokens=10_000)
    first, second = given.due(at(0))
    given.ended(first, spent(10_000), at(1))
    assert (given.finished, given.certain) == (False, None)
    given.ended(second, succeeded(), at(2))

    assert decided(given) == ["b0", "b1"]


def test_no_retry_and_no_hedge_once_the_budget_is_spent() -> None:
    given = schedule(2, max_total_tokens=10_000, hedge_after_s=2)
    _, second = given.due(at(0))
    given.ended(second, spent(10_000), at(1))

    assert given.due(at(3)) == []


def test_calls_wait_until_their_estimates_fit_into_what_is_left() -> None:
    one_call = Budget(1).estimate(AGENT, INPUT_TOKENS)
    given = schedule(4, max_total_tokens=2 * one_call)
    first, _ = given.due(at(0))
    assert given.due(at(0)) == []
    given.ended(first, spent(INPUT_TOKENS + 10, 10), at(1))

    assert ids(given.due(at(1))) == ["b2", "b3"], "answers are shorter than was assumed"


def test_a_budget_keeps_nothing_for_calls_that_nobody_awaits() -> None:
    budget = Budget(2_000)
    given = schedule(2, budget=budget)
    first, _ = given.due(at(0))
    assert not budget.allows(2_000)
    given.close()
    assert budget.allows(2_000)
    given.ended(first, spent(500), at(1))

    assert budget.left == 1_500


def test_a_schedule_that_begins_without_budget_withholds_everything() -> None:
    budget = Budget(10)
    budget.spend(10, 5)
    given = schedule(1, budget=budget)

    assert given.due(at(0)) == []
    assert (given.finished, given.withheld) == (True, True)


# --- What is certain ---


def test_enough_successes_are_certain_at_once() -> None:
    given = schedule(5, min_successful=2, stop_early=True)
    calls = given.due(at(0))
    given.ended(calls[0], succeeded(), at(1))
    assert given.certain is None
    given.ended(calls[3], succeeded(), at(1))

    assert given.certain == "min_successful_reached"
    assert given.wants_turn(at(1), None)


def test_a_tolerance_that_is_exceeded_is_certain_at_once() -> None:
    given = schedule(5, tolerated_failure_count=1)
    calls = given.due(at(0))
    given.ended(calls[0], PERMANENT, at(1))
    assert given.certain is None
    given.ended(calls[1], PERMANENT, at(1))

    assert given.certain == "failure_tolerance_exceeded"


def test_a_branch_that_may_be_tried_again_is_no_failure_yet() -> None:
    given = schedule(5, tolerated_failure_count=0)
    calls = given.due(at(0))
    given.ended(calls[0], failed(), at(1))

    assert given.certain is None


def test_nothing_is_left_to_be_certain_about_when_all_branches_have_ended() -> None:
    given = schedule(1, min_successful=1, stop_early=True)
    [call] = given.due(at(0))
    given.ended(call, succeeded(), at(1))

    assert (given.finished, given.certain) == (True, None)


def test_reused_successes_count_for_the_policy() -> None:
    given = schedule(3, reused=2, min_successful=3, stop_early=True)
    calls = given.due(at(0))
    given.ended(calls[0], succeeded(), at(1))

    assert given.certain == "min_successful_reached"


def test_enough_reused_successes_are_certain_before_anything_has_started() -> None:
    assert schedule(3, reused=2, min_successful=2, stop_early=True).certain == "min_successful_reached"


def test_reused_branches_are_part_of_the_share_that_failures_are_measured_by() -> None:
    given = schedule(2, reused=8, tolerated_failure_percentage=10)
    calls = given.due(at(0))
    given.ended(calls[0], PERMANENT, at(1))

    assert given.certain is None, "one of ten"


def test_a_budget_that_cannot_reach_the_minimum_any_more_ends_the_run() -> None:
    given = schedule(4, max_concurrency=2, min_successful=3, max_total_tokens=10_000)
    first, _ = given.due(at(0))
    given.ended(first, spent(10_000), at(1))

    assert given.certain == "budget_exhausted", "two are withheld: at most two can succeed"


def test_withheld_branches_are_as_good_as_failed_for_a_tolerance() -> None:
    given = schedule(3, max_concurrency=2, tolerated_failure_count=0, max_total_tokens=10_000)
    first, _ = given.due(at(0))
    given.ended(first, spent(10_000), at(1))

    assert given.certain == "budget_exhausted"


# --- After the end ---


def test_an_answer_that_comes_after_the_end_is_kept() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, succeeded(), at(1))

    assert decided(given) == ["b0"]


@pytest.mark.parametrize("report", [failed("cancelled"), failed(), throttled()])
def test_a_call_that_was_stopped_or_may_be_tried_again_decides_nothing_after_the_end(report: Any) -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, report, at(1))

    assert decided(given) == []
    assert given.records["b0"].reports == [report], "its cost counts"
    assert given.due(at(60)) == []


def test_a_budget_that_is_spent_after_the_end_withholds_nothing() -> None:
    given = schedule(2, max_concurrency=1, max_total_tokens=1_000)
    [call] = given.due(at(0))
    given.close()
    given.ended(call, spent(1_000), at(1))

    assert not given.withheld, "the other branch did not start for another reason"


def test_a_lost_call_decides_nothing_after_the_end() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.close()
    given.lost(call, "terminated")

    assert decided(given) == []


def test_a_call_that_was_stopped_from_outside_ends_its_branch() -> None:
    given = schedule(1)
    [call] = given.due(at(0))
    given.ended(call, failed("cancelled"), at(1))

    assert given.finished
