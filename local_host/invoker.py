"""`Invoker`: calls functions that are not durable ones, with their durable clients bound."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from local_host.app_functions import binding_type, is_output
from local_host.messages import (
    Failure,
    HttpRequestValue,
    HttpResponseValue,
    Invocation,
    InvocationLost,
    InvocationResult,
    LoadedFunction,
    Value,
    Worker,
)

_LOGGER = logging.getLogger(__name__)
# 1xx say that the response is still to come: a client would wait for it.
_STATUSES = range(200, 1000)


class Invoker:
    """Calls functions through the worker, which logs their failures.

    What was lost with a worker process is not run again: nobody knows what it has done already.
    """

    def __init__(self, worker: Worker, client_config: Callable[[Mapping[str, Any]], str]) -> None:
        self._worker = worker
        self._client_config = client_config
        self._warned: set[tuple[str, str]] = set()

    async def call(self, function: LoadedFunction, trigger: Value | HttpRequestValue) -> InvocationResult:
        """Run the function with this value for its trigger; one that was lost with its worker has failed."""
        inputs: list[tuple[str, Value | HttpRequestValue]] = [(str(function.trigger["name"]), trigger)]
        inputs += [
            (str(binding["name"]), Value("string", self._client_config(binding)))
            for binding in function.bindings
            if binding_type(binding) == "durableclient"
        ]
        headers = trigger.headers if isinstance(trigger, HttpRequestValue) else {}
        trace_parent = next((value for name, value in headers.items() if name.lower() == "traceparent"), "")
        invocation = Invocation(str(uuid.uuid4()), function.function_id, tuple(inputs), trace_parent=trace_parent)
        try:
            result = await self._worker.invoke(invocation)
        except InvocationLost as lost:
            _LOGGER.error("Function %r was cut off and is not run again. %s", function.name, lost)  # noqa: TRY400
            return InvocationResult(failure=Failure("WorkerLost", str(lost), ""))
        if result.failure is None:
            self._warn_of_dropped_outputs(function)
        return result

    async def respond(self, function: LoadedFunction, request: HttpRequestValue) -> HttpResponseValue:
        """Run an HTTP function and return its response, as the Functions host makes it."""
        result = await self.call(function, request)
        if result.failure is not None:
            return HttpResponseValue(500, {}, b"")
        for value in (result.return_value, *(value for _, value in result.outputs)):
            if isinstance(value, HttpResponseValue):
                return _sendable(function, value)
        return HttpResponseValue(204, {}, b"")

    def _warn_of_dropped_outputs(self, function: LoadedFunction) -> None:
        for binding in function.bindings:
            if not is_output(binding) or binding_type(binding) == "http":
                continue
            key = (function.name, str(binding.get("name")))
            if key not in self._warned:
                self._warned.add(key)
                _LOGGER.warning(
                    "The output binding %r (%s) of the function %r is not available here: its values are dropped",
                    key[1],
                    binding.get("type"),
                    function.name,
                )


def _sendable(function: LoadedFunction, response: HttpResponseValue) -> HttpResponseValue:
    if response.status in _STATUSES:
        return response
    _LOGGER.error(
        "Function %r returned the status %d, with which no response ends: it is answered as 500. Return 200 to 599.",
        function.name,
        response.status,
    )
    return HttpResponseValue(500, {}, b"")
