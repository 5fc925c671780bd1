"""Each orchestrator under the SDK's own worker on the in-memory engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.orchestrators.durable import Durable
from tests.orchestrators.given import (
    documents_request,
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
    """How many branches the run had in flight at a time, by its history."""
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
    outcome = result["outcomes"][0]
    assert (outcome["status"], outcome["attempts"], outcome["output"]) == ("succeeded", 3, "third")
    assert outcome["usage"]["model_calls"] == 3
    timers = [event for event in durable.history(durable.branch_id("a")) if event.HasField("timerFired")]
    assert len(timers) == 2


def test_a_call_that_hangs_times_its_branch_out(durable: Durable) -> None:
    durable.agents.hold("b")
    request = sections_request("a", "b", aggregation="concatenate", policy={"branch_timeout_s": 1.0})
    result = durable.run("sectioning", request)
    assert verdict(result) == ("partial", "all_completed")
    assert statuses(result) == {"a": "succeeded", "b": "timed_out"}
    assert result["outcomes"][1]["error"]["code"] == "branch_timed_out"


def test_the_deadline_ends_the_run_and_its_branches(durable: Durable) -> None:
    durable.agents.hold("b", "c")
    request = sections_request("a", "b", "c", "d", policy={"deadline_s": 1.5, "max_concurrency": 3})
    result = durable.run("sectioning", request)
    assert verdict(result) == ("partial", "deadline_exceeded")
    assert statuses(result) == {"a": "succeeded", "b": "timed_out", "c": "timed_out", "d": "succeeded"}
    assert result["output"]["aggregation"] == "concatenate"
    assert {durable.status_of("b"), durable.status_of("c")} <= {"TERMINATED", "COMPLETED"}


def test_a_cancel_ends_the_run_and_terminates_its_branches(durable: Durable) -> None:
    durable.agents.hold("b", "c")
    request = sections_request("a", "b", "c", "d", policy={"max_concurrency": 2})
    durable.start("sectioning", request)
    durable.agents.wait_for_calls(3)
    durable.cancel()
    result = durable.result()
    assert verdict(result) == ("cancelled", "cancelled")
    assert statuses(result) == {"a": "succeeded", "b": "cancelled", "c": "cancelled", "d": "cancelled"}
    assert [durable.status_of(name) for name in "bcd"] == ["TERMINATED", "TERMINATED", "UNKNOWN"]
    assert "before the branch started" in result["outcomes"][3]["error"]["message"]


def test_a_cancel_in_the_middle_of_the_synthesis_keeps_the_sections(durable: Durable) -> None:
    durable.agents.hold("~synthesis")
    durable.start("sectioning", sections_request("a", "b"))
    durable.agents.wait_for_calls(3)
    durable.cancel()
    result = durable.result()
    assert verdict(result) == ("cancelled", "cancelled")
    assert result["aggregation"]["status"] == "cancelled"
    assert result["output"]["content"] == "## a\n\noutput of a\n\n## b\n\noutput of b"


def test_a_thousand_documents_go_through_a_window_of_fifty_without_a_thread_each(durable: Durable) -> None:
    threads_before, began = threading.active_count(), time.perf_counter()
    result = durable.run("map_reduce", documents_request(1000, policy={"max_concurrency": 50}))
    print(f"1,000 documents in {time.perf_counter() - began:.1f} s, {durable.agents.most_threads} threads")
    assert verdict(result) == ("succeeded", "all_completed")
    assert [outcome["name"] for outcome in result["outcomes"]] == [f"d{number}" for number in range(1000)]
    assert most_in_flight(durable) == 50
    assert durable.agents.most_threads - threads_before < 100
