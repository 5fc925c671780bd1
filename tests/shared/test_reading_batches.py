"""Calls of a map in storage that read several documents at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.contracts.branch import Usage
from shared.contracts.work import TextPlace
from shared.errors import StorageUnavailable
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.reading_given import ALL, Reader, code_of, reader
from tests.shared.stored_runs import AGENT, FOLDER, TEXTS, call, put, result, results, storage, work

COUNT: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.fixture
async def read() -> AsyncIterator[Reader]:
    async with reader() as made:
        yield made


def says(*items: tuple[int, Any]) -> str:
    """A marker that makes the offline model give these answers to a batch."""
    answer = {"answers": [{"number": number, "answer": answer} for number, answer in items]}
    return f"[[answer:{json.dumps(answer)}]]"


def with_agent(instructions: str, texts: Any = TEXTS, **fields: Any) -> MemoryBlobs:
    return storage(texts, {"instructions": instructions, **fields})


async def test_a_batch_is_one_call_whose_cost_is_divided(read: Reader) -> None:
    blobs = storage()

    reply = await read(blobs, call(*ALL))

    assert (reply.error, reply.unanswered) == (None, [])
    assert (read.offline.calls, reply.usage.model_calls) == (1, 1)
    written = [result(blobs, name) for name in ALL]
    assert [one.batch for one in written] == ["1.1"] * 3
    for one, word in zip(written, ["disk", "customers", "search"], strict=True):
        assert word in str(one.output)
    assert sum((one.usage for one in written), start=Usage()) == reply.usage
    assert reply.usage.total_tokens > 0


async def test_parts_of_one_document_in_a_batch_are_told_apart(read: Reader) -> None:
    blobs = storage()
    put(blobs, f"{FOLDER.name}parts/00001.txt", b"The disk was full. The job had hung. ")
    parts = [
        work(f"log+{n}", text=TextPlace(blob="parts/00001.txt", offset=o, length=18), document="log", part=n, of=2)
        for n, o in ((1, 0), (2, 19))
    ]

    assert (await read(blobs, call(*parts))).unanswered == []
    assert [result(blobs, part.name).output for part in parts] == ["The disk was full.", "The job had hung."]


@pytest.mark.parametrize(
    ("marker", "unanswered"),
    [
        (says((1, "one"), (3, "three")), ["shop/certificate.txt"]),
        (says((1, "one"), (2, "two"), (2, "two"), (3, "three")), ["shop/certificate.txt"]),
        (says((1, "one"), (2, " "), (3, "three")), ["shop/certificate.txt"]),
        (says((4, "four"), (1, "one"), (2, "two"), (3, "three"), (0, "none")), []),
        (says((9, "nine")), list(ALL)),
    ],
)
async def test_what_a_batch_leaves_unanswered_costs_the_others_nothing(
    read: Reader, marker: str, unanswered: list[str]
) -> None:
    blobs = with_agent(f"Summarise. {marker}")

    reply = await read(blobs, call(*ALL))

    assert (reply.error, reply.unanswered) == (None, unanswered)
    answered = [name for name in ALL if name not in unanswered]
    assert results(blobs) == sorted(f"{name}.json" for name in answered)
    assert reply.usage.model_calls == 1
    if answered:
        assert sum((result(blobs, name).usage for name in answered), start=Usage()) == reply.usage


async def test_an_invalid_answer_in_a_batch_fails_alone_and_is_not_repaired(read: Reader) -> None:
    marker = says((1, {"n": 1}), (2, {"n": "two"}), (3, {"n": 3}))
    blobs = with_agent(f"Count. {marker}", output_schema=COUNT)

    reply = await read(blobs, call(*ALL))

    assert reply.unanswered == ["shop/certificate.txt"]
    assert read.offline.calls == 1
    assert [result(blobs, name).output for name in ("disk.txt", "search.txt")] == [{"n": 1}, {"n": 3}]


async def test_an_answer_that_is_no_batch_is_repaired_once_and_then_fails_for_good(read: Reader) -> None:
    blobs = with_agent('Count. [[answer:{"n": 1}]]', output_schema=COUNT)

    reply = await read(blobs, call(*ALL))

    assert code_of(reply) == "invalid_output"
    assert reply.error is not None
    assert not reply.error.retriable
    assert reply.usage.model_calls == read.offline.calls == 2
    assert results(blobs) == []


async def test_a_batch_without_tokens_left_is_not_repaired(read: Reader) -> None:
    blobs = with_agent('Count. [[answer:{"n": 1}]]', output_schema=COUNT)

    assert code_of(await read(blobs, call(*ALL, max_tokens=1))) == "invalid_output"
    assert read.offline.calls == 1


async def test_structured_answers_of_a_batch_fit_the_agent_s_schema(read: Reader) -> None:
    blobs = with_agent(AGENT["instructions"], output_schema=COUNT)

    assert (await read(blobs, call(*ALL))).unanswered == []
    assert [result(blobs, name).output for name in ALL] == [{"n": 3}, {"n": 12}, {"n": 6}]


async def test_a_document_of_a_batch_that_cannot_be_read_is_left_for_a_call_of_its_own(read: Reader) -> None:
    blobs = storage({**TEXTS, "binary.txt": b"\x00\x01"})
    bad = work("bad.txt", problem="it has no bytes")

    reply = await read(blobs, call("disk.txt", "binary.txt", bad, "gone.txt", "search.txt"))

    assert (reply.error, reply.unanswered) == (None, ["binary.txt", "bad.txt", "gone.txt"])
    assert [result(blobs, name).batch for name in ("disk.txt", "search.txt")] == ["1.1", "1.1"]
    assert code_of(await read(blobs, call("binary.txt"))) == "document_unreadable"


async def test_a_batch_of_which_one_document_is_left_asks_about_it_alone(read: Reader) -> None:
    blobs = storage()

    reply = await read(blobs, call("gone.txt", "disk.txt"))

    assert reply.unanswered == ["gone.txt"]
    assert result(blobs, "disk.txt").batch is None


async def test_a_batch_that_has_nothing_to_read_asks_nobody(read: Reader) -> None:
    reply = await read(storage(), call("gone.txt", "lost.txt"))

    assert (reply.unanswered, reply.usage) == (["gone.txt", "lost.txt"], Usage())
    assert read.offline.calls == 0


async def test_a_storage_that_is_down_for_one_document_of_a_batch_fails_the_call_before_it_is_paid(
    read: Reader,
) -> None:
    class Shaky(MemoryBlobs):
        async def read(self, container: str, name: str, **where: Any) -> bytes:
            if name == "search.txt":
                raise StorageUnavailable("Blob Storage did not answer")
            return await super().read(container, name, **where)

    blobs = Shaky()
    blobs.containers = storage().containers

    reply = await read(blobs, call(*ALL))

    assert code_of(reply) == "storage_unavailable"
    assert read.offline.calls == 0


async def test_a_failed_call_of_a_batch_fails_the_batch_and_writes_nothing(read: Reader) -> None:
    blobs = storage({**TEXTS, "poison.txt": "This one is poisonous. [[fault:refusal]]"})

    reply = await read(blobs, call("disk.txt", "poison.txt"))

    assert (code_of(reply), results(blobs)) == ("refused", [])


async def test_a_batch_that_is_cut_off_fails_for_good(read: Reader) -> None:
    blobs = with_agent("Write much.", dict.fromkeys(ALL, "Words and more words. " * 200), max_output_tokens=16)
    marker = says(*[(number, "x" * 1_000) for number in (1, 2, 3)])
    blobs = with_agent(f"Write much. {marker}", max_output_tokens=16)

    reply = await read(blobs, call(*ALL))

    assert code_of(reply) == "invalid_output"
    assert reply.error is not None
    assert "cut off by max_output_tokens" in reply.error.message
