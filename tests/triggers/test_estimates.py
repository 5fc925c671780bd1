"""What a run would take: checked as a start is (see test_start.py), and never started."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from shared.contracts.base import MAX_BODY_BYTES
from shared.contracts.estimate import RunEstimate
from shared.errors import StorageUnavailable
from shared.settings import CHORUS_SINK_CONTAINERS, CHORUS_SOURCE_CONTAINERS, CHORUS_STORAGE
from tests.shared.memory_blobs import MemoryBlobs
from tests.triggers.requests import JSON, json_of, post, problem_of, sections
from triggers.estimates import estimate_map_reduce, estimate_sectioning, estimate_voting

AGENT = {"instructions": "read"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
BODIES: dict[str, JSON] = {
    "sectioning": sections("a", "b"),
    "voting": {"question": "Is it safe?"},
    "map-reduce": {"documents": [{"id": "one", "content": "text"}], "map": AGENT, "reduce": AGENT},
}
ESTIMATES: dict[str, Any] = {
    "sectioning": estimate_sectioning, "voting": estimate_voting, "map-reduce": estimate_map_reduce,
}  # fmt: skip


async def estimated(route: str, body: Any) -> RunEstimate:
    answer = await ESTIMATES[route](post(f"{route}/estimate", body))
    assert answer.status_code == 200, answer.get_body()
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return RunEstimate.model_validate(json_of(answer))


@pytest.mark.parametrize("route", ESTIMATES)
def test_an_estimate_has_no_client_that_could_start_anything(route: str) -> None:
    assert list(inspect.signature(ESTIMATES[route]).parameters) == ["req"]


@pytest.mark.parametrize(("route", "branches", "calls"), [("sectioning", 2, 3), ("voting", 5, 5), ("map-reduce", 1, 2)])
async def test_each_pattern_has_its_branches_and_its_aggregation(route: str, branches: int, calls: int) -> None:
    found = await estimated(route, BODIES[route])

    assert (found.pattern, found.branches) == (route.replace("-", "_"), branches)
    assert found.model_calls.expected == calls
    assert found.model_calls.at_most >= 3 * calls
    assert found.within_budget is None


@pytest.mark.parametrize(
    ("policy", "followed"), [({}, (120, 900)), ({"deadline_s": 50}, (50, 50)), ({"branch_timeout_s": 3}, (3, 900))]
)
async def test_the_policy_is_the_one_that_a_run_would_follow(policy: JSON, followed: tuple[int, int]) -> None:
    found = await estimated("voting", {**BODIES["voting"], "policy": policy})

    assert (found.policy.branch_timeout_s, found.policy.deadline_s) == followed


async def test_what_was_sent_is_not_sent_back() -> None:
    answer = await estimate_voting(post("voting/estimate", {"question": "PRIVATE"}))

    assert b"PRIVATE" not in answer.get_body()


@pytest.mark.parametrize("route", ESTIMATES)
async def test_a_body_of_the_largest_size_is_estimated(route: str) -> None:
    await estimated(route, json.dumps(BODIES[route]).encode().ljust(MAX_BODY_BYTES))


async def test_a_megabyte_of_documents_is_estimated() -> None:
    schema = {**SCHEMA, "description": "x" * 30_000}
    documents = [{"id": f"d{number}", "content": "x" * 950} for number in range(1_000)]
    body = {"documents": documents, "map": {**AGENT, "output_schema": schema}, "reduce": AGENT}
    assert MAX_BODY_BYTES * 0.95 < len(json.dumps(body)) < MAX_BODY_BYTES

    found = await estimated("map-reduce", body)

    assert (found.model_calls.at_least, found.model_calls.expected) == (1_001, 1_010)
    assert found.tokens.input_tokens > 1_000 * (30_000 + 950) / 4


async def test_an_estimate_counts_the_parts_of_documents_and_what_they_repeat() -> None:
    document = {"id": "log", "content": "".join(f"line {number}\n" for number in range(100))}
    whole = {"documents": [document], "map": AGENT, "reduce": AGENT}
    parts = {**whole, "split": {"by": "lines", "size": 20, "overlap": 10}}

    found = await estimated("map-reduce", parts)

    assert (found.branches, found.model_calls.expected) == (9, 10)
    assert found.tokens.input_tokens > (await estimated("map-reduce", whole)).tokens.input_tokens


async def test_a_split_into_too_many_parts_is_400_at_split() -> None:
    document = {"id": "log", "content": "x\n" * 1_001}
    body = {"documents": [document], "map": AGENT, "reduce": AGENT, "split": {"by": "lines", "size": 1}}

    problem = problem_of(await estimate_map_reduce(post("map-reduce/estimate", body)), 400, "invalid_request")

    assert [error["path"] for error in problem["errors"]] == ["split"]
    assert "1,001 branches" in problem["detail"]


# In storage

STORED = {"source": {"container": "documents"}, "map": AGENT, "reduce": AGENT}


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> MemoryBlobs:
    """Three documents in storage, and settings that allow to read them."""
    monkeypatch.setenv(CHORUS_STORAGE, "UseDevelopmentStorage=true")
    monkeypatch.setenv(CHORUS_SOURCE_CONTAINERS, "documents,gone")
    monkeypatch.setenv(CHORUS_SINK_CONTAINERS, "results")
    blobs = MemoryBlobs({"documents": {f"{name}.txt": b"text" for name in "abc"}})
    monkeypatch.setattr("triggers.estimates.shared_blobs", lambda: blobs)
    return blobs


async def test_documents_in_storage_are_counted_by_a_listing(documents: MemoryBlobs) -> None:
    found = await estimated("map-reduce", STORED)

    assert (found.branches, found.model_calls.expected) == (3, 4)
    assert documents.calls == [("listed", "")]


@pytest.mark.usefixtures("documents")
async def test_records_have_no_estimate_because_they_are_not_read() -> None:
    body = {**STORED, "source": {"container": "documents", "format": "jsonl"}}
    answer = await estimate_map_reduce(post("map-reduce/estimate", body))

    assert "'jsonl'" in problem_of(answer, 400, "estimate_not_available")["detail"]


@pytest.mark.usefixtures("documents")
async def test_a_source_that_is_not_there_is_told() -> None:
    answer = await estimate_map_reduce(post("map-reduce/estimate", {**STORED, "source": {"container": "gone"}}))

    assert "'gone'" in problem_of(answer, 400, "source_not_usable")["detail"]


async def test_storage_that_does_not_answer_is_503(documents: MemoryBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def listed(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("no answer")

    monkeypatch.setattr(documents, "listed", listed)
    answer = await estimate_map_reduce(post("map-reduce/estimate", STORED))

    problem_of(answer, 503, "storage_unavailable")


@pytest.mark.usefixtures("documents")
async def test_an_estimate_lists_no_container_that_a_run_may_not_read() -> None:
    answer = await estimate_map_reduce(post("map-reduce/estimate", {**STORED, "source": {"container": "secrets"}}))

    problem_of(answer, 403, "container_not_allowed")
