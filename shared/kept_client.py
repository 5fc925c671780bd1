"""The durable client of this process, kept open.

The SDK makes a client for each invocation and closes it afterwards: to look up its own version, open a connection and
prepare the calls costs more CPU than all the rest of a poll. A client keeps to the event loop on which it was made.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

MOST = 4
"""Clients at a time. The host gives the same configuration for as long as it lives, unless its keys are changed."""

_CLIENTS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, DurableFunctionsClient]] = WeakKeyDictionary()


def kept_client(config: str) -> DurableFunctionsClient:
    """The client of the running event loop for what the `durableClient` binding gave. It is never to be closed."""
    clients = _CLIENTS.setdefault(asyncio.get_running_loop(), {})
    if config not in clients:
        from azure.durable_functions import DurableFunctionsClient

        if len(clients) >= MOST:
            # Not closed, because an invocation may still use it: that happens when nothing refers to it any more.
            del clients[next(iter(clients))]
        clients[config] = DurableFunctionsClient(config)
    return clients[config]


def with_kept_client[R](function: Callable[..., Awaitable[R]]) -> Callable[..., Awaitable[R]]:
    """`function`, which takes a durable client as `client`, as one that takes its configuration."""

    signature = inspect.signature(function)

    @functools.wraps(function)
    async def with_client(*args: Any, **kwargs: Any) -> R:
        """The worker calls by names; the SDK's wrapper for large payloads stands between, and calls by positions."""
        given = signature.bind(*args, **kwargs)
        given.arguments["client"] = kept_client(given.arguments["client"])
        return await function(*given.args, **given.kwargs)

    # The indexer reads the parameters of `function` and wants classes; the binding gives a string.
    with_client.__annotations__ = {**function.__annotations__, "client": str}
    return with_client
