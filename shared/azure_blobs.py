"""`Blobs` in Azure Storage: the only module that imports `azure.storage.blob`, and it does so on first use.

The client's own retries are off: `AzureBlobs` tries again itself, so that a download cut off in the middle, a container
that is not there yet and a service that is away are all one thing, and last as long. Every error of the client becomes
one of `shared.errors` here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

from shared.backoff import unit_interval
from shared.blobs import BlobInfo, BlobPage
from shared.errors import (
    AgentError,
    CallFailed,
    DocumentChanged,
    DocumentGone,
    DocumentUnreadable,
    StorageForbidden,
    StorageUnavailable,
)
from shared.redaction import redacted
from shared.settings import StorageSettings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

PATIENCE_S = 30.0
"""How long an operation is tried again for, from its begin."""
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0
CONNECT_LIMIT_S = 5.0
SILENCE_LIMIT_S = 20.0
"""How long an answer may make no progress; then it counts as none."""
PIECE_BYTES = 4 * 1024 * 1024
MOST_LISTED = 5_000
"""In one page, by the rules of the service."""

ERRORS_BY_CODE: Mapping[str, type[AgentError]] = {
    "ContainerNotFound": StorageForbidden,
    "FilesystemNotFound": StorageForbidden,
    "BlobArchived": DocumentUnreadable,
    "InvalidBlockList": CallFailed,
}
"""Error codes of the service that say more than the status."""

ERRORS_BY_STATUS: Mapping[int, type[AgentError]] = {
    401: StorageForbidden,
    403: StorageForbidden,
    404: DocumentGone,
    412: DocumentChanged,
}
"""What an HTTP status means; others that do not pass are `CallFailed`."""

PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
PASSING_CODES = frozenset({"ContainerBeingDeleted"})
NO_CONTAINER = frozenset({"ContainerNotFound", "FilesystemNotFound"})
IS_THERE_ALREADY = frozenset({"BlobAlreadyExists", "ConditionNotMet", "TargetConditionNotMet"})


class AzureBlobs:
    """The containers of one storage account. Belongs to the event loop on which it is first used."""

    def __init__(self, settings: StorageSettings, *, patience_s: float = PATIENCE_S) -> None:
        self._settings = settings
        self._patience_s = patience_s
        self._service: BlobServiceClient | None = None
        self._credential: AsyncTokenCredential | None = None
        self._containers: dict[str, ContainerClient] = {}

    async def listed(self, container: str, prefix: str, *, after: str | None = None, most: int = 5_000) -> BlobPage:
        """See `Blobs`. A page may be shorter than `most`, and even empty, before the end."""

        async def page() -> BlobPage:
            found = self._container(container).list_blobs(
                name_starts_with=prefix or None, results_per_page=min(most, MOST_LISTED)
            )
            pages: Any = found.by_page(continuation_token=after)
            blobs = [BlobInfo(blob.name, blob.size, blob.etag) async for blob in await anext(pages)]
            return BlobPage(blobs, pages.continuation_token or None)

        return await self._tried(f"the container {container!r}", page)

    async def read(
        self, container: str, name: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> bytes:
        """See `Blobs`. What begins behind the blob's end is empty."""
        data, _ = await self._read(container, name, offset, length, etag)
        return data

    async def stream(self, container: str, name: str, *, etag: str | None = None) -> AsyncIterator[bytes]:
        """See `Blobs`. A blob that changes between two pieces is a `DocumentChanged`, also without `etag`."""
        offset = 0
        while True:
            piece, etag = await self._read(container, name, offset, PIECE_BYTES, etag)
            if piece:
                yield piece
            if len(piece) < PIECE_BYTES:
                return
            offset += len(piece)

    async def write(self, container: str, name: str, data: bytes, *, only_new: bool = False) -> bool:
        """See `Blobs`. A write whose answer was lost is made again, and may then find its own: False, too."""

        async def upload() -> bool:
            try:
                await self._blob(container, name).upload_blob(data, length=len(data), overwrite=not only_new)
            except Exception as exc:
                if only_new and _code(exc) in IS_THERE_ALREADY:
                    return False
                raise
            return True

        return await self._tried(_named(container, name), lambda: self._with_container(container, upload))

    async def stage(self, container: str, name: str, block: int, data: bytes) -> None:
        """See `Blobs`."""

        async def stage() -> None:
            await self._blob(container, name).stage_block(block_id(block), data, length=len(data))

        await self._tried(_named(container, name), lambda: self._with_container(container, stage))

    async def commit(self, container: str, name: str, blocks: Sequence[int]) -> None:
        """See `Blobs`. A block that was never staged is a `CallFailed`; a commit may be repeated."""
        from azure.storage.blob import BlobBlock

        async def commit() -> None:
            chosen = [BlobBlock(block_id=block_id(block)) for block in blocks]
            await self._blob(container, name).commit_block_list(chosen)

        await self._tried(_named(container, name), lambda: self._with_container(container, commit))

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        service, credential = self._service, self._credential
        self._service = self._credential = None
        self._containers.clear()
        if service is not None:
            await service.close()
        if credential is not None:
            await credential.close()

    async def _read(
        self, container: str, name: str, offset: int, length: int | None, etag: str | None
    ) -> tuple[bytes, str | None]:
        """The bytes, and the etag of the blob that they are of."""

        async def download() -> tuple[bytes, str | None]:
            try:
                blob: Any = self._blob(container, name)
                start = offset if offset or length is not None else None
                stream = await blob.download_blob(start, length, **_matching(etag))
                return await stream.readall(), stream.properties.etag
            except Exception as exc:
                if _status(exc) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return b"", etag
                if _status(exc) == HTTPStatus.PRECONDITION_FAILED and not await self._blob(container, name).exists():
                    raise DocumentGone(f"there is no blob {name!r} in {container!r} any more") from exc
                raise

        if length == 0:
            return b"", etag
        return await self._tried(_named(container, name), download)

    async def _with_container[T](self, container: str, act: Callable[[], Awaitable[T]]) -> T:
        """Act, and make the container first if it turns out not to be there."""
        try:
            return await act()
        except Exception as exc:
            if _code(exc) not in NO_CONTAINER:
                raise
        try:
            await self._container(container).create_container()
        except Exception as exc:
            if _code(exc) != "ContainerAlreadyExists":
                raise
        return await act()

    async def _tried[T](self, what: str, act: Callable[[], Awaitable[T]]) -> T:
        """Act, again and again while the service does not answer; raise errors of the project only."""
        now = asyncio.get_running_loop().time
        give_up_at = now() + self._patience_s
        for pause_s in pauses_s(what):
            try:
                return await act()
            except Exception as exc:
                if not is_passing(exc):
                    raise translated(exc, what) from exc
                if now() + pause_s > give_up_at:
                    raise StorageUnavailable(
                        f"Blob Storage did not answer for {what}, tried again for {self._patience_s:g} s: {_said(exc)}",
                        http_status=_status(exc),
                    ) from exc
            await asyncio.sleep(pause_s)
        raise AssertionError("pauses do not end")

    def _blob(self, container: str, name: str) -> BlobClient:
        return self._container(container).get_blob_client(name)

    def _container(self, container: str) -> ContainerClient:
        client = self._containers.get(container)
        if client is None:
            client = self._containers[container] = self._open().get_container_client(container)
        return client

    def _open(self) -> BlobServiceClient:
        if self._service is None:
            from azure.core.pipeline.transport import AioHttpTransport
            from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

            options: dict[str, Any] = {
                "transport": AioHttpTransport(
                    connection_timeout=CONNECT_LIMIT_S, read_timeout=SILENCE_LIMIT_S, use_env_settings=has_proxy()
                ),
                "retry_policy": ExponentialRetry(retry_total=0),
            }
            settings = self._settings
            if settings.connection_string:
                self._service = BlobServiceClient.from_connection_string(settings.connection_string, **options)
            else:
                from azure.identity.aio import DefaultAzureCredential

                self._credential = DefaultAzureCredential()
                self._service = BlobServiceClient(settings.account_url or "", self._credential, **options)
        return self._service


