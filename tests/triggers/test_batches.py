"""What is told of documents in batches before their run tells it, or when it could not."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.branch import Usage
from shared.contracts.run import RunResult, RunView
from tests.triggers.handlers import ask
from tests.triggers.requests import (
    JSON,
    USAGE,
    child,
    failure,
    json_of,
    orchestration,
    outcome,
    report,
    run_input,
    said,
)

AGENT = {"instructions": "read"}


def request(count: int = 4) -> JSON:
    documents = [{"id": f"d{number}", "content": "text"} for number in range(count)]
    return {"documents": documents, "map": AGENT, "reduce": "concatenate", "batch_size": 2, "policy": {"attempts": 2}}


def run(status: str, **fields: Any) -> Any:
    told = {"phase": "branches", "total": 4}
    return orchestration(status, name="map_reduce", **{"given": run_input(request()), "custom_status": told, **fields})


def call(name: str, status: str = "COMPLETED", after_s: float = 0, *, of: str = "01", **fields: Any) -> Any:
    """A call for the batch `~batch-1` of the documents `of` these numbers."""
    branch = {"name": "~batch-1", "agent": AGENT, "prompt": "text", "batch": [f"d{number}" for number in of]}
    given = {"run_id": "run", "branch": branch, "number": 1, "deadline": said(60)}
    return child(name, status, after_s, given=given, **fields)


def answered(*documents: str, **fields: Any) -> JSON:
    return report(output={name: f"output of {name}" for name in documents}, **fields)


async def view(*states: Any) -> RunView:
    return RunView.model_validate(json_of(await ask("VIEW", run("RUNNING"), *states)))


async def result(*states: Any, **fields: Any) -> RunResult:
    return RunResult.model_validate(json_of(await ask("GET", run("TERMINATED", **fields), *states)))


# --- The view ---


@pytest.mark.parametrize(
    ("calls", "status"),
    [
        ([call("~batch-1", "PENDING")], "pending"),
        ([call("~batch-1", "RUNNING")], "running"),
        ([call("~batch-1", output=failure())], "retrying"),
        ([call("~batch-1", output=failure()), call("~batch-1~2", "RUNNING", 3)], "running"),
        ([call("~batch-1", output=answered("d0", "d1"))], "succeeded"),
        ([call("~batch-1", output=answered())], "retrying"),
        ([call("~batch-1", output=failure("content_filtered", retriable=False))], "retrying"),
        ([call("~batch-1", output=failure("not_allowed", retriable=False))], "failed"),
        ([call("~batch-1", output=failure()), call("~batch-1~2", after_s=3, output=failure())], "failed"),
        ([call("~batch-1", "FAILED", error="ValueError")], "failed"),
    ],
)
async def test_documents_share_the_state_of_their_batch(calls: list[Any], status: str) -> None:
    seen = await view(*calls)

    assert [(branch.name, branch.status, branch.attempts) for branch in seen.branches] == [
        ("d0", status, len(calls)), ("d1", status, len(calls)),
    ]  # fmt: skip
    assert (seen.progress.total, seen.progress.done + seen.progress.running) == (4, 2)
    assert seen.progress.succeeded == 2 * (status == "succeeded")
    assert (seen.branches[0].ended_at is None) == (status in {"pending", "running", "retrying"})


async def test_a_document_that_a_batch_has_left_is_told_of_with_its_own_calls() -> None:
    seen = await view(
        call("~batch-1", output=answered("d0")),
        child("d1", "RUNNING", 2),
        child("d2", "RUNNING", 1),
        child("~reduction", "RUNNING", 3),
    )

    assert [(branch.name, branch.status, branch.attempts) for branch in seen.branches] == [
        ("d0", "succeeded", 1), ("d1", "running", 2), ("d2", "running", 1), ("~reduction", "running", 1),
    ]  # fmt: skip
    assert [branch.usage.total_tokens for branch in seen.branches] == [15, 0, 0, 0]
    assert seen.branches[1].started_at == seen.branches[0].started_at


async def test_what_calls_cost_is_divided_and_adds_up() -> None:
    seen = await view(call("~batch-1", output=failure()), call("~batch-1~2", after_s=3, output=answered("d1")))

    assert [branch.usage.total_tokens for branch in seen.branches] == [8, 7 + 15]
    assert seen.usage == Usage.model_validate({name: 2 * amount for name, amount in USAGE.items()})


async def test_a_batch_of_another_version_is_shown_as_one_and_not_counted() -> None:
    seen = await view(child("~batch-1", "RUNNING", given={"branch": "?"}))

    assert ([branch.name for branch in seen.branches], seen.progress.running) == (["~batch-1"], 0)


# --- The result of a run that died ---


async def test_answers_of_batches_are_kept_and_the_others_have_the_run_s_error() -> None:
    found = await result(
        call("~batch-1", output=answered("d0"), of="012"),
        child("d1", after_s=2, output=report(output="alone")),
    )

    assert [(told.name, told.status, told.output, told.batch) for told in found.outcomes] == [
        ("d0", "succeeded", "output of d0", "~batch-1"), ("d1", "succeeded", "alone", None),
        ("d2", "cancelled", None, None), ("d3", "cancelled", None, None),
    ]  # fmt: skip
    assert [told.attempts for told in found.outcomes] == [1, 2, 1, 0]
    assert (found.aggregation, found.missing) == (None, ["d2", "d3"])
    assert found.usage == sum((told.usage for told in found.outcomes), start=Usage())
    assert found.usage.model_calls == 2


async def test_a_batch_under_way_and_one_that_failed_fail_all_of_theirs() -> None:
    for of_calls, code in (
        ([call("~batch-1", "RUNNING")], "terminated"),
        ([call("~batch-1", output=failure("not_allowed", retriable=False))], "not_allowed"),
    ):
        found = await result(*of_calls)
        assert [told.error.code if told.error else None for told in found.outcomes[:2]] == [code, code]
        assert [told.output for told in found.outcomes] == [None] * 4
        assert found.usage.model_calls == 1


async def test_a_redrive_that_died_has_what_it_took_over_and_its_own_batches() -> None:
    found = await result(
        call("~batch-1", output=answered("d0", "d3"), of="03"), given=run_input(request(), reused=[outcome("d1")])
    )

    assert [(told.name, told.status) for told in found.outcomes] == [
        ("d0", "succeeded"), ("d1", "succeeded"), ("d2", "cancelled"), ("d3", "succeeded"),
    ]  # fmt: skip
    assert (found.reused, found.usage.total_tokens) == (["d1"], 15)
