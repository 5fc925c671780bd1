"""The `start` command: puts worker, engine and HTTP together and serves one app until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from pathlib import Path

from local_host.log_output import configure_logging, write_lines_at_once
from local_host.messages import AppLoadError
from local_host.offline_child import OfflineChild, OfflineModelError, chosen_model, offline_settings
from local_host.process_end import leave
from local_host.settings import (
    DEFAULT_PORT,
    MOST_WORKERS,
    WORKERS_SETTING,
    HostSettings,
    SettingsError,
    load_settings,
    parse_worker_count,
    worker_count,
)
from local_host.worker_pool import WorkerPool

DESCRIPTION = """\
Run a Durable Functions app for Python (programming model v2) on this machine, unchanged.

What it is: the official worker library (azure-functions-runtime), the official in-memory engine
(durabletask.testing) and thin HTTP glue: routes, the durable management API, timer triggers.
It reads host.json and local.settings.json as Core Tools does.

The app runs in worker processes. When one dies, a new one takes over: durable work that was in it is
handed out again, so activities run at least once; an HTTP request that was in it is answered with 500.
Work that ends its worker again and again runs apart from all other work, and fails when it does so alone.
With several workers each has the app's module variables for itself.

What it is not: a place to run anything for real.
  * All orchestrations and entities are lost when it stops, and it forgets old ones that have ended
    (--keep-ended). Azure keeps them until somebody purges them.
  * It checks no keys: every route is open, whatever its authorization level (as with Core Tools).
  * It runs HTTP, timer and durable triggers. Functions with others (queues, blobs, Event Hubs,
    Service Bus, Cosmos DB, ...) are listed and not run, functions with other inputs are in error,
    and the values of output bindings other than HTTP are dropped, with a warning.
  * It does not enforce functionTimeout: a function runs until it ends.
  * It streams neither requests nor responses: both are held in memory, a body up to 100 MB.
  * It answers HEAD wherever GET is routed; the real host wants HEAD among the methods.
It needs Linux or macOS, or Windows with WSL."""

KEEP_ENDED = 10_000
"""By default: more than a day's work at a desk."""

_ADDRESS = "127.0.0.1"
_BACKLOG = 1024
_NO_WORKER_LEFT = 1


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
    parser.add_argument(
        "--with-azurite",
        action="store_true",
        dest="azurite",
        help="unless CHORUS_STORAGE is set, start Azurite, if it is installed, and point the app at it",
    )
    parser.add_argument(
        "--with-samples",
        action="store_true",
        dest="samples",
        help="with --with-azurite: put the documents under samples/ into its container 'documents'",
    )
    parser.add_argument(
        "--workers",
        type=_worker_count,
        metavar="N",
        help=f"worker processes that run the app, 1 to {MOST_WORKERS} (default: {WORKERS_SETTING}, else 1)",
    )
    parser.add_argument(
        "--keep-ended",
        type=_count,
        default=KEEP_ENDED,
        metavar="N",
        help="keep the last N orchestrations that have ended, with their children; older ones are "
        "forgotten, as if they had been purged (default: %(default)s)",
    )
    parser.add_argument("--verbose", action="store_true", help="also show what the libraries log")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code."""
    app_dir = Path(args.app_dir).resolve()
    code = 1
    # A shell starts what runs in its background with SIGINT ignored: one that comes before the loop would be lost.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        settings = load_settings(app_dir, os.environ)
        if not args.verbose:
            # gRPC's core writes lines of its own to stderr when a connection ends.
            os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        configure_logging(settings.log_levels, verbose=args.verbose)
        write_lines_at_once()
        workers = WorkerPool(args.workers or worker_count(os.environ), settings.log_levels, verbose=args.verbose)
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(_listen(settings.port if args.port is None else args.port))
            if args.offline_model:
                _use_offline_model(stack)
            if args.azurite:
                _use_azurite(stack, with_samples=args.samples)
            _prepare_environment(app_dir, listener.getsockname()[1])
            stack.callback(workers.kill)
            workers.begin(str(app_dir))
            code = asyncio.run(_serve(args, app_dir, settings, workers, listener))
    except (SettingsError, OfflineModelError, _PortError) as error:
        print(f"The local host cannot start: {error}", file=sys.stderr)
    except AppLoadError as error:
        print(f"{str(error).rstrip()}\n\nThe app in {str(app_dir)!r} does not load.", file=sys.stderr)
    except KeyboardInterrupt:
        code = 0
    return leave(code)


def _worker_count(text: str) -> int:
    try:
        return parse_worker_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


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


def _use_azurite(stack: contextlib.ExitStack, *, with_samples: bool) -> None:
    from local_host.azurite import HOW_TO_INSTALL, AzuriteError, azurite_settings, installed_azurite, running_azurite

    if os.environ.get("CHORUS_STORAGE", "").strip():
        print("Azurite is not started: CHORUS_STORAGE is set.", flush=True)
        return
    if installed_azurite() is None:
        print(f"The app has no storage: Azurite is not installed. To have it, {HOW_TO_INSTALL}.", flush=True)
        return
    try:
        azurite = stack.enter_context(running_azurite())
    except AzuriteError as error:
        print(f"The app has no storage: {error}", flush=True)
        return
    added = azurite_settings(azurite.connection_string, os.environ)
    os.environ.update(added)
    print(f"No storage is configured: the app uses Azurite, {azurite.connection_string}", flush=True)
    containers = f"{added['CHORUS_SOURCE_CONTAINERS']}, writes to {added['CHORUS_SINK_CONTAINERS']}"
    print(f"  It reads from the containers {containers}. What is in them is lost when the host stops.", flush=True)
    if with_samples:
        from local_host.demo_storage import SOURCE, put_samples

        count = put_samples(azurite.connection_string)
        print(f"  {count} documents of samples/ and docs/ are in the container {SOURCE}.", flush=True)


async def _serve(
    args: argparse.Namespace, app_dir: Path, settings: HostSettings, workers: WorkerPool, listener: socket.socket
) -> int:
    stop = _stop_event()  # before the import, which takes as long as a worker needs to load its app
    from local_host.host import Host

    port = listener.getsockname()[1]
    base_url = f"http://localhost:{port}"
    host = Host(app_dir, settings, workers, base_url, started=args.started, keep_ended=args.keep_ended)
    starting = asyncio.create_task(host.start(listener))
    stopping = asyncio.create_task(stop.wait())
    gone = asyncio.create_task(workers.gone())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            for line in starting.result():
                print(line)
            print(f"Worker processes: {', '.join(map(str, workers.pids))}")
            print(f"Host ready in {time.monotonic() - args.started:.1f} s: http://localhost:{port}", flush=True)
            host.start_timers()
            await asyncio.wait({stopping, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done() and not stopping.done():
            print("No worker process is left to run the app: the local host ends.", file=sys.stderr)
            return _NO_WORKER_LEFT
    finally:
        for task in (starting, stopping, gone):
            task.cancel()
        await asyncio.gather(starting, stopping, gone, return_exceptions=True)
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
    """Set what Core Tools sets."""
    os.environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
    os.environ.setdefault("WEBSITE_HOSTNAME", f"localhost:{port}")
    os.environ.setdefault("CHORUS_CALLBACK_LOOPBACK", "true")  # an app on this machine may call this machine
    os.environ["AzureWebJobsScriptRoot"] = str(app_dir)  # noqa: SIM112 - its name