def block_id(block: int) -> str:
    """The id of a block: those of one blob must be equally long. The client encodes it in base64."""
    return f"{block:08d}"


def pauses_s(key: str) -> Iterator[float]:
    """How long to wait after each failure: longer each time, and another time for each key."""
    pause_s = FIRST_PAUSE_S
    for number in count():
        yield pause_s * (0.5 + unit_interval(f"{key}:{number}") / 2)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def has_proxy() -> bool:
    """Whether the environment names a proxy. To look for one, aiohttp reads ~/.netrc before each request."""
    return not getproxies_environment().keys().isdisjoint({"http", "https", "all", "ws", "wss"})


def is_passing(error: Exception) -> bool:
    """Whether the same operation may succeed soon: no answer, half an answer, or that of a service that is busy."""
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        DecodeError,
        HttpResponseError,
        IncompleteReadError,
    )

    match error:
        case IncompleteReadError() | DecodeError():
            return True
        case HttpResponseError(response=None):
            return not isinstance(error, ClientAuthenticationError)
        case HttpResponseError():
            return _status(error) in PASSING_STATUSES or _code(error) in PASSING_CODES
        case _:
            return isinstance(error, AzureError | OSError)


def translated(error: Exception, what: str) -> AgentError:
    """The project's error for one of the client that does not pass."""
    if isinstance(error, AgentError):
        return error
    status, code = _status(error), _code(error)
    kind = ERRORS_BY_CODE.get(code or "") or ERRORS_BY_STATUS.get(status or 0)
    if kind is None:
        from azure.core.exceptions import ClientAuthenticationError

        kind = StorageForbidden if isinstance(error, ClientAuthenticationError) else CallFailed
    return kind(f"Blob Storage refused {what}: {_said(error)}", http_status=status)


def _named(container: str, name: str) -> str:
    return f"the blob {name!r} in {container!r}"


def _matching(etag: str | None) -> dict[str, Any]:
    if etag is None:
        return {}
    from azure.core import MatchConditions

    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _status(error: Exception) -> int | None:
    return getattr(error, "status_code", None)


def _code(error: Exception) -> str | None:
    """The service's name for the error; an enumeration of strings, or a string that this client does not know."""
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code)


def _said(error: Exception) -> str:
    """What happened, in a line. The whole message of an answer has ids and times that change each time."""
    status = _status(error)
    if status is not None:
        return f"{status} {_code(error) or getattr(error, 'reason', '') or ''}".rstrip()
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return redacted(lines[0][:200])
