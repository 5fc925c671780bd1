"""The `start` command: puts worker, engine and HTTP together and serves one app until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures.thread
import contextlib
import io
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from local_host.log_output import configure_logging
from local_host.messages import AppLoadError
from local_host.offline_child import OfflineChild, OfflineModelError, chosen_model, offline_settings
from local_host.settings import DEFAULT_PORT, HostSettings, SettingsError, load_settings

DESCRIPTION = """\
Run a Durable Functions app for Python (programming model v2) on this machine, unchanged.

What it is: the official worker library (azure-functions-runtime), the official in-memory engine
(durabletask.testing) and thin HTTP glue: routes, the durable management API, timer triggers.
It reads host.json and local.settings.json as Core Tools does.

What it is not: a place to run anything for real.
  * All orchestrations and entities are lost when it stops.
  * It checks no keys: every route is open, whatever its authorization level (as with Core Tools).
  * It runs HTTP, timer and durable triggers. Functions with others (queues, blobs, Event Hubs,
    Service Bus, Cosmos DB, ...) are listed and not run, functions with other inputs are in error,
    and the values of output bindings other than HTTP are dropped, with a warning.
  * It does not enforce functionTimeout: a function runs until it ends.
  * It streams neither requests nor responses: both are held in memory, a body up to 100 MB.
  * It answers HEAD wherever GET is routed; the real host wants HEAD among the methods."""

_ADDRESS = "127.0.0.1"
_BACKLOG = 1024
_LEAVE_GRACE_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `start`."""
    parser.add_argument(
        "--port",
        type=int,
        help=f"port to serve on; 0 takes a free one (default: Host.LocalHttpPort, else {DEFAULT_PORT})",
    )
    parser.add_argument("--app-dir", default=".", help="folder with host.json and function_app.py (default: this one)")
    parser.add_argument(
        "--offline-model",
        "--with-offline-model",
        action="store_true",
        dest="offline_model",
        help="unless a real model is configured, start the offline model and point the app at it",
    )
    parser.add_argument("--verbose", action="store_true", help="also show what the libraries log")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code."""
    app_dir = Path(args.app_dir).resolve()
    code = 1
    try:
        settings = load_settings(app_dir, os.environ)
        if not args.verbose:
            # gRPC's core writes lines of its own to stderr when a connection ends.
            os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        configure_logging(settings.log_levels, verbose=args.verbose)
        _write_lines_at_once()
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(_listen(settings.port if args.port is None else args.port))
            if args.offline_model:
                _use_offline_model(stack)
            code = asyncio.run(_serve(app_dir, settings, listener, args.started))
    except (SettingsError, OfflineModelError, _PortError) as error:
        print(f"The local host cannot start: {error}", file=sys.stderr)
    except AppLoadError as error:
        print(f"{str(error).rstrip()}\n\nThe app in {str(app_dir)!r} does not load.", file=sys.stderr)
    except KeyboardInterrupt:
        code = 0
    return _leave(code)


def _write_lines_at_once() -> None:
    """Make what the app prints appear in step with its log, also when the output goes to a file."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


class _PortError(Exception):
    """The port cannot be taken."""


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_ADDRESS, port), backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise _PortError(f"port {port} cannot be taken ({error}). Choose another one with --port.") from error


def _use_offline_model(stack: contextlib.ExitStack) -> None:
    configured = chosen_model(os.environ)
    if configured is not None:
        print(f"The offline model is not started: {configured} is set.", flush=True)
        return
    child = stack.enter_context(OfflineChild())
    os.environ.update(offline_settings(child.base_url, os.environ))
    print(f"No model is configured: the app uses the offline model on {child.base_url}", flush=True)


async def _serve(app_dir: Path, settings: HostSettings, listener: socket.socket, started: float) -> int:
    from local_host.host import Host

    stop = _stop_event()
    port = listener.getsockname()[1]
    _prepare_environment(app_dir, port)
    host = Host(app_dir, settings, f"http://localhost:{port}", started)
    starting = asyncio.create_task(host.start(listener))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            for line in starting.result():
                print(line)
            print(f"Host ready in {time.monotonic() - started:.1f} s: http://localhost:{port}", flush=True)
            host.start_timers()
            await stopping
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await host.stop()
    return 0


def _stop_event() -> asyncio.Event:
    """Return an event that Ctrl-C or SIGTERM sets; a second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, on_signal, number)
    return stop


def _prepare_environment(app_dir: Path, port: int) -> None:
    """Set what Core Tools sets, and look for modules where the app's own worker would."""
    os.environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
    os.environ.setdefault("WEBSITE_HOSTNAME", f"localhost:{port}")
    os.environ["AzureWebJobsScriptRoot"] = str(app_dir)  # noqa: SIM112 - its name
    root = str(Path(__file__).resolve().parent.parent)
    if root != str(app_dir) and sys.path and sys.path[0] in {root, ""}:
        # `python -m` put the folder that holds this package first: its modules are not the app's.
        del sys.path[0]
    packages = app_dir / ".python_packages" / "lib" / "site-packages"
    if packages.is_dir():
        sys.path.insert(0, str(packages))


def _leave(code: int) -> int:
    """Return the exit code, or end at once when a function that cannot be interrupted would hold up the exit."""
    # The interpreter waits for the threads of every pool, whether daemons or not, and for those that are no daemons.
    pooled = set(concurrent.futures.thread._threads_queues)
    waited_for = [t for t in threading.enumerate() if t in pooled or not t.daemon]
    deadline = time.monotonic() + _LEAVE_GRACE_S
    for thread in waited_for:
        if thread is not threading.main_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logging.shutdown()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    return code
