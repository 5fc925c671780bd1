"""`InProcessWorker`: runs an app inside this process, through the official worker library."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import traceback
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, override

from local_host.app_loading import load_functions
from local_host.datums import from_datum, to_datum
from local_host.function_threads import FunctionThreads, choose_pool
from local_host.messages import (
    Failure,
    Invocation,
    InvocationResult,
    LoadedFunction,
)

_LOGGER = logging.getLogger(__name__)
_CLOSE_LIMIT_S = 1.0
# Frames between the caller and the function, which say nothing about a failure.
_LIBRARY_FILES = (
    "in_process_worker.py",
    "concurrent/futures/thread.py",
    "azure_functions_runtime/native_invocation.py",
    "azure_functions_runtime/utils/executor.py",
)


class InProcessWorker:
    """A `Worker` on an event loop in a thread of its own, so that no function can block whoever calls it.

    The worker library keeps its functions in module globals: one process runs one app.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="app", daemon=True)
        self._threads = FunctionThreads()
        self._closing = False
        self._functions: dict[str, LoadedFunction] = {}

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the thread, unless it runs, and return its event loop."""
        if not self._thread.is_alive():
            self._thread.start()
        return self._loop

    async def load(self, app_dir: str) -> list[LoadedFunction]:
        """Import the app and return its functions; raise `AppLoadError` when it does not load."""
        self.start()
        return await self._on_worker_loop(self.load_here(app_dir))

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one function to its end. A failing function is a `Failure`, never an exception."""
        if self._closing:
            return InvocationResult(failure=Failure("WorkerClosed", "The worker takes no more calls", ""))
        return await self._on_worker_loop(self.invoke_here(invocation))

    def name_of(self, function_id: str) -> str:
        """The name of a function, or its id when there is no such function."""
        function = self._functions.get(function_id)
        return function.name if function else function_id

    async def load_here(self, app_dir: str) -> list[LoadedFunction]:
        """`load` for who is on the worker's event loop already."""
        functions = load_functions(app_dir)
        self._functions = {function.function_id: function for function in functions}
        self._threads.start()

        from azure_functions_runtime import native_invocation

        library: Any = native_invocation
        library.logger = _FailureCatcher(logging.getLogger("azure_functions_runtime"))
        return functions

    async def invoke_here(self, invocation: Invocation) -> InvocationResult:
        """`invoke` for who is on the worker's event loop already."""
        function = self._functions.get(invocation.function_id)
        if function is None:
            message = f"No function has the id {invocation.function_id!r}; was the app loaded?"
            return InvocationResult(failure=Failure("LookupError", message, ""))
        return await _invoke(function, invocation)

    async def close(self) -> None:
        """Stop taking calls, cancel the running ones and end the worker's thread.

        A synchronous function that is still running cannot be interrupted: its pool thread outlives this call.
        """
        if self._closing:
            return
        self._closing = True
        if self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await self._on_worker_loop(_cancel_everything())
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join, _CLOSE_LIMIT_S)
        if not self._thread.is_alive():
            self._loop.close()
        self._threads.release()

    async def _on_worker_loop[T](self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._closing:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                # A task which the app started on its own raised SystemExit or KeyboardInterrupt:
                # asyncio lets those two out of the loop, and the other functions must go on.
                _LOGGER.exception("A background task of the app tried to end the process; it goes on")


async def _invoke(function: LoadedFunction, invocation: Invocation) -> InvocationResult:
    from azure_functions_runtime.native_invocation import invocation_request_native

    choose_pool(str(function.trigger.get("type", "")))
    caught = _CAUGHT.set(None)
    try:
        ok, returned, outputs, error_text, stack = await invocation_request_native(
            invocation.invocation_id,
            invocation.function_id,
            [(name, to_datum(value)) for name, value in invocation.inputs],
            {name: to_datum(value) for name, value in invocation.trigger_metadata.items()},
            trace_parent=invocation.trace_parent,
        )
        if ok:
            return _result(function, returned, outputs)
        error = _CAUGHT.get()
        failure = _failure(error) if error else _told(error_text or "", stack or "")
    except BaseException as error:  # noqa: BLE001 - must not leave this task
        # The library catches `Exception` only. A function that calls sys.exit() has failed like any other,
        # and letting its SystemExit out of this task would end the loop.
        failure = _failure(error)
    finally:
        _CAUGHT.reset(caught)
    _LOGGER.error("Function %r failed.\n%s", function.name, failure.traceback.rstrip() or failure.message)
    return InvocationResult(failure=failure)


def _result(function: LoadedFunction, returned: Any, outputs: list[tuple[str, Any]]) -> InvocationResult:
    http_outputs = {b.get("name") for b in function.bindings if str(b.get("type", "")).lower() == "http"}
    return InvocationResult(
        return_value=None if returned is None else from_datum(returned, is_http="$return" in http_outputs),
        outputs=tuple((name, from_datum(datum, is_http=name in http_outputs)) for name, datum in outputs),
    )


def _failure(error: BaseException) -> Failure:
    """Describe a failure; the message is never empty, because an empty one reads as success further on."""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - an exception whose own __str__ fails
        message = ""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.endswith(_LIBRARY_FILES):
        frames = frames.tb_next
    stack = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    return Failure(name, message or name, stack)


def _told(error_text: str, stack: str) -> Failure:
    """Describe a failure of which the library gave a text only, such as a function that is not loaded."""
    return Failure("InvocationError", error_text or "The worker library gave no reason", stack)


async def _cancel_everything() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


_CAUGHT: ContextVar[BaseException | None] = ContextVar("caught", default=None)


class _FailureCatcher(logging.LoggerAdapter[logging.Logger]):
    """Stands in for the library's logger where it reports a failed invocation.

    The library answers with a text only; here the exception itself is at hand. It also keeps the same failure
    from being logged twice.
    """

    @override
    def exception(self, msg: object, *args: object, **kwargs: Any) -> None:
        _CAUGHT.set(sys.exception())
