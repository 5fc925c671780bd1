"""The command line: `start`, `offline-model` and `demo`, each imported only when it is chosen."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

COMMANDS = {
    "start": ("local_host.start", "run a Durable Functions app on this machine"),
    "offline-model": ("local_host.offline_model", "serve an OpenAI-compatible API that has no model behind it"),
    "demo": ("local_host.demo", "run the three patterns on the samples and print the results"),
}

_STOP_LIMIT_S = 5.0
_PROGRAM = "python -m local_host"
_DESCRIPTION = """\
Development tools that need no cloud, no key and no Azure Functions Core Tools.
See `start --help` for what the local host is and is not."""


def main(argv: Sequence[str] | None = None, *, started: float | None = None) -> int:
    """Run the chosen command and return its exit code; `started` is the process start on the monotonic clock."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = _parser(_chosen(arguments)).parse_args(arguments)
    args.started = time.monotonic() if started is None else started
    if args.end_with_stdin:
        threading.Thread(target=_end_with_stdin, name="stdin", daemon=True).start()
    return int(args.run(args))


def _end_with_stdin() -> None:
    """Stop this process when its standard input closes: whoever started it is gone."""
    # Not through `sys.stdin`: a daemon thread that holds its lock makes the interpreter abort at its end.
    while os.read(0, 4096):
        pass
    signal.raise_signal(signal.SIGTERM)
    # This thread ends with the process. When the stop hangs, nobody is left to end the process by force.
    time.sleep(_STOP_LIMIT_S)
    os._exit(1)


def _chosen(arguments: Sequence[str]) -> str | None:
    """Return the command that the arguments name, which is the only one whose module is needed."""
    return arguments[0] if arguments and arguments[0] in COMMANDS else None


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM, description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module_name, summary) in COMMANDS.items():
        if name != chosen:
            commands.add_parser(name, help=summary)
            continue
        module = importlib.import_module(module_name)
        command = commands.add_parser(
            name,
            help=summary,
            description=getattr(module, "DESCRIPTION", summary),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.add_argument("--end-with-stdin", action="store_true", help=argparse.SUPPRESS)
        command.set_defaults(run=module.run)
    return parser
