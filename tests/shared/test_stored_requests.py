"""The requests of runs in storage, which a process reads once and keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.errors import AgentError
from shared.stored_requests import StoredRequests
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.reading_given import ALL, Reader, code_of, reader
from tests.shared.stored_runs import AGENT, FOLDER, call, put, storage


@pytest.fixture
async def read() -> AsyncIterator[Reader]:
    async with reader() as made:
        yield made


async def test_a_request_is_read_once_for_all_calls_of_a_process(read: Reader) -> None:
    blobs = storage()

    await asyncio.gather(*(read(blobs, call(name)) for name in ALL))
    await read(blobs, call("disk.txt"))

    assert blobs.calls.count(("read", f"{FOLDER.name}request.json")) == 1


async def test_a_request_that_could_not_be_read_is_asked_for_again() -> None:
    blobs, requests = storage(), StoredRequests()
    blobs.forbidden.add("results")
    with pytest.raises(AgentError):
        await requests.of(blobs, FOLDER)
    blobs.forbidden.clear()

    assert (await requests.of(blobs, FOLDER)).agent.instructions == AGENT["instructions"]


async def test_a_call_that_is_given_up_does_not_take_the_request_from_the_others() -> None:
    blobs, requests = storage(), StoredRequests()
    first = asyncio.create_task(requests.of(blobs, FOLDER))
    second = asyncio.create_task(requests.of(blobs, FOLDER))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).container == "documents"
    assert first.cancelled() or first.cancelling()


async def test_only_the_latest_requests_are_kept() -> None:
    blobs, requests = storage(), StoredRequests(most=2)
    data = blobs.contents("results")[f"{FOLDER.name}request.json"]
    others = [FOLDER.model_copy(update={"name": f"runs/{number}/"}) for number in range(3)]
    for other in others:
        put(blobs, f"{other.name}request.json", data)

    for other in [*others, others[2], others[0]]:
        await requests.of(blobs, other)

    assert blobs.calls == [("read", f"runs/{number}/request.json") for number in (0, 1, 2, 0)]


async def test_a_run_whose_request_is_gone_has_calls_that_fail_for_good(read: Reader) -> None:
    assert code_of(await read(MemoryBlobs({"results": {}}), call("disk.txt"))) == "document_gone"
