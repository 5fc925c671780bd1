"""Imports an app through the worker library, and says why when that fails."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local_host.messages import AppLoadError, LoadedFunction

_LOGGER = logging.getLogger(__name__)
# Frames above the app's own, which say nothing about its failure.
_LIBRARY_FILES = ("local_host/app_loading.py", "azure_functions_runtime/", "importlib/", "<frozen importlib")

# What the worker library adds to an import error.
_ADVICE = "https://aka.ms/functions-modulenotfound"


def load_functions(app_dir: str) -> list[LoadedFunction]:
    """Import the app and return its functions; raise `AppLoadError` when it does not load."""
    root = _app_root(app_dir)
    try:
        with _signals_left_to_the_host():
            return _index(root)
    except BaseException as error:
        # SystemExit too: an app that ends the process while it is imported has not loaded.
        raise AppLoadError(_reason(error)) from error


def _app_root(app_dir: str) -> Path:
    root = Path(app_dir).resolve()
    script = os.environ.get("PYTHON_SCRIPT_FILE_NAME") or "function_app.py"
    if not (root / script).is_file():
        raise AppLoadError(f"No {script} in {str(root)!r}. Name the folder that holds host.json and {script}.")
    return root


def _index(root: Path) -> list[LoadedFunction]:
    with contextlib.suppress(ValueError):
        sys.path.remove(str(root))
    sys.path.insert(0, str(root))
    os.chdir(root)

    from azure_functions_runtime import handle_event

    handle_event.protos = _PROTOS
    registry: Any = handle_event._functions
    registry._functions.clear()
    handle_event.load_binding_registry()
    _pass_traces_on()
    handle_event.load_function_metadata(str(root), caller_info="local_host")
    return [
        LoadedFunction(
            function_id=metadata.function_id,
            name=metadata.name,
            bindings=tuple(json.loads(binding) for binding in metadata.raw_bindings),
        )
        for metadata in handle_event._metadata_result or []
    ]


def _pass_traces_on() -> None:
    """Have the worker library make the trace of each call current, where the app's settings ask for it."""
    from azure_functions_runtime import otel

    if os.environ.get("PYTHON_ENABLE_OPENTELEMETRY", "").lower() in {"1", "true"}:
        otel.otel_manager.set_otel_libs_available(True)
        otel.update_opentelemetry_status()


@contextlib.contextmanager
def _signals_left_to_the_host() -> Iterator[None]:
    """Let an app that sets signal handlers be imported here, where Python would refuse: in a thread of its own.

    On the main thread the handlers are the host's, which stops the app itself.
    """
    set_handler = signal.signal
    passed_over: list[str] = []
    importing = True

    def pass_over(number: int, handler: Any, /) -> Any:
        if not importing or threading.current_thread() is threading.main_thread():
            return set_handler(number, handler)
        passed_over.append(signal.Signals(number).name)
        return signal.getsignal(number)

    signal.signal = pass_over
    try:
        yield
    finally:
        importing = False
        signal.signal = set_handler
        if passed_over:
            names = ", ".join(dict.fromkeys(passed_over))
            _LOGGER.warning("The app sets a handler for %s: it is left out, signals are for the local host", names)


def _reason(error: BaseException) -> str:
    """Return the traceback of a failed import, from the app's own first line on."""
    error = _first(error)
    frames = error.__traceback__
    while frames is not None and any(part in frames.tb_frame.f_code.co_filename for part in _LIBRARY_FILES):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    if isinstance(error, ModuleNotFoundError):
        text += f"Is its package named in requirements.txt, and installed for {sys.executable}?\n"
    return text


def _first(error: BaseException) -> BaseException:
    """Undo that the worker library raises an import error again, with its own advice and the whole sys.path."""
    again = isinstance(error, ImportError) and _ADVICE in str(error)
    return error.__context__ if again and error.__context__ is not None else error


_PROTOS = SimpleNamespace(
    BindingInfo=type("BindingInfo", (SimpleNamespace,), {"in_": 0, "out": 1, "inout": 2, "undefined": 0, "string": 1}),
    RpcFunctionMetadata=SimpleNamespace,
    RpcRetryOptions=SimpleNamespace,
)
