"""The offline model: an OpenAI-compatible server with no model behind it, for development, tests and benchmarks.

It answers `/v1/responses` and `/v1/chat/completions` from the prompt's own sentences, deterministically, and says so by
its name, `offline-extractive`. See docs/decisions/0002-offline-model.md for what it can and cannot stand in for.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from local_host.offline.faults import Faults, add_fault_arguments, faults_from_arguments
from local_host.offline.server import OfflineModel

__all__ = ["Faults", "OfflineModel", "add_arguments", "run"]

DEFAULT_PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `offline-model`."""
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"default {DEFAULT_PORT}; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    parser.add_argument(
        "--directed-answers", action="store_true", help="obey markers in prompts: [[answer:JSON]] is what is answered"
    )
    add_fault_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl-C; the exit code."""
    try:
        faults = faults_from_arguments(args)
    except ValueError as exc:
        print(f"offline-model: {exc}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(args, faults))
    except OSError as exc:
        print(
            f"offline-model: cannot listen on {args.host}:{args.port}: {exc.strerror}. Choose another --port.",
            file=sys.stderr,
        )
        return 1
    return 0


async def _serve(args: argparse.Namespace, faults: Faults) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with OfflineModel(
        faults=faults,
        directed_faults=args.directed_faults,
        directed_answers=args.directed_answers,
        host=args.host,
        port=args.port,
    ) as model:
        print(f"Offline model on {model.base_url}", flush=True)
        await stop.wait()


def main() -> int:
    """The module as a program of its own."""
    parser = argparse.ArgumentParser(prog="python -m local_host.offline_model", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
