"""What a run in storage would take, from a listing."""

from __future__ import annotations

from typing import Any

import pytest

from shared import stored_estimation
from shared.contracts.estimate import RunEstimate
from shared.contracts.map_reduce import MapReduceRequest
from shared.errors import StorageForbidden
from shared.estimation import estimate
from shared.stored_estimation import estimate_stored, reason_for_none
from tests.shared.memory_blobs import MemoryBlobs

AGENT = {"instructions": "read"}


def request(**fields: Any) -> MapReduceRequest:
    given = {"source": {"container": "documents"}, "map": AGENT, "reduce": AGENT, **fields}
    return MapReduceRequest.model_validate({key: value for key, value in given.items() if value is not None})


def stored(count: int, size: int = 400, *, prefix: str = "") -> MemoryBlobs:
    return MemoryBlobs({"documents": {f"{prefix}{number:05}.txt": b"x" * size for number in range(count)}})


async def estimated(blobs: MemoryBlobs, **fields: Any) -> RunEstimate:
    return await estimate_stored(blobs, request(**fields))


@pytest.mark.parametrize("batch_size", [1, 10])
@pytest.mark.parametrize("count", [1, 3, 11, 120, 499])
async def test_it_is_near_the_estimate_of_the_same_documents_in_history(count: int, batch_size: int) -> None:
    documents = [{"id": f"d{number}", "content": "x" * 400} for number in range(count)]
    inline = estimate("map_reduce", request(source=None, documents=documents, batch_size=batch_size))
    found = await estimated(stored(count), batch_size=batch_size)

    assert (found.branches, found.model_calls) == (inline.branches, inline.model_calls)
    assert found.tokens.output_tokens == inline.tokens.output_tokens
    assert found.tokens.input_tokens == pytest.approx(inline.tokens.input_tokens, rel=0.2)


@pytest.mark.parametrize("policy", [{"min_successful": 11, "stop_early": True}, {"max_total_tokens": 1}])
async def test_a_policy_that_ends_a_run_early_counts_as_in_history(policy: dict[str, Any]) -> None:
    documents = [{"id": f"d{number}", "content": "x" * 400} for number in range(30)]
    inline = estimate("map_reduce", request(source=None, documents=documents, batch_size=5, policy=policy))
    found = await estimated(stored(30), batch_size=5, policy=policy)

    assert found.model_calls == inline.model_calls
    assert found.model_calls.at_least < found.model_calls.expected


async def test_nothing_is_read_or_written() -> None:
    blobs = stored(3)
    await estimated(blobs)

    assert {operation for operation, _ in blobs.calls} == {"listed"}


async def test_only_blobs_that_the_source_means_count() -> None:
    blobs = stored(4, prefix="in/")
    blobs.containers["documents"] |= stored(2, prefix="out/").containers["documents"]
    blobs.containers["documents"] |= MemoryBlobs({"d": {"in/": b"", "in/x.csv": b"a,b"}}).containers["d"]

    assert (await estimated(blobs, source={"container": "documents", "prefix": "in/", "glob": "*.txt"})).branches == 4
    assert (await estimated(blobs, source={"container": "documents", "prefix": "in/", "limit": 3})).branches == 3


async def test_batches_take_fewer_calls() -> None:
    found = await estimated(stored(25), batch_size=10)

    assert found.branches == 25
    assert found.model_calls.expected == 3 + 1
    assert found.model_calls.at_most >= 3 * (3 + 25)


async def test_parts_of_long_documents_are_counted() -> None:
    found = await estimated(stored(2, 4_000), split={"by": "tokens", "size": 400, "overlap": 100})

    assert found.branches == 2 * 3
    assert (await estimated(stored(2, 1_600), split={"by": "tokens", "size": 400})).branches == 2


async def test_a_reduction_of_many_is_scaled_up_from_a_sample() -> None:
    reduce = {"type": "tree", "agent": AGENT, "max_fan_in": 10}
    few = await estimated(stored(500), reduce=reduce)
    many = await estimated(stored(5_000), reduce=reduce)

    assert few.model_calls.expected == 500 + 50 + 5 + 1
    assert many.model_calls.expected == 5_000 + 500 + 50 + 5 + 1


async def test_a_reduction_without_calls_costs_nothing() -> None:
    found = await estimated(stored(600), reduce="concatenate")

    assert found.model_calls.expected == 600


async def test_of_more_blobs_than_it_looks_at_it_is_a_lower_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_estimation, "MAX_LISTED", 5_000)

    found = await estimated(stored(5_001, 10), reduce="concatenate")

    assert found.is_lower_bound
    assert found.model_dump()["is_lower_bound"] is True
    assert "is_lower_bound" not in (await estimated(stored(5))).model_dump()


async def test_an_empty_source_takes_nothing() -> None:
    found = await estimated(stored(0))

    assert (found.branches, found.model_calls.at_most, found.tokens.total_tokens) == (0, 0, 0)


async def test_a_container_that_is_not_there_is_an_error() -> None:
    with pytest.raises(StorageForbidden):
        await estimated(MemoryBlobs())


@pytest.mark.parametrize(
    ("fields", "available"),
    [
        ({}, True),
        ({"source": {"container": "documents", "format": "markdown"}}, True),
        ({"source": {"container": "documents", "format": "jsonl"}}, False),
        ({"source": {"container": "documents", "format": "csv"}}, False),
        ({"split": {"by": "characters", "size": 1_000}}, True),
        ({"split": {"by": "lines", "size": 10}}, False),
    ],
)
def test_what_only_reading_tells_has_no_estimate(fields: dict[str, Any], available: bool) -> None:
    assert (reason_for_none(request(**fields)) is None) is available
