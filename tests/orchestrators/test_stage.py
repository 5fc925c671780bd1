"""Stages of shards in a relay, on the in-memory engine: what is called when, and what is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from orchestrators.shard import most_events
from tests.orchestrators.durable import wait_until
from tests.orchestrators.relay import ANSWERED, Reading, Stages, refusal, singles, unit

LATENCY_S = 0.3
"""What an event from one shard to the next may take on a busy machine."""


@pytest.fixture
def stages() -> Iterator[Stages]:
    with Stages() as made:
        yield made


def idle_place_s(readings: list[Reading], places: int) -> float:
    """For how long, added up over the places, one had no call while a work waited that was started later."""
    last_start = max(reading.began for reading in readings)
    begun = min(reading.began for reading in readings)
    busy = sum(min(reading.ended or last_start, last_start) - reading.began for reading in readings)
    return places * (last_start - begun) - busy


# --- Places ---


def test_all_works_of_all_pages_are_called_once_and_counted(stages: Stages) -> None:
    stages.pages.seconds = lambda _: 0.05
    result = stages.run_stage(singles(4, 5), max_concurrency=3)
    assert (result["succeeded"], result["failed"], result["interruption"]) == (20, 0, None)
    assert sorted(reading.unit for reading in stages.pages.readings) == sorted(
        f"{page}.{number}" for page in range(1, 5) for number in range(1, 6)
    )
    assert sorted(stages.pages.closed) == [1, 2, 3, 4]
    assert stages.pages.most == 3
    assert (result["usage"]["total_tokens"], result["spent"]) == (300, 300)


def test_a_shard_tells_of_each_call_that_has_ended_also_when_nothing_is_left_to_start(stages: Stages) -> None:
    stages.pages.hold("1.3")
    stages.start_stage(singles(1, 3), max_concurrency=10)
    told = {"succeeded": 2, "failed": 0, "reused": 0, "running": 1, "tokens": 30}
    wait_until(lambda: stages.told_by_shard(1) == told, "the shard does not tell of the two calls that have ended")


def test_a_straggler_keeps_one_place_and_the_shards_after_it_use_all_others(stages: Stages) -> None:
    stages.pages.seconds = lambda name: 2.0 if name == "1.3" else 0.1
    result = stages.run_stage(singles(4, 12), max_concurrency=6)
    readings = stages.pages.readings
    straggler = next(reading for reading in readings if reading.unit == "1.3")
    assert (result["succeeded"], stages.pages.most) == (48, 6)
    assert straggler.ended is not None
    beside = [reading for reading in readings if reading.unit.startswith(("2.", "3.", "4."))]
    assert all(reading.began < straggler.ended for reading in beside), "a shard waited for the straggler"
    ideal_s = 47 * 0.1 / 5
    assert max(reading.began for reading in readings) - readings[0].began < ideal_s + 4 * LATENCY_S


def test_no_place_idles_for_longer_than_an_event_takes_while_work_waits(stages: Stages) -> None:
    stages.pages.seconds = lambda name: 0.1 + 0.01 * (hash_of(name) % 13)
    stages.run_stage(singles(6, 10), max_concurrency=8)
    per_start = idle_place_s(stages.pages.readings, 8) / len(stages.pages.readings)
    print(f"idle per call: {1000 * per_start:.0f} ms")
    assert (stages.pages.most, len(stages.pages.readings)) == (8, 60)
    assert per_start < LATENCY_S


def test_more_places_than_a_page_has_units_reach_the_pages_after_it_at_once(stages: Stages) -> None:
    stages.pages.hold(*(one.name for page in singles(5, 4) for one in page))
    stages.start_stage(singles(5, 4), max_concurrency=18)
    stages.pages.wait_until(lambda: stages.pages.running == 18)
    assert stages.pages.running == 18
    stages.pages.let_all_go()
    assert stages.result()["succeeded"] == 20
    assert stages.pages.most == 18


def test_more_places_than_works_are_no_harm(stages: Stages) -> None:
    assert stages.run_stage(singles(3, 2), max_concurrency=100)["succeeded"] == 6


def test_one_place_goes_through_all_shards(stages: Stages) -> None:
    result = stages.run_stage(singles(3, 3), max_concurrency=1)
    assert (result["succeeded"], stages.pages.most) == (9, 1)
    assert [reading.unit for reading in stages.pages.readings] == [one.name for page in singles(3, 3) for one in page]


# --- Failures, retries, batches ---


def test_a_retry_finds_its_place_when_later_shards_are_at_work(stages: Stages) -> None:
    stages.pages.seconds = lambda _: 0.05
    stages.pages.answer("1.4", refusal("model_unavailable", retriable=True), ANSWERED)
    result = stages.run_stage(singles(3, 5), max_concurrency=3)
    assert (result["succeeded"], result["usage"]["model_calls"], stages.pages.most) == (15, 16, 3)


def test_a_work_that_fails_is_missing_and_the_page_is_told_why(stages: Stages) -> None:
    stages.pages.answer("2.1", refusal("content_filtered"))
    stages.pages.answer("1.2", RuntimeError("worker lost"))
    result = stages.run_stage(singles(2, 3), max_concurrency=2, attempts=2)
    assert (result["succeeded"], result["failed"], result["missing"]) == (4, 2, ["d1.2", "d2.1"])
    assert result["interruption"] is None
    [filtered] = stages.pages.closed[2].failures
    assert (filtered.name, filtered.status, filtered.error.code, filtered.calls) == (
        "d2.1", "failed", "content_filtered", 1,
    )  # fmt: skip
    [lost] = stages.pages.closed[1].failures
    assert (lost.error.code, lost.calls) == ("call_lost", 2)


def test_the_works_that_an_answer_to_a_batch_lacks_are_called_alone(stages: Stages) -> None:
    stages.pages.answer("1.1", ANSWERED | {"unanswered": ["b", "unknown", "b"]})
    result = stages.run_stage([[unit("1.1", "a", "b", "c")], [unit("2.1", "d")]], max_concurrency=2)
    assert (result["succeeded"], result["failed"]) == (4, 0)
    assert sorted(reading.unit for reading in stages.pages.readings) == ["1.1", "1.1.2", "2.1"]


def test_a_poisonous_document_costs_only_itself(stages: Stages) -> None:
    stages.pages.answer("1.1", refusal("content_filtered"))
    stages.pages.answer("1.1.2", refusal("content_filtered"))
    result = stages.run_stage([[unit("1.1", "a", "b", "c")]], max_concurrency=2)
    assert (result["succeeded"], result["failed"], result["missing"]) == (2, 1, ["b"])
    [failure] = stages.pages.closed[1].failures
    assert (failure.name, failure.calls) == ("b", 2)


# --- The whole run's policy ---


def test_failures_of_all_shards_together_exceed_the_tolerance_and_stop_the_run_at_once(stages: Stages) -> None:
    for name in ("1.2", "2.2", "3.1"):
        stages.pages.answer(name, refusal("content_filtered"))
    pages = singles(6, 4)
    stages.pages.hold("3.2", "3.3", "3.4")
    result = stages.run_stage(pages, max_concurrency=2, tolerated_failure_count=2)
    assert result["interruption"] == "failure_tolerance_exceeded"
    assert result["succeeded"] + result["failed"] == 24
    assert not [reading for reading in stages.pages.readings if reading.unit.startswith(("4.", "5.", "6."))]


def test_failures_within_the_tolerance_stop_nothing(stages: Stages) -> None:
    for name in ("1.2", "2.2", "3.1"):
        stages.pages.answer(name, refusal("content_filtered"))
    result = stages.run_stage(singles(4, 4), max_concurrency=2, tolerated_failure_count=3)
    assert (result["succeeded"], result["failed"], result["interruption"]) == (13, 3, None)


def test_a_straggler_s_failure_in_the_first_shard_stops_the_third(stages: Stages) -> None:
    stages.pages.answer("1.1", refusal("content_filtered"))
    stages.pages.hold("1.1", *(f"3.{number}" for number in range(2, 6)))
    stages.start_stage(singles(5, 5), max_concurrency=4, tolerated_failure_count=0)
    stages.pages.wait_until(lambda: sum(reading.unit.startswith("3.") for reading in stages.pages.readings) >= 4)
    stages.pages.let_go("1.1")
    result = stages.result()
    assert result["interruption"] == "failure_tolerance_exceeded"
    assert (result["succeeded"], result["failed"]) == (10, 15)


def test_enough_successes_over_several_shards_end_the_run_early(stages: Stages) -> None:
    stages.pages.hold("3.2", "3.3")
    result = stages.run_stage(singles(6, 3), max_concurrency=2, min_successful=7, stop_early=True)
    assert (result["interruption"], result["succeeded"]) == ("min_successful_reached", 7)


def test_no_call_starts_once_the_budget_of_all_shards_is_spent(stages: Stages) -> None:
    result = stages.run_stage(singles(6, 2), max_concurrency=1, max_total_tokens=75)
    assert (result["succeeded"], result["failed"], result["interruption"]) == (5, 7, "budget_exhausted")
    assert (result["spent"], len(stages.pages.readings)) == (75, 5)
    assert [failure.error.code for failure in stages.pages.closed[3].failures] == ["budget_exhausted"]


def test_a_budget_is_not_overdrawn_by_shards_side_by_side(stages: Stages) -> None:
    stages.pages.seconds = lambda name: 0.5 if name == "1.1" else 0.02
    stages.start_stage(singles(8, 3), max_concurrency=3, max_total_tokens=150, max_output_tokens=5)
    result = stages.result()
    assert result["interruption"] == "budget_exhausted"
    assert result["spent"] <= 150 + 15
    assert result["succeeded"] >= 9


# --- Ends before the time ---


def test_a_cancelled_stage_ends_within_two_seconds_with_what_it_has(stages: Stages) -> None:
    stages.pages.hold(*(one.name for page in singles(5, 6) for one in page if one.name not in {"1.1", "1.2"}))
    stages.start_stage(singles(5, 6), max_concurrency=8)
    stages.pages.wait_until(lambda: stages.pages.running == 8 and len(stages.pages.readings) == 10)
    began = time.monotonic()
    stages.cancel()
    result = stages.result()
    assert time.monotonic() - began < 2
    assert (result["interruption"], result["succeeded"], result["failed"]) == ("cancelled", 2, 28)
    assert result["usage"]["model_calls"] == 10
    stages.pages.wait_until(lambda: stages.pages.running == 0)


def test_a_cancelled_stage_closes_the_pages_that_were_open(stages: Stages) -> None:
    stages.pages.hold("1.1", "1.2")
    stages.start_stage(singles(3, 2), max_concurrency=2)
    stages.pages.wait_until(lambda: stages.pages.running == 2)
    stages.cancel()
    stages.result()
    stages.pages.wait_until(lambda: 1 in stages.pages.closed)
    assert {failure.status for failure in stages.pages.closed[1].failures} == {"cancelled"}


def test_the_deadline_ends_all_shards(stages: Stages) -> None:
    stages.pages.hold(*(one.name for page in singles(4, 3) for one in page if one.name not in {"1.1", "1.2"}))
    result = stages.run_stage(singles(4, 3), max_concurrency=5, deadline_s=1.5, branch_timeout_s=1.5)
    assert (result["interruption"], result["succeeded"], result["failed"]) == ("deadline_exceeded", 2, 10)
    stages.pages.wait_until(lambda: 1 in stages.pages.closed)
    assert {failure.status for failure in stages.pages.closed[1].failures} == {"timed_out"}


# --- Events ---


def test_events_that_come_twice_or_late_change_nothing(stages: Stages) -> None:
    stages.pages.hold("1.1", "2.1")
    stages.start_stage(singles(3, 3), max_concurrency=3)
    stages.pages.wait_until(lambda: any(reading.unit == "2.1" for reading in stages.pages.readings))
    for event in [event.eventRaised for event in stages.shard_history(2) if event.HasField("eventRaised")]:
        stages.client.raise_orchestration_event(stages.shard_id(2), event.name, data=loads(event.input.value))
    for event in [event.eventRaised for event in stages.shard_history(1) if event.HasField("eventRaised")]:
        stages.client.raise_orchestration_event(stages.shard_id(1), event.name, data=loads(event.input.value))
    stages.pages.let_all_go()
    result = stages.result()
    assert (result["succeeded"], result["failed"], stages.pages.most <= 3) == (9, 0, True)
    assert len(stages.pages.readings) == 9


# --- What it costs ---


def test_a_shard_s_history_is_bounded_by_its_calls_and_the_places(stages: Stages) -> None:
    later = refusal("model_unavailable", retriable=True, retry_after_s=0.0)
    pages = singles(3, 6)
    for page in pages:
        for one in page:
            stages.pages.answer(one.name, later, later, ANSWERED)
    stages.run_stage(pages, max_concurrency=4)
    assert len(stages.pages.readings) == 18 * 3
    for number in (1, 2, 3):
        events = len(stages.shard_history(number))
        print(f"shard {number}: {events} events of {most_events(6 * 3, 4)}")
        assert events <= most_events(calls=6 * 3, messages=4)


def test_a_thousand_works_in_pages_of_fifty_go_through_a_window_of_fifty(stages: Stages) -> None:
    stages.pages.seconds = lambda name: 0.1 + 0.01 * (hash_of(name) % 13)
    began, cpu = time.perf_counter(), time.process_time()
    result = stages.run_stage(singles(20, 50), max_concurrency=50)
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"1,000 works in {took_s:.1f} s, {cpu_s:.1f} ms of CPU each; {len(stages.history(stages.run_id))} events above"
    )
    assert (result["succeeded"], result["failed"], stages.pages.most <= 50) == (1000, 0, True)
    assert len({reading.unit for reading in stages.pages.readings}) == len(stages.pages.readings) == 1000
    assert len(stages.history(stages.run_id)) < 20 * 12


def test_a_slow_call_is_hedged_and_the_first_answer_counts(stages: Stages) -> None:
    stages.pages.hold("1.2~1")
    result = stages.run_stage(singles(2, 4), max_concurrency=4, hedge_after_s=0.3, max_hedge_percentage=50)
    assert (result["succeeded"], result["usage"]["model_calls"]) == (8, 9)
    assert sorted(reading.attempt for reading in stages.pages.readings if reading.unit == "1.2") == [1, 2]


def loads(text: str) -> object:
    import json

    return json.loads(text) if text else None


def hash_of(name: str) -> int:
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name))
