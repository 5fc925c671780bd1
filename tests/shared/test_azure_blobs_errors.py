"""What each answer of the service comes to, from a server that answers as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web

from shared.azure_blobs import AzureBlobs, pauses_s
from shared.errors import (
    AgentError,
    CallFailed,
    DocumentChanged,
    DocumentGone,
    DocumentUnreadable,
    StorageForbidden,
    StorageUnavailable,
)
from shared.settings import StorageSettings

KEY = "c2VjcmV0IHNlY3JldCBzZWNyZXQ="


@dataclass
class ToldService:
    """Gives the answers of `told` in turn, and the last one for ever: a status and an error code."""

    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    requests: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        status, code = self.told[min(self.requests, len(self.told) - 1)]
        self.requests += 1
        if status == 206:
            headers = {"Content-Range": "bytes 0-3/4", "ETag": '"0x1"', "x-ms-blob-type": "BlockBlob"}
            return web.Response(status=206, body=b"here", headers=headers)
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No {KEY}</Message></Error>"
        return web.Response(status=status, text=body, content_type="application/xml", headers={"x-ms-error-code": code})


@pytest_asyncio.fixture
async def service() -> AsyncIterator[tuple[ToldService, AzureBlobs]]:
    told = ToldService()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    connection = f"AccountName=acc;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:{port}/acc"
    blobs = AzureBlobs(StorageSettings(connection_string=connection), patience_s=1.0)
    yield told, blobs
    await blobs.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "BlobNotFound", DocumentGone),
        (404, "ContainerNotFound", StorageForbidden),
        (401, "NoAuthenticationInformation", StorageForbidden),
        (403, "AuthorizationFailure", StorageForbidden),
        (403, "AuthorizationPermissionMismatch", StorageForbidden),
        (409, "BlobArchived", DocumentUnreadable),
        (400, "InvalidQueryParameterValue", CallFailed),
        (501, "NotImplemented", CallFailed),
    ],
)
async def test_an_answer_that_stays_is_told_at_once(
    service: tuple[ToldService, AzureBlobs], status: int, code: str, error: type[AgentError]
) -> None:
    told, blobs = service
    told.told = [(status, code)]

    with pytest.raises(error, match=rf"the blob 'a\.txt' in 'documents': {status} {code}$") as caught:
        await blobs.read("documents", "a.txt")

    assert (told.requests, caught.value.http_status, type(caught.value)) == (1, status, error)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("is_there", "error"), [(200, DocumentChanged), (404, DocumentGone)])
async def test_another_blob_than_the_one_that_was_listed_is_changed_or_gone(
    service: tuple[ToldService, AzureBlobs], is_there: int, error: type[AgentError]
) -> None:
    told, blobs = service
    told.told = [(412, "ConditionNotMet"), (is_there, "BlobNotFound")]

    with pytest.raises(error):
        await blobs.read("documents", "a.txt", etag="first")

    assert told.requests == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "ServerBusy"),
        (500, "InternalError"),
        (500, "OperationTimedOut"),
        (502, "BadGateway"),
        (429, "TooManyRequests"),
        (408, "RequestTimeout"),
        (409, "ContainerBeingDeleted"),
    ],
)
async def test_an_answer_that_passes_is_waited_for(
    service: tuple[ToldService, AzureBlobs], status: int, code: str
) -> None:
    told, blobs = service
    told.told = [(status, code), (status, code), (206, "")]

    assert await blobs.read("documents", "a.txt") == b"here"
    assert told.requests == 3


async def test_a_service_that_stays_busy_is_unavailable(service: tuple[ToldService, AzureBlobs]) -> None:
    told, blobs = service
    told.told = [(503, "ServerBusy")]

    with pytest.raises(StorageUnavailable, match="503 ServerBusy") as caught:
        await blobs.read("documents", "a.txt")

    assert caught.value.http_status == 503
    assert told.requests >= 3


def test_pauses_grow_differ_from_blob_to_blob_and_stay_short() -> None:
    pauses = [pause for pause, _ in zip(pauses_s("a"), range(12), strict=False)]
    others = [pause for pause, _ in zip(pauses_s("b"), range(12), strict=False)]

    assert all(0.125 <= pause <= 4 for pause in pauses)
    assert pauses[0] < pauses[2] < pauses[4]
    assert pauses != others
    assert 20 < sum(pauses) < 45
