"""Functions that are known by name and imported on their first call.

A cold start pays for what the first request needs and no more: pydantic, the contracts and the patterns together
would cost it another 40 %. The indexer of the Functions host wants real functions with real parameters, so there
is one maker for each kind.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Awaitable, Callable, Generator
from functools import cache
from typing import Any

import azure.functions as func

from shared.errors import ChorusError, UnforeseenError
from shared.heap import keep_modules
from shared.telemetry import telemetry

LOG = logging.getLogger("chorus.functions")


@cache
def resolved(path: str) -> Callable[..., Any]:
    """The function that `path` (`package.module:function`) names."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    keep_modules()
    return function


def _named[F: Callable[..., Any]](function: F, path: str) -> F:
    function.__name__ = path.partition(":")[2]
    return function


def orchestrator(path: str) -> Any:
    """A one-argument orchestrator; the SDK takes it, though its types ask for two."""

    def deferred(context: Any) -> Generator[Any, Any, Any]:
        generator: Generator[Any, Any, Any] = resolved(path)(context)
        try:
            return (yield from generator)
        except Exception as exc:  # noqa: BLE001 - raised again, in other words
            raise for_history(exc, path) from None

    return _named(deferred, path)


def run_orchestrator(path: str) -> Any:
    """The orchestrator of a pattern: its result is that of a run, which telemetry is told of.

    The turn that ends a run is the only one that gets so far, so that a run is told of once; twice if its process dies
    before the host has taken the result, as an activity would be.
    """

    def deferred(context: Any) -> Generator[Any, Any, Any]:
        generator: Generator[Any, Any, Any] = resolved(path)(context)
        try:
            result = yield from generator
        except Exception as exc:  # noqa: BLE001 - raised again, in other words
            raise for_history(exc, path) from None
        if not context.is_replaying:
            telemetry.run_ended(result)
        return result

    return _named(deferred, path)


def native_orchestrator(path: str) -> Any:
    """An orchestrator of the two arguments that `durabletask` gives: its context can send events."""

    def deferred(context: Any, given: Any) -> Generator[Any, Any, Any]:
        generator: Generator[Any, Any, Any] = resolved(path)(context, given)
        try:
            return (yield from generator)
        except Exception as exc:  # noqa: BLE001 - raised again, in other words
            raise for_history(exc, path) from None

    return _without_annotations(_named(deferred, path))


def http_trigger(path: str) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    """An HTTP trigger."""

    async def deferred(req: func.HttpRequest) -> func.HttpResponse:
        return await resolved(path)(req)

    return _named(deferred, path)


def client_http_trigger(path: str) -> Callable[[func.HttpRequest, Any], Awaitable[func.HttpResponse]]:
    """An HTTP trigger with a durable client."""

    async def deferred(req: func.HttpRequest, client: Any) -> func.HttpResponse:
        return await resolved(path)(req, client)

    return _named(deferred, path)


def client_timer_trigger(path: str) -> Callable[[func.TimerRequest, Any], Awaitable[None]]:
    """A timer trigger with a durable client."""

    async def deferred(timer: func.TimerRequest, client: Any) -> None:
        await resolved(path)(timer, client)

    return _named(deferred, path)


def activity(path: str) -> Callable[[Any], Awaitable[Any]]:
    """An activity, whose input is JSON of any type."""

    async def deferred(given: Any) -> Any:
        try:
            return await resolved(path)(given)
        except Exception as exc:  # noqa: BLE001 - raised again, in other words
            raise for_history(exc, path) from None

    return _without_annotations(_named(deferred, path))


def client_activity(path: str) -> Callable[[Any, Any], Awaitable[Any]]:
    """An activity, whose input is JSON of any type, with a durable client or its configuration."""

    async def deferred(given: Any, client: Any) -> Any:
        try:
            return await resolved(path)(given, client)
        except Exception as exc:  # noqa: BLE001 - raised again, in other words
            raise for_history(exc, path) from None

    return _without_annotations(_named(deferred, path))


def for_history(error: Exception, path: str) -> Exception:
    """The error of an activity or orchestration as history, answers and the host's log may have it.

    Errors of ours say what they say; of any other stays its place alone, and the log has its words at DEBUG.
    """
    from shared.fault_place import place_of

    LOG.debug("%s failed", path, exc_info=error)
    if isinstance(error, ChorusError):
        return error.with_traceback(None)
    return UnforeseenError(f"{path} failed: {place_of(error)}")


def _without_annotations[F: Callable[..., Any]](function: F) -> F:
    """The indexer takes classes for annotations only, and `Any` is none."""
    function.__annotations__.clear()
    return function
