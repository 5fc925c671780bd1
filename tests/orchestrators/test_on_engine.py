"""Each orchestrator under the SDK's own worker on the in-memory engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from tests.orchestrators.durable import Durable
from tests.orchestrators.given import (
    documents_request,
    error_codes,
    outcome,
    outcome_of,
    refused,
    replied,
    sections_request,
    statuses,
    verdict,
)


@pytest.fixture(scope="module")
def running() -> Iterator[Durable]:
    with Durable() as durable:
        yield durable


@pytest.fixture
def durable(running: Durable, request: pytest.FixtureRequest) -> Durable:
    """A run of its own on an engine that the tests share."""
    running.anew(run_id=request.node.name)
    return running


def most_in_flight(durable: Durable) -> int:
    """How many calls the run had in flight at a time, by its history."""
    most = now = 0
    for event in durable.history(durable.run_id):
        kind = event.WhichOneof("eventType")
        now += kind == "subOrchestrationInstanceCreated"
        now -= kind in {"subOrchestrationInstanceCompleted", "subOrchestrationInstanceFailed"}
        most = max(most, now)
    return most


def test_sections_are_synthesized(durable: Durable) -> None:
    result = durable.run("sectioning", sections_request("a", "b", "c"))
    assert verdict(result) == ("succeeded", "all_completed")
    assert result["output"]["content"] == "output of ~synthesis"
    assert result["usage"]["model_calls"] == 4
    assert [durable.status_of(name) for name in ("a", "b", "c", "~synthesis")] == ["COMPLETED"] * 4


def test_voters_decide(durable: Durable) -> None:
    for voter, answer in (("voter-1", "yes"), ("voter-2", "no"), ("voter-3", "Yes")):
        durable.agents.answer(voter, replied({"reasoning": "so", "answer": answer}))
    result = durable.run("voting", {"question": "Publish?", "voters": 3})
    assert (result["output"]["decision"], result["output"]["counted"]) == ("yes", 3)


def test_documents_are_reduced(durable: Durable) -> None:
    result = durable.run("map_reduce", documents_request(5, policy={"max_concurrency": 2}))
    assert verdict(result) == ("succeeded", "all_completed")
    assert result["output"]["documents"] == ["d0", "d1", "d2", "d3", "d4"]
    assert most_in_flight(durable) == 2


def test_failures_of_every_kind_stay_with_their_branch(durable: Durable) -> None:
    durable.agents.answer("refused", refused("content_filtered", retriable=False))
    durable.agents.answer("raises", RuntimeError("worker lost"))
    durable.agents.answer("defect", {"no": "reply"})
    request = sections_request("good", "refused", "raises", "defect", policy={"attempts": 1}, aggregation="concatenate")
    result = durable.run("sectioning", request)
    assert verdict(result) == ("partial", "all_completed")
    assert statuses(result) == {"good": "succeeded", "refused": "failed", "raises": "failed", "defect": "failed"}
    codes = [outcome["error"]["code"] for outcome in result["outcomes"][1:]]
    assert codes == ["content_filtered", "call_lost", "branch_failed"]
    assert "worker lost" in result["outcomes"][2]["error"]["message"]


def test_a_retry_waits_for_its_durable_timer(durable: Durable) -> None:
    durable.agents.answer("a", refused(retry_after_s=0.0), refused(retry_after_s=0.0), replied("third"))
    result = durable.run("sectioning", sections_request("a", aggregation="concatenate"))
    outcome = outcome_of(result, "a")
    assert (outcome["status"], outcome["attempts"], outcome["output"]) == ("succeeded", 3, "third")
    assert outcome["usage"]["model_calls"] == 3
    timers = [event for event in durable.history(durable.run_id) if event.HasField("timerFired")]
    assert len(timers) == 2
    assert [durable.status_of(call) for call in ("a", "a~2", "a~3")] == ["COMPLETED"] * 3


def test_branches_that_are_throttled_together_come_back_through_the_window(durable: Durable) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        durable.agents.answer(name, refused(retry_after_s=0.0), replied())
    request = sections_request(*names, aggregation="concatenate", policy={"max_concurrency": 2})
    result = durable.run("sectioning", request)
    assert verdict(result) == ("succeeded", "all_completed")
    assert {outcome["attempts"] for outcome in result["outcomes"]} == {2}
    assert most_in_flight(durable) <= 2


def test_a_call_that_hangs_times_its_branch_out(durable: Durable) -> None:
    durable.agents.hold("b")
    request = sections_request("a", "b", aggregation="concatenate", policy={"branch_timeout_s": 1.0})
    result = durable.run("sectioning", request)
    assert verdict(result) == ("partial", "all_completed")
    assert statuses(result) == {"a": "succeeded", "b": "timed_out"}
    assert error_codes(result) == {"b": "branch_timed_out"}


def test_the_deadline_ends_the_run_and_its_calls(durable: Durable) -> None:
    durable.agents.hold("b", "c")
    request = sections_request("a", "b", "c", "d", policy={"deadline_s": 1.5, "max_concurrency": 3})
    result = durable.run("sectioning", request)
    assert verdict(result) == ("partial", "deadline_exceeded")
    assert statuses(result) == {"a": "succeeded", "b": "timed_out", "c": "timed_out", "d": "succeeded"}
    assert error_codes(result) == {"b": "deadline_exceeded", "c": "deadline_exceeded"}
    assert result["output"]["aggregation"] == "concatenate"
    assert {durable.wait_until_ended(name)["status"] for name in "bc"} <= {"timed_out", "cancelled"}


def test_a_cancel_ends_the_run_and_its_calls_at_once(durable: Durable) -> None:
    durable.agents.hold("b", "c")
    request = sections_request("a", "b", "c", "d", policy={"max_concurrency": 2})
    durable.start("sectioning", request)
    durable.agents.wait_for_calls(3)
    durable.cancel()
    result = durable.result()
    assert verdict(result) == ("cancelled", "cancelled")
    assert statuses(result) == {"a": "succeeded", "b": "cancelled", "c": "cancelled", "d": "cancelled"}
    assert [durable.wait_until_ended(name)["status"] for name in "bc"] == ["cancelled", "cancelled"]
    assert durable.status_of("d") == "UNKNOWN"
    assert "before the branch started" in outcome_of(result, "d")["error"]["message"]


def test_a_cancel_in_the_middle_of_the_synthesis_keeps_the_sections(durable: Durable) -> None:
    durable.agents.hold("~synthesis")
    durable.start("sectioning", sections_request("a", "b"))
    durable.agents.wait_for_calls(3)
    durable.cancel()
    result = durable.result()
    assert verdict(result) == ("cancelled", "cancelled")
    assert result["aggregation"]["status"] == "cancelled"
    assert result["output"]["content"] == "## a\n\noutput of a\n\n## b\n\noutput of b"
    assert durable.wait_until_ended("~synthesis")["status"] == "cancelled"


def test_a_run_that_has_missed_its_policy_stops_its_calls(durable: Durable) -> None:
    durable.agents.answer("a", refused("content_filtered", retriable=False))
    durable.agents.hold("a", "b", "c")
    request = sections_request("a", "b", "c", "d", policy={"tolerated_failure_count": 0, "max_concurrency": 3})
    durable.start("sectioning", request)
    durable.agents.wait_for_calls(3)
    durable.agents.let_go("a")
    result = durable.result()
    assert verdict(result) == ("failed", "failure_tolerance_exceeded")
    assert statuses(result) == {"a": "failed", "b": "cancelled", "c": "cancelled", "d": "cancelled"}
    assert [durable.wait_until_ended(name)["status"] for name in "bc"] == ["cancelled", "cancelled"]
    assert (durable.status_of("d"), durable.status_of("~synthesis")) == ("UNKNOWN", "UNKNOWN")


def test_a_run_that_may_stop_early_does(durable: Durable) -> None:
    durable.agents.hold("c")
    policy = {"min_successful": 2, "stop_early": True}
    result = durable.run("sectioning", sections_request("a", "b", "c", policy=policy))
    assert verdict(result) == ("partial", "min_successful_reached")
    assert statuses(result) == {"a": "succeeded", "b": "succeeded", "c": "cancelled"}
    assert result["output"]["content"] == "output of ~synthesis"
    assert durable.wait_until_ended("c")["status"] == "cancelled"


def test_a_slow_call_is_hedged_and_the_loser_is_stopped(durable: Durable) -> None:
    durable.agents.hold("b~1")
    durable.agents.answer("b", replied("slow"), replied("quick"))
    request = sections_request("b", aggregation="concatenate", policy={"hedge_after_s": 0.3})
    result = durable.run("sectioning", request)
    assert verdict(result) == ("succeeded", "all_completed")
    outcome = outcome_of(result, "b")
    assert (outcome["output"], outcome["attempts"], outcome["hedges"]) == ("quick", 1, 1)
    assert outcome["usage"]["model_calls"] == 2
    assert durable.wait_until_ended("b~2h")["status"] == "succeeded"
    assert durable.wait_until_ended("b")["status"] == "cancelled"


def test_a_slow_call_is_hedged_after_a_time_that_the_run_has_learned(durable: Durable) -> None:
    names = [f"s{number}" for number in range(8)]
    durable.agents.hold("s3~1")
    result = durable.run("sectioning", sections_request(*names, aggregation="concatenate", policy={"hedge": "p95"}))
    assert verdict(result) == ("succeeded", "all_completed")
    assert outcome_of(result, "s3")["hedges"] == 1
    assert durable.wait_until_ended("s3")["status"] == "cancelled"


def test_a_run_that_has_spent_its_budget_starts_nothing_more(durable: Durable) -> None:
    policy = {"max_concurrency": 1, "max_total_tokens": 30}
    result = durable.run("map_reduce", documents_request(4, policy=policy))
    assert verdict(result) == ("partial", "budget_exhausted")
    assert statuses(result) == {"d0": "succeeded", "d1": "succeeded", "d2": "cancelled", "d3": "cancelled"}
    assert (result["output"]["reduction"], result["usage"]["total_tokens"]) == ("concatenate", 30)
    assert [call["max_tokens"] for call in durable.agents.calls] == [30, 15]


def test_a_redrive_calls_what_has_not_succeeded(durable: Durable) -> None:
    earlier = [outcome("a", "old"), outcome("c")]
    result = durable.run("sectioning", sections_request("a", "b", "c"), reused=earlier)
    assert verdict(result) == ("succeeded", "all_completed")
    assert [call["branch"] for call in durable.agents.calls] == ["b", "~synthesis"]
    assert json.dumps([outcome_of(result, name) for name in "ac"]) == json.dumps(earlier)
    assert (result["reused"], result["redrive_of"], result["usage"]["model_calls"]) == (["a", "c"], "run-0", 2)


def test_a_redrive_of_what_has_all_succeeded_ends_in_its_first_turn(durable: Durable) -> None:
    reused = [outcome("a"), outcome("b")]
    result = durable.run("sectioning", sections_request("a", "b", aggregation="concatenate"), reused=reused)
    assert verdict(result) == ("succeeded", "all_completed")
    assert durable.agents.calls == []


def test_a_thousand_documents_go_through_a_window_of_fifty_without_a_thread_each(durable: Durable) -> None:
    threads_before, began, cpu = threading.active_count(), time.perf_counter(), time.process_time()
    result = durable.run("map_reduce", documents_request(1000, policy={"max_concurrency": 50}))
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    print(f"1,000 documents in {took_s:.1f} s, {cpu_s:.1f} s of CPU, {durable.agents.most_threads} threads")
    assert verdict(result) == ("succeeded", "all_completed")
    assert [outcome["name"] for outcome in result["outcomes"]] == [f"d{number}" for number in range(1000)]
    assert most_in_flight(durable) == 50
    assert durable.agents.most_threads - threads_before < 100
