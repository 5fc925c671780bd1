"""Map-reduce in history with several documents in a call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.names import CANCEL_EVENT
from orchestrators.map_reduce import map_reduce
from shared.contracts.map_reduce import MapReduceRequest
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import (
    USAGE,
    branch_names,
    documents_request,
    error_codes,
    failed,
    instances,
    let_stop,
    only,
    outcome,
    outcome_of,
    start_run,
    statuses,
    stops,
    succeed,
    succeeded,
    throttled,
    usage,
    verdict,
)


def start(count: int, batch_size: int, *, reused: list[JSON] | None = None, **fields: Any) -> Drive:
    """A run whose outputs are concatenated."""
    fields = {"reduce": "concatenate", "batch_size": batch_size, **fields}
    return start_run(map_reduce, documents_request(count, **fields), reused=reused)


def answer(drive: Drive, batch: str, *documents: str, **fields: Any) -> None:
    """Let the newest call for a batch answer these documents."""
    output = {name: f"output of {name}" for name in documents}
    drive.complete(drive.child(batch), {**succeeded(batch, "said"), "output": output, **fields})


def total(result: JSON) -> JSON:
    """What the outcomes have cost together."""
    return {name: sum(outcome["usage"][name] for outcome in result["outcomes"]) for name in USAGE}


def test_a_batch_is_one_call_and_each_document_has_its_own_outcome() -> None:
    drive = start(5, 2, defaults={"model": "gpt-test"})
    assert instances(drive.running) == ["~batch-1", "~batch-2", "d4"]
    first, _, alone = [child.input["branch"] for child in drive.running]
    assert first["prompt"] == (
        '<document number="1" id="d0">\nDocument 0.\n</document>\n\n'
        '<document number="2" id="d1">\nDocument 1.\n</document>'
    )
    assert (first["batch"], first["agent"]) == (["d0", "d1"], alone["agent"])
    assert "batch" not in alone
    answer(drive, "~batch-2", "d3", "d2")
    answer(drive, "~batch-1", "d0", "d1", usage=usage(21, output=5), model="gpt-test")
    succeed(drive, "d4")
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert [told["name"] for told in drive.ended["outcomes"]] == ["d0", "d1", "d2", "d3", "d4"]
    assert [told["output"] for told in drive.ended["outcomes"]] == [f"output of d{n}" for n in range(5)]
    assert [told.get("batch") for told in drive.ended["outcomes"]] == ["~batch-1"] * 2 + ["~batch-2"] * 2 + [None]
    d0, d1 = drive.ended["outcomes"][:2]
    assert d0["usage"] == {"model_calls": 1, "input_tokens": 8, "output_tokens": 3, "total_tokens": 11}
    assert d1["usage"] == {"model_calls": 0, "input_tokens": 8, "output_tokens": 2, "total_tokens": 10}
    assert (d0["attempts"], d0["hedges"], d0["model"]) == (1, 0, "gpt-test")
    assert drive.ended["usage"] == total(drive.ended)
    assert drive.ended["usage"]["model_calls"] == 3
    assert drive.context.statuses[:-1] == [{"phase": "branches", "total": 5}]


def test_parts_are_in_batches_too() -> None:
    documents = [{"id": "log", "content": "".join(f"line {n}\n" for n in range(1, 8))}, {"id": "note", "content": "n"}]
    body = {**documents_request(1), "documents": documents, "split": {"by": "lines", "size": 3}, "batch_size": 3}
    drive = start_run(map_reduce, MapReduceRequest.model_validate(body).model_dump(mode="json"))
    assert drive.child("~batch-1").input["branch"]["batch"] == ["log+1", "log+2", "log+3"]
    answer(drive, "~batch-1", "log+1", "log+2", "log+3")
    succeed(drive, "note", "~reduction")
    assert drive.ended["output"]["documents"] == ["log", "note"]


def test_the_reduction_reads_the_answers_of_batches_by_their_documents() -> None:
    drive = start(2, 2, reduce={"instructions": "Reduce."})
    answer(drive, "~batch-1", "d0", "d1")
    assert drive.child("~reduction").input["branch"]["prompt"] == (
        '<answer name="d0">\noutput of d0\n</answer>\n\n<answer name="d1">\noutput of d1\n</answer>'
    )


# --- What a batch leaves ---


def test_a_document_that_the_answer_lacks_is_called_alone() -> None:
    drive = start(3, 3)
    answer(drive, "~batch-1", "d0", "d2", usage=usage(40, output=10))
    assert instances(drive.running) == ["d1"]
    assert drive.child("d1").input["branch"]["prompt"] == '<document id="d1">\nDocument 1.\n</document>'
    drive.complete(drive.child("d1"), succeeded("d1", usage=usage(9)))
    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert [outcome_of(drive.ended, name)["usage"]["total_tokens"] for name in ("d0", "d1", "d2")] == [20, 9, 20]
    told = outcome_of(drive.ended, "d1")
    assert (told["attempts"], told["output"], told.get("batch")) == (2, "output of d1", None)
    assert drive.ended["usage"] == total(drive.ended) == {**usage(49, output=10), "model_calls": 2}


def test_an_answer_to_nothing_is_paid_by_all() -> None:
    drive = start(2, 2)
    answer(drive, "~batch-1", usage=usage(10))
    assert branch_names(drive.running) == ["d0", "d1"]
    succeed(drive, "d0", "d1")
    assert [told["usage"]["total_tokens"] for told in drive.ended["outcomes"]] == [20, 20]
    assert drive.ended["usage"]["model_calls"] == 3


def test_a_text_in_the_place_of_answers_answers_nothing() -> None:
    drive = start(2, 2)
    drive.complete(drive.child("~batch-1"), succeeded("~batch-1", "what a worker says that knows no batches"))
    assert branch_names(drive.running) == ["d0", "d1"]


def test_a_document_alone_has_attempts_of_its_own_and_fails_alone() -> None:
    drive = start(2, 2, policy={"attempts": 2})
    drive.complete(drive.child("~batch-1"), throttled("~batch-1", 1.0))
    drive.pass_time(5)
    answer(drive, "~batch-1", "d0")
    drive.complete(drive.child("d1"), throttled("d1", 1.0))
    drive.pass_time(5)
    drive.complete(drive.child("d1"), failed("d1", "refused"))
    assert instances(drive.context.children) == ["~batch-1", "~batch-1~2", "d1", "d1~2"]
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert (error_codes(drive.ended), drive.ended["missing"]) == ({"d1": "refused"}, ["d1"])
    assert [told["attempts"] for told in drive.ended["outcomes"]] == [2, 4]
    assert drive.ended["usage"] == total(drive.ended)
    assert drive.ended["usage"]["model_calls"] == 4


def test_a_batch_that_one_may_have_poisoned_is_divided_and_one_that_may_not_call_at_all_is_not() -> None:
    drive = start(4, 2)
    drive.complete(drive.child("~batch-1"), failed("~batch-1", "content_filtered"))
    drive.complete(drive.child("~batch-2"), failed("~batch-2", "not_authenticated"))
    assert branch_names(drive.running) == ["d0", "d1"]
    succeed(drive, "d0", "d1")
    assert error_codes(drive.ended) == {"d2": "not_authenticated", "d3": "not_authenticated"}
    assert [told.get("batch") for told in drive.ended["outcomes"]] == [None, None, "~batch-2", "~batch-2"]


def test_a_batch_whose_orchestration_is_lost_fails_all_of_it() -> None:
    drive = start(2, 2)
    drive.fail(drive.child("~batch-1"))
    assert statuses(drive.ended) == {"d0": "failed", "d1": "failed"}
    assert drive.ended["usage"]["model_calls"] == 1


# --- The policy counts documents ---


@pytest.mark.parametrize(("tolerated", "status"), [(1, "failed"), (2, "partial")])
def test_failures_are_counted_by_documents(tolerated: int, status: str) -> None:
    drive = start(4, 2, policy={"tolerated_failure_count": tolerated, "attempts": 1})
    drive.complete(drive.child("~batch-1"), failed("~batch-1", "not_allowed"))
    if drive.result is None and tolerated == 1:
        let_stop(drive)
    if drive.result is None:
        answer(drive, "~batch-2", "d2", "d3")
    assert drive.ended["status"] == status


def test_enough_documents_stop_the_others() -> None:
    drive = start(6, 2, policy={"min_successful": 2, "stop_early": True})
    answer(drive, "~batch-2", "d2", "d3")
    assert stops(drive) == [only("~batch-1", "~batch-3")]
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "min_successful_reached")
    assert list(statuses(drive.ended).values()) == ["cancelled"] * 2 + ["succeeded"] * 2 + ["cancelled"] * 2


def test_a_window_counts_calls() -> None:
    drive = start(6, 2, policy={"max_concurrency": 2})
    assert branch_names(drive.running) == ["~batch-1", "~batch-2"]


def test_a_cancel_keeps_the_answers_of_a_batch_and_starts_none_of_those_left() -> None:
    drive = start(4, 2, policy={"max_concurrency": 1})
    answer(drive, "~batch-1", "d0")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert statuses(drive.ended) == {"d0": "succeeded", "d1": "cancelled", "d2": "cancelled", "d3": "cancelled"}
    assert [told["attempts"] for told in drive.ended["outcomes"]] == [1, 1, 1, 1]
    assert drive.ended["usage"] == total(drive.ended)


def test_a_budget_that_a_batch_has_spent_keeps_those_left_from_their_calls() -> None:
    drive = start(4, 2, policy={"max_concurrency": 1, "max_total_tokens": 10})
    answer(drive, "~batch-1", "d1")
    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert error_codes(drive.ended) == dict.fromkeys(["d0", "d2", "d3"], "budget_exhausted")
    assert [told["attempts"] for told in drive.ended["outcomes"]] == [1, 1, 0, 0]
    assert [told.get("batch") for told in drive.ended["outcomes"]] == [None, "~batch-1", None, None]


def test_the_second_call_for_a_batch_is_paid_by_all_of_it() -> None:
    drive = start(4, 2, policy={"hedge_after_s": 1, "max_hedge_percentage": 100})
    answer(drive, "~batch-2", "d2", "d3")
    drive.pass_time(1.5)
    assert instances(drive.running) == ["~batch-1", "~batch-1~2h"]
    answer(drive, "~batch-1", "d0")
    assert stops(drive) == [only("~batch-1")]
    assert branch_names(drive.running) == ["~batch-1", "d1"]
    succeed(drive, "d1")
    assert [told["hedges"] for told in drive.ended["outcomes"]] == [1, 1, 0, 0]
    assert drive.ended["usage"]["model_calls"] == 4


# --- A redrive ---


def test_a_redrive_makes_batches_of_what_is_left() -> None:
    drive = start(5, 2, reused=[outcome("d1", batch="~batch-1"), outcome("d2")])
    assert [child.input["branch"].get("batch") for child in drive.running] == [["d0", "d3"], None]
    answer(drive, "~batch-1", "d0", "d3")
    succeed(drive, "d4")
    assert outcome_of(drive.ended, "d1") == outcome("d1", batch="~batch-1")
    assert (verdict(drive.ended), sorted(drive.ended["reused"])) == (("succeeded", "all_completed"), ["d1", "d2"])
    assert drive.ended["usage"]["model_calls"] == 2


# --- Whatever happens ---

ENDS = st.tuples(st.integers(0, 9), st.sampled_from(["answer", "some", "none", "poisoned", "forbidden", "lost"]))


@given(st.integers(1, 9), st.integers(2, 4), st.integers(1, 4), st.lists(ENDS, min_size=18, max_size=18))
def test_every_document_is_told_of_once_and_every_call_is_paid_for(
    count: int, size: int, window: int, script: list[tuple[int, str]]
) -> None:
    drive = start(count, size, policy={"attempts": 1, "max_concurrency": window})
    paid = 0
    for index, how in script:
        if drive.result is not None:
            break
        call = drive.running[index % len(drive.running)]
        paid += 0 if how == "lost" else USAGE["total_tokens"]
        end(drive, call, how)
    assert [told["name"] for told in drive.ended["outcomes"]] == [f"d{number}" for number in range(count)]
    assert drive.ended["usage"] == total(drive.ended)
    assert drive.ended["usage"]["total_tokens"] == paid
    assert drive.ended["usage"]["model_calls"] == len(drive.context.children)
    for told in drive.ended["outcomes"]:
        assert (told["output"] == f"output of {told['name']}") == (told["status"] == "succeeded")


def end(drive: Drive, call: Any, how: str) -> None:
    names = call.input["branch"].get("batch", [])
    kept = {"answer": names, "some": names[1:], "none": []}
    if how == "lost":
        drive.fail(call)
    elif how in kept and names:
        output = {name: f"output of {name}" for name in kept[how]}
        drive.complete(call, {**succeeded(call.branch), "output": output})
    elif how in kept:
        drive.complete(call, succeeded(call.branch))
    else:
        drive.complete(call, failed(call.branch, "content_filtered" if how == "poisoned" else "not_allowed"))
