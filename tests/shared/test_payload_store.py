"""Tokens in place of large payloads: only those that the store made are followed."""

from __future__ import annotations

import asyncio
import json

import pytest
from durabletask.internal.orchestrator_service_pb2 import ActivityRequest
from durabletask.payload import deexternalize_payloads, externalize_payloads
from google.protobuf.wrappers_pb2 import StringValue

from shared.payload_store import TOKEN_PREFIX, BlobPayloads
from tests.shared.memory_blobs import MemoryBlobs

OWN = "chorus-payloads"
HEX = "0123456789abcdef" * 2
LARGE = json.dumps({"text": "ä" * 1000})


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs({"results": {HEX: b"secret", "secret.txt": b"secret"}, OWN: {}})


@pytest.fixture
def store(blobs: MemoryBlobs) -> BlobPayloads:
    return BlobPayloads(blobs, threshold_bytes=500)


def request_with(payload: str) -> ActivityRequest:
    return ActivityRequest(input=StringValue(value=payload))


def test_a_large_payload_becomes_a_token_and_comes_back(store: BlobPayloads, blobs: MemoryBlobs) -> None:
    request = request_with(LARGE)
    externalize_payloads(request, store, instance_id="run:branch~2")

    [name] = blobs.contents(OWN)
    assert request.input.value == TOKEN_PREFIX + name
    assert name.startswith("run:branch~2/")
    assert len(blobs.contents(OWN)[name]) < len(LARGE)

    deexternalize_payloads(request, store)
    assert request.input.value == LARGE


def test_a_small_payload_stays(store: BlobPayloads, blobs: MemoryBlobs) -> None:
    request = request_with('{"text": "small"}')
    externalize_payloads(request, store)

    assert (request.input.value, blobs.calls) == ('{"text": "small"}', [])


async def test_loops_and_threads_may_share_a_store(store: BlobPayloads) -> None:
    token = await store.upload_async(b"one", instance_id="run")
    other = await asyncio.to_thread(store.upload, b"two")

    assert await asyncio.to_thread(store.download, token) == b"one"
    assert await store.download_async(other) == b"two"


@pytest.mark.parametrize(
    "reference",
    [
        f"blob:v1:results:{HEX}",
        "blob:v1:results:secret.txt",
        f"blob:v1:{OWN}:secret.txt",
        f"blob:v1:{OWN}:../results/{HEX}",
        f"blob:v1:{OWN}:a/b/{HEX}",
        f"blob:v1:{OWN}:/{HEX}",
        f"blob:v1:{OWN}:{HEX}\n",
        f" blob:v1:{OWN}:{HEX}",
        f"blob:v1:{OWN}:{HEX}?comp=metadata",
        f"blob:v1:{OWN}:{HEX.upper()}",
        f"blob:v2:{OWN}:{HEX}",
        "",
    ],
)
def test_what_the_store_did_not_make_is_no_token(store: BlobPayloads, blobs: MemoryBlobs, reference: str) -> None:
    request = request_with(reference)
    deexternalize_payloads(request, store)

    assert not store.is_known_token(reference)
    assert request.input.value == reference
    with pytest.raises(ValueError, match="no token of this store"):
        store.download(reference)
    assert blobs.calls == []


@pytest.mark.parametrize("instance", ["a b/../c?d#e", "ä" * 500, "..", ""])
def test_the_name_of_an_instance_cannot_leave_its_folder(store: BlobPayloads, instance: str) -> None:
    token = store.upload(b"data", instance_id=instance)

    assert store.is_known_token(token)
    assert store.download(token) == b"data"


def test_a_token_whose_payload_is_gone_stays_a_text(store: BlobPayloads) -> None:
    token = f"{TOKEN_PREFIX}run/{HEX}"

    assert json.loads(store.download(token)) == token
