"""Calls of a map in storage: blobs in memory, and the offline model over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest

from shared.contracts.base import MAX_TEXT_CHARS
from shared.contracts.branch import Usage
from shared.contracts.work import TextPlace, UnitReply
from shared.errors import DocumentChanged, DocumentGone, StorageUnavailable
from shared.stored_names import document_blob
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.reading_given import ALL, Reader, code_of, reader
from tests.shared.stored_runs import FOLDER, TEXTS, call, put, put_answer, result, results, storage, work


@pytest.fixture
async def read() -> AsyncIterator[Reader]:
    async with reader() as made:
        yield made


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
