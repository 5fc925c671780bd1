"""What host and worker say to each other.

Everything here is plain, immutable and picklable: a worker is free to be a thread or a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Value:
    """One typed value on its way to or from a function. `kind` is a `Datum` type of the worker library."""

    kind: Literal["string", "json", "bytes", "int", "double", "bool", "dict", "list"] | None
    data: Any


@dataclass(frozen=True, slots=True)
class HttpRequestValue:
    """An HTTP request for an `httpTrigger` parameter."""

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    route_params: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpResponseValue:
    """What an HTTP function returned. `cookies` are whole `Set-Cookie` header values."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()


_DURABLE_TRIGGERS = frozenset({"orchestrationtrigger", "activitytrigger", "entitytrigger"})


@dataclass(frozen=True, slots=True)
class LoadedFunction:
    """One function of the app; `bindings` are the parsed raw bindings, the trigger among them."""

    function_id: str
    name: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The trigger binding; empty when the function has none."""
        return next((b for b in self.bindings if str(b.get("type", "")).lower().endswith("trigger")), {})

    @property
    def is_durable(self) -> bool:
        """Whether the engine hands out the function's work, and again when it was lost."""
        return str(self.trigger.get("type", "")).lower() in _DURABLE_TRIGGERS


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a function: parameter values by name. `losses` says how often a worker died while it ran.

    `trace_parent` is the W3C `traceparent` that it belongs to; empty for none.
    """

    invocation_id: str
    function_id: str
    inputs: tuple[tuple[str, Value | HttpRequestValue], ...]
    trigger_metadata: Mapping[str, Value] = field(default_factory=dict[str, Value])
    losses: int = 0
    trace_parent: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a function failed: the exception's type name, its message, and the formatted traceback."""

    error_type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """The answer to an `Invocation`: a return value (if the function has one), output bindings, or a failure."""

    return_value: Value | HttpResponseValue | None = None
    outputs: tuple[tuple[str, Value | HttpResponseValue], ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class AppToLoad:
    """What a worker process is to load, and how it is to log."""

    app_dir: str
    log_levels: Mapping[str, str]
    verbose: bool


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """The answer to `AppToLoad`: the functions, or why there are none."""

    functions: tuple[LoadedFunction, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of an invocation, on its way from a worker process."""

    invocation_id: str
    result: InvocationResult


class AppLoadError(Exception):
    """The app could not be loaded; the message is the traceback to show."""


class InvocationLost(Exception):
    """The worker died before it answered; nobody knows how far the function came.

    `alone` says that the worker ran nothing else when it died, so that nothing else can have ended it.
    """

    def __init__(self, reason: str, *, alone: bool = False) -> None:
        super().__init__(reason)
        self.alone = alone


class Worker(Protocol):
    """Loads one app and runs its functions. All methods may be called from the host's event loop."""

    async def load(self, app_dir: str) -> list[LoadedFunction]:
        """Import the app and return its functions; raise `AppLoadError` when it does not load."""
        ...

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one function to its end. A failing function is a `Failure`, never an exception.

        Raise `InvocationLost` when the worker died in the middle of it.
        """
        ...

    async def close(self) -> None:
        """Stop taking calls and release what the worker holds."""
        ...
