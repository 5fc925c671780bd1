"""Calls of a map in storage: blobs in memory, and the offline model over HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest

from local_host.offline_model import OfflineModel
from shared.contracts.base import MAX_TEXT_CHARS
from shared.contracts.branch import Usage
from shared.contracts.work import TextPlace, UnitCall, UnitReply
from shared.errors import AgentError, DocumentChanged, DocumentGone, StorageUnavailable
from shared.model_client import OpenAIModel
from shared.reading import read_unit
from shared.settings import ModelSettings
from shared.stored_names import document_blob
from shared.stored_requests import StoredRequests
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_runs import (
    AGENT,
    FOLDER,
    TEXTS,
    call,
    put,
    put_answer,
    result,
    results,
    storage,
    work,
)

ALL = tuple(TEXTS)
COUNT: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}


class Reader:
    """What a worker process has: a model, and the requests that it has read."""

    def __init__(self, offline: OfflineModel, model: OpenAIModel) -> None:
        self.offline = offline
        self._model = model
        self._requests = StoredRequests()

    async def __call__(self, blobs: MemoryBlobs, given: UnitCall) -> UnitReply:
        async with asyncio.timeout(20):
            return await read_unit(blobs, self._model, self._requests, given)


@pytest.fixture
async def read() -> AsyncIterator[Reader]:
    async with OfflineModel(directed_faults=True, directed_answers=True) as offline:
        model = OpenAIModel(ModelSettings("compatible", "offline", "responses", offline.base_url))
        yield Reader(offline, model)
        await model.close()


def says(*items: tuple[int, Any]) -> str:
    """A marker that makes the offline model give these answers to a batch."""
    answer = {"answers": [{"number": number, "answer": answer} for number, answer in items]}
    return f"[[answer:{json.dumps(answer)}]]"


def with_agent(instructions: str, texts: Any = TEXTS, **fields: Any) -> MemoryBlobs:
    return storage(texts, {"instructions": instructions, **fields})


def code_of(reply: UnitReply) -> str:
    assert reply.error is not None
    return reply.error.code


# One document


async def test_a_document_is_read_and_its_answer_written(read: Reader) -> None:
    blobs = storage()

    reply = await read(blobs, call("disk.txt"))

    assert (reply.error, reply.unanswered) == (None, [])
    written = result(blobs, "disk.txt")
    assert isinstance(written.output, str)
    assert "disk" in written.output
    assert written.usage == reply.usage
    assert reply.usage.model_calls == 1
    assert (written.status, written.model, written.batch, written.attempt) == (
        "succeeded", "offline-extractive", None, 1,
    )  # fmt: skip
    text = TEXTS["disk.txt"].encode()
    assert (written.source.sha256, written.source.bytes) == (sha256(text).hexdigest(), len(text))
    assert (written.source.container, written.source.blob) == ("documents", "disk.txt")


async def test_a_part_is_a_range_of_a_text_of_the_run(read: Reader) -> None:
    blobs = storage()
    put(blobs, f"{FOLDER.name}parts/00001.txt", "först. Über the disk: it was full. zuletzt".encode())
    place = TextPlace(blob="parts/00001.txt", offset=8, length=28)
    part = work("log+2", text=place, document="log", blob=None, part=2, of=3, first_line=4, last_line=5)

    reply = await read(blobs, call(part))

    assert reply.error is None
    written = result(blobs, "log+2")
    assert (written.id, written.name, written.part, written.of) == ("log", "log+2", 2, 3)
    assert (written.first_line, written.last_line) == (4, 5)
    assert written.output == "Über the disk: it was full."
    assert written.source.container is None


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (gzip.compress(b"The disk was full.", mtime=0), None),
        ("The disk was full.".encode("utf-16"), None),
        (b"\xef\xbb\xbfThe disk was full.", None),
        ("The disk was full.".encode("utf-16-le"), "utf-16-le"),
    ],
)
async def test_a_text_is_read_in_its_encoding(read: Reader, data: bytes, encoding: str | None) -> None:
    blobs = storage({"a.txt": data})
    place = TextPlace(container="documents", blob="a.txt", encoding=encoding)

    assert (await read(blobs, call(work("a.txt", text=place)))).error is None
    assert result(blobs, "a.txt").output == "The disk was full."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\x01\x02\xff", "source.encoding"),
        (b" \n\t", "it is empty"),
        (b"", "it is empty"),
        (b"x" * (MAX_TEXT_CHARS + 1), "200,001 characters"),
        (b"x" * (4 * MAX_TEXT_CHARS + 5), "at most 800,000 are read: split it"),
        (gzip.compress(b"x" * 10_000_000, mtime=0), "more than 800,000 bytes"),
        (gzip.compress(b"The disk was full.", mtime=0)[:-4], "gzip"),
    ],
)
async def test_what_is_no_text_for_an_agent_fails_without_a_call(read: Reader, data: bytes, reason: str) -> None:
    blobs = storage({"a.txt": data})

    reply = await read(blobs, call("a.txt"))

    assert code_of(reply) == "document_unreadable"
    assert reply.error is not None
    assert reason in reply.error.message
    assert not reply.error.retriable
    assert reply.usage == Usage()
    assert read.offline.calls == 0


async def test_a_document_that_could_not_be_planned_fails_with_its_problem(read: Reader) -> None:
    reply = await read(storage(), call(work("disk.txt", problem="line 7 is no JSON")))

    assert (code_of(reply), reply.error and reply.error.message) == ("document_unreadable", "line 7 is no JSON")
    assert read.offline.calls == 0


async def test_a_document_that_was_deleted_or_written_again_fails(read: Reader) -> None:
    blobs = storage()
    etag = blobs.containers["documents"]["disk.txt"].etag
    place = TextPlace(container="documents", blob="disk.txt", etag=etag)
    await blobs.write("documents", "disk.txt", b"Another text.")

    assert code_of(await read(blobs, call(work("disk.txt", text=place)))) == DocumentChanged.code
    assert code_of(await read(blobs, call("gone.txt"))) == DocumentGone.code
    blobs.forbidden.add("documents")
    assert code_of(await read(blobs, call("disk.txt"))) == "storage_forbidden"
    assert read.offline.calls == 0


async def test_a_text_of_the_run_that_is_cut_off_is_not_read_as_a_shorter_one(read: Reader) -> None:
    blobs = storage()
    put(blobs, f"{FOLDER.name}parts/00001.txt", b"The disk was")
    part = work("log+1", text=TextPlace(blob="parts/00001.txt", length=18), document="log")

    assert code_of(await read(blobs, call(part))) == DocumentChanged.code


@pytest.mark.parametrize(
    ("marker", "code", "retriable"),
    [
        ("[[fault:throttle:7]]", "rate_limited", True),
        ("[[fault:unauthorized]]", "not_authenticated", False),
        ("[[fault:refusal]]", "refused", False),
    ],
)
async def test_a_failure_of_the_model_is_data(read: Reader, marker: str, code: str, retriable: bool) -> None:
    blobs = storage({"a.txt": f"The disk was full. {marker}"})

    reply = await read(blobs, call("a.txt"))

    assert code_of(reply) == code
    assert reply.error is not None
    assert reply.error.retriable == retriable
    assert reply.retry_after_s == (7.0 if code == "rate_limited" else None)
    assert reply.usage.model_calls == 1
    assert results(blobs) == []


async def test_after_its_deadline_nothing_is_read_and_nobody_asked(read: Reader) -> None:
    blobs = storage()

    reply = await read(blobs, call("disk.txt", within_s=-1.0))

    assert (code_of(reply), reply.usage) == ("call_timed_out", Usage())
    assert ("read", "disk.txt") not in blobs.calls
    assert read.offline.calls == 0


async def test_a_storage_that_hangs_takes_no_longer_than_the_call_has(read: Reader) -> None:
    class Hanging(MemoryBlobs):
        async def read(self, *_: Any, **__: Any) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    reply = await read(Hanging(), call("disk.txt", within_s=0.05))

    assert (code_of(reply), reply.usage) == ("call_timed_out", Usage())


# What is written once


async def test_the_first_answer_stands(read: Reader) -> None:
    blobs = storage()
    line = put_answer(blobs, "disk.txt", "the first answer")

    reply = await read(blobs, call("disk.txt"))

    assert reply.error is None
    assert blobs.contents("results")[document_blob(FOLDER, "disk.txt")] == line


async def test_a_later_attempt_does_not_pay_for_what_is_answered(read: Reader) -> None:
    blobs = storage()
    put_answer(blobs, "disk.txt")
    put_answer(blobs, "search.txt")

    reply = await read(blobs, call(*ALL, attempt=2))

    assert (reply.error, reply.unanswered) == (None, [])
    assert read.offline.calls == 1
    assert result(blobs, "shop/certificate.txt").batch is None
    assert result(blobs, "disk.txt").output == "fine"

    again = await read(blobs, call(*ALL, attempt=3))
    assert (again, read.offline.calls) == (UnitReply(), 1)


async def test_an_answer_that_cannot_be_written_is_a_failure_that_has_its_cost(read: Reader) -> None:
    class Full(MemoryBlobs):
        async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
            raise StorageUnavailable("Blob Storage did not answer")

    blobs = Full()
    blobs.containers = storage().containers

    reply = await read(blobs, call("disk.txt"))

    assert code_of(reply) == "storage_unavailable"
    assert reply.error is not None
    assert reply.error.retriable
    assert reply.usage.model_calls == 1


async def test_documents_whose_names_are_nearly_alike_have_results_of_their_own(read: Reader) -> None:
    names = ["a b.txt", "a+b.txt", "a#b.txt", "a%20b.txt", "../a.txt", "ä.txt"]
    blobs = storage({name: f"The disk of {number} was full." for number, name in enumerate(names)})

    for name in names:
        assert (await read(blobs, call(name))).error is None

    assert len(results(blobs)) == len(names)
    assert [result(blobs, name).output for name in names] == [f"The disk of {n} was full." for n in range(len(names))]


# Batches


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


# The request of a run


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
