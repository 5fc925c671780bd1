"""What a request that works in storage needs of the app's settings."""

from __future__ import annotations

import os
import re
from http import HTTPStatus

from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.storage import BlobSink, BlobSource
from shared.contracts.work import root_of
from shared.errors import SettingsError
from shared.settings import (
    CHORUS_SINK_CONTAINERS,
    CHORUS_SOURCE_CONTAINERS,
    CHORUS_STORAGE,
    StorageSettings,
    load_storage_settings,
)
from triggers.problems import FieldError, Problem

BEGINS_A_RUN_ID = re.compile(r"[0-9a-f]{0,31}")


def with_storage(request: MapReduceRequest) -> MapReduceRequest:
    """The request with a sink, if it works in storage; raise the `Problem` with what it may not use.

    The activities check the containers once more: what is in history may be older than the settings.
    """
    if not request.in_storage:
        return request
    settings = _settings()
    if request.source is not None and not settings.may_read(request.source.container):
        raise _not_allowed("source.container", request.source.container, "read", CHORUS_SOURCE_CONTAINERS)
    sink = request.sink or _default_sink(settings)
    if not settings.may_write(sink.container):
        raise _not_allowed("sink.container", sink.container, "write to", CHORUS_SINK_CONTAINERS)
    if request.source is not None and reads_what_it_writes(request.source, sink):
        raise _overlapping(request.source, sink)
    return request.model_copy(update={"sink": sink})


def reads_what_it_writes(source: BlobSource, sink: BlobSink) -> bool:
    """Whether the folder of a run, whatever its id, may be among the documents of its source."""
    if source.container != sink.container:
        return False
    root = root_of(sink)
    if root.startswith(source.prefix):
        return True
    return source.prefix.startswith(root) and BEGINS_A_RUN_ID.fullmatch(source.prefix[len(root) :]) is not None


def _settings() -> StorageSettings:
    try:
        settings = load_storage_settings(os.environ)
    except SettingsError as exc:
        raise _not_configured(f"the settings of its storage are wrong: {exc}") from exc
    if settings is None:
        raise _not_configured("it has no storage")
    return settings


def _default_sink(settings: StorageSettings) -> BlobSink:
    if settings.default_sink is None:
        raise _not_configured("it may not write to any container")
    return BlobSink(container=settings.default_sink)


def _not_configured(reason: str) -> Problem:
    names = f"{CHORUS_STORAGE}, {CHORUS_SOURCE_CONTAINERS} and {CHORUS_SINK_CONTAINERS}"
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "storage_not_configured",
        f"This app serves no source and no sink: {reason}. Set {names}, or send the documents with the request and "
        "leave the sink out. Nothing was started.",
    )


def _not_allowed(path: str, container: str, what: str, setting: str) -> Problem:
    """403: the request is well formed, and another app might serve it; whoever runs this one has to allow it."""
    message = f"this app may not {what} the container {container!r}; add it to the setting {setting}"
    return Problem(
        HTTPStatus.FORBIDDEN, "container_not_allowed", f"{path}: {message}. Nothing was started.",
        [FieldError(path, message)],
    )  # fmt: skip


def _overlapping(source: BlobSource, sink: BlobSink) -> Problem:
    told = f"source and sink are both in {source.container!r}, and the prefix {source.prefix!r} of the source"
    message = f"{told} is also that of what the run writes under {root_of(sink)!r}; give another container or prefix"
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "invalid_request",
        f"The request does not fit its contract: sink: {message}. Nothing was started.",
        [FieldError("sink", message)],
    )
