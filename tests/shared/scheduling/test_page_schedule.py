"""What units of a page need beyond a branch's schedule: batches, calls that never return, places, and accounts."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.branch import Usage
from shared.contracts.policy import RunPolicy
from shared.contracts.work import Account, RunFolder, Stage, Tally, Unit, Work
from shared.scheduling.hedging import MARGIN
from shared.scheduling.page_schedule import EXPIRY_GRACE_S, PageSchedule
from shared.scheduling.record import Call
from shared.scheduling.unit_job import UnitJob
from tests.shared.scheduling.given import at, failed, throttled
from tests.shared.scheduling.given import succeeded as answered

FOLDER = RunFolder(container="runs", name="run/", run_id="run")


def page(
    *sizes: int,
    places: int = 100,
    works: int | None = None,
    deadline_s: float = 900.0,
    hedges_sooner: bool = True,
    **policy: Any,
) -> PageSchedule:
    """A schedule of units `1`, `2`, … with so many works each; the stage has `works`, or these."""
    stated = RunPolicy(deadline_s=deadline_s, **policy).effective()
    count = sum(sizes) if works is None else works
    stage = Stage(
        name="map",
        call="read",
        folder=FOLDER,
        pages=1,
        works=count,
        base_tokens=20,
        max_output_tokens=30,
        hedges_sooner=hedges_sooner,
    )
    made = PageSchedule(stated, stage, run_deadline=at(deadline_s), spent_tokens=0, key="shard")
    made.places = min(places, stated.max_concurrency)
    made.open([unit_of(number, size) for number, size in enumerate(sizes, start=1)], answered=0)
    return made


def unit_of(number: int, size: int) -> Unit:
    return Unit(
        name=str(number), works=[Work(name=f"w{number}.{one}", tokens=100, place=None) for one in range(1, size + 1)]
    )


def succeeded(*unanswered: str, **fields: Any) -> dict[str, Any]:
    return {**answered(**fields), "unanswered": list(unanswered)}


def names(calls: list[Call[UnitJob]]) -> list[str]:
    return [call.record.branch.name for call in calls]


def counts(given: PageSchedule) -> tuple[int, int]:
    tally = given.tally()
    return tally.succeeded, tally.failed


def elsewhere(succeeded: int = 0, failed: int = 0, tokens: int = 0, **fields: Any) -> Account:
    usage = Usage(model_calls=succeeded, input_tokens=tokens, total_tokens=tokens)
    return Account(tally=Tally(succeeded=succeeded, failed=failed, usage=usage), **fields)


# --- Batches ---


def test_a_batch_counts_all_of_its_works() -> None:
    given = page(3, 2)
    first, second = given.due(at(0))
    given.ended(first, succeeded(), at(1))
    given.ended(second, failed(retriable=False, code="not_allowed"), at(1))
    assert counts(given) == (3, 2)
    assert (given.finished, [failure.name for failure in given.failures(None)]) == (True, ["w2.1", "w2.2"])


def test_works_without_an_answer_are_called_alone_with_attempts_of_their_own() -> None:
    given = page(4, attempts=2)
    [batch] = given.due(at(0))
    given.ended(batch, succeeded("w1.2", "w1.4"), at(1))
    assert (counts(given), given.finished) == ((2, 0), False)
    singles = given.due(at(1))
    assert names(singles) == ["1.2", "1.4"]
    given.ended(singles[0], failed(), at(2))
    given.ended(singles[1], succeeded(), at(2))
    [retry] = given.due(given.wake_at(at(2)) or at(0))
    given.ended(retry, failed(), at(9))
    assert counts(given) == (3, 1)
    assert [(failure.name, failure.calls) for failure in given.failures(None)] == [("w1.2", 3)]


def test_a_batch_that_is_refused_is_divided_and_one_that_may_not_call_at_all_is_not() -> None:
    given = page(2, 2)
    poisoned, forbidden = given.due(at(0))
    given.ended(poisoned, failed("content_filtered", retriable=False), at(1))
    given.ended(forbidden, failed("not_authenticated", retriable=False), at(1))
    assert names(given.due(at(1))) == ["1.1", "1.2"]
    assert counts(given) == (0, 2)


def test_a_batch_whose_retries_are_used_up_fails_as_a_whole() -> None:
    given = page(3, attempts=1)
    [batch] = given.due(at(0))
    given.ended(batch, failed(), at(1))
    assert (counts(given), given.finished) == ((0, 3), True)


def test_the_second_call_for_a_batch_that_was_divided_changes_nothing() -> None:
    given = page(2, hedge_after_s=1.0, max_hedge_percentage=100)
    [batch] = given.due(at(0))
    [hedge] = given.due(at(2))
    given.ended(batch, succeeded("w1.1"), at(3))
    assert given.losers() == [hedge]
    given.ended(hedge, succeeded("w1.2"), at(4))
    [single] = given.due(at(4))
    given.ended(single, succeeded(), at(5))
    assert (counts(given), given.finished) == ((2, 0), True)


def test_a_batch_that_is_divided_after_the_end_starts_nothing() -> None:
    given = page(2)
    [batch] = given.due(at(0))
    given.close()
    given.ended(batch, succeeded("w1.1"), at(1))
    assert given.due(at(1)) == []
    assert (given.final_tally().succeeded, given.final_tally().failed) == (1, 1)
    assert [failure.status for failure in given.failures("cancelled")] == ["cancelled"]


# --- Calls that never return ---


def test_a_call_that_never_returns_is_given_up_some_time_after_its_deadline() -> None:
    given = page(1, branch_timeout_s=10)
    given.due(at(0))
    assert given.wake_at(at(1)) == at(10 + EXPIRY_GRACE_S)
    given.expire(at(10 + EXPIRY_GRACE_S - 0.1))
    assert not given.finished
    given.expire(at(10 + EXPIRY_GRACE_S))
    [failure] = given.failures(None)
    assert (given.finished, failure.status, failure.error.code) == (True, "timed_out", "call_timed_out")
    assert (given.spare, given.tally().usage.model_calls) == (100, 1)


def test_a_needless_call_that_never_returns_gives_its_place_back() -> None:
    given = page(1, branch_timeout_s=10, hedge_after_s=1.0, max_hedge_percentage=100, max_concurrency=2)
    [first] = given.due(at(0))
    [hedge] = given.due(at(1))
    given.ended(hedge, succeeded(), at(2))
    assert (given.losers(), given.spare) == ([first], 1)
    given.expire(at(15))
    assert (given.spare, counts(given)) == (2, (1, 0))


# --- Places ---


def test_no_place_is_spare_while_a_unit_waits_and_one_is_kept_for_each_that_is_not_decided() -> None:
    given = page(1, 1, 1, places=2, max_concurrency=2)
    first, second = given.due(at(0))
    assert given.spare == 0
    given.ended(first, succeeded(), at(1))
    [third] = given.due(at(1))
    given.ended(second, failed(), at(2))
    assert given.spare == 0, "one place is for the retry"
    given.ended(third, succeeded(), at(2))
    assert given.spare == 1


def test_a_retry_starts_in_the_one_place_left_although_the_window_has_shrunk() -> None:
    given = page(*[1] * 8, max_concurrency=8)
    calls = given.due(at(0))
    for call in calls[:7]:
        given.ended(call, throttled(0.0), at(1))
    given.places = 1
    given.ended(calls[7], throttled(0.0), at(1))
    assert len(given.due(at(60))) == 1
    assert given.due(at(60)) == []


def test_in_a_shrunken_window_a_shard_has_the_share_that_it_has_of_the_places() -> None:
    given = page(*[1] * 20, max_concurrency=10)
    calls = given.due(at(0))
    assert len(calls) == 10
    for call in calls:
        given.ended(call, throttled(0.0), at(1))
    size = given.account().window.size  # type: ignore[union-attr]
    given.places = 5
    assert len(given.due(at(100))) == max(1, int(size) * 5 // 10)


def test_with_hedging_a_share_of_the_places_is_kept() -> None:
    given = page(*[1] * 10, max_concurrency=20, hedge_after_s=1.0, max_hedge_percentage=20)
    given.due(at(0))
    assert given.spare == 20 - 10 - 2


# --- Accounts ---


def test_failures_elsewhere_count_for_the_tolerance() -> None:
    given = page(1, 1, works=10, tolerated_failure_count=2)
    given.absorb(elsewhere(succeeded=3, failed=2))
    assert given.certain is None
    [call, _] = given.due(at(0))
    given.ended(call, failed(retriable=False), at(1))
    assert (given.certain, counts(given)) == ("failure_tolerance_exceeded", (0, 1))


@pytest.mark.parametrize("stale", [elsewhere(succeeded=1), elsewhere(succeeded=4, failed=1, tokens=50)])
def test_an_account_that_comes_twice_or_late_changes_nothing(stale: Account) -> None:
    given = page(1, works=10, max_total_tokens=100)
    newest = elsewhere(succeeded=4, failed=1, tokens=60)
    given.absorb(newest)
    given.absorb(stale)
    given.absorb(newest)
    assert (given.decided_works, given.budget_left) == (5, 40)
    assert given.account().tally == newest.tally


def test_an_account_is_the_sum_of_all_shards_so_far() -> None:
    given = page(1, works=10)
    given.absorb(elsewhere(succeeded=4, failed=1, tokens=60))
    [call] = given.due(at(0))
    given.ended(call, succeeded(tokens=15), at(1))
    given.absorb(elsewhere(succeeded=5, failed=1, tokens=70))
    tally = given.account().tally
    assert (tally.succeeded, tally.failed, tally.usage.total_tokens) == (6, 1, 85)
    assert (given.tally().succeeded, given.tally().usage.total_tokens) == (1, 15)


def test_what_others_may_still_spend_is_not_spent_here() -> None:
    given = page(1, 1, works=10, max_total_tokens=1_000)
    given.absorb(elsewhere(succeeded=1, tokens=100, held_tokens=800))
    assert given.due(at(0)) == []
    given.absorb(elsewhere(succeeded=2, tokens=701, held_tokens=0))
    assert names(given.due(at(0))) == ["1"], "150 more for each: both do not fit"


def test_the_retries_of_a_shard_are_held_in_its_account() -> None:
    given = page(1, max_total_tokens=1_000)
    [call] = given.due(at(0))
    assert given.account().held_tokens == 150
    given.ended(call, failed(), at(1))
    assert given.account().held_tokens == 150
    given.hold()
    assert (given.account().held_tokens, given.withheld, given.finished) == (0, True, True)


def test_a_budget_that_is_spent_elsewhere_withholds_what_waits() -> None:
    given = page(1, 2, works=10, max_total_tokens=100)
    given.absorb(elsewhere(succeeded=1, tokens=100))
    assert (given.due(at(0)), given.finished, given.withheld, given.budget_is_spent) == ([], True, True, True)
    assert [failure.error.code for failure in given.failures("budget_exhausted")] == ["budget_exhausted"] * 3


def test_a_window_that_was_small_before_begins_small() -> None:
    before = page(*[1] * 10, max_concurrency=10)
    for call in before.due(at(0)):
        before.ended(call, throttled(0.0), at(1))
    given = page(*[1] * 10, max_concurrency=10, works=20)
    given.absorb(before.account())
    assert len(given.due(at(300))) < 10


def test_what_calls_take_is_told_to_the_next_shard() -> None:
    before = page(*[1] * 8, hedge="p95")
    for call in before.due(at(0)):
        before.ended(call, succeeded(), at(2))
    assert before.account().typical_s == pytest.approx(2 * MARGIN)
    given = page(1, 1, works=20, hedge="p95", max_hedge_percentage=100)
    given.absorb(before.account())
    given.due(at(10))
    assert len(given.due(at(10 + 2 * MARGIN))) == 2


def test_a_shard_knows_how_long_its_calls_were_in_the_worker() -> None:
    crowded = page(*[1] * 8, hedge="p95")
    for call in crowded.due(at(0)):
        crowded.ended(call, {**succeeded(), "worked_s": 1.0}, at(3))
    assert crowded.account().typical_s == pytest.approx(3 + (MARGIN - 1))


def test_a_shard_of_a_run_from_before_2_hedges_as_that_run_did() -> None:
    before = page(*[1] * 8, hedge="p95", hedges_sooner=False)
    for call in before.due(at(0)):
        before.ended(call, succeeded(), at(2))
    assert before.account().typical_s == pytest.approx(2.5)


def test_the_budget_allows_for_all_answers_of_a_batch() -> None:
    given = page(3, 1, max_total_tokens=10_000)
    given.due(at(0))
    assert given.account().held_tokens == (20 + 3 * 100 + 3 * 30) + (20 + 100 + 30)
