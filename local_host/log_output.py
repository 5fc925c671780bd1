"""Log lines on stderr: time, level and message, coloured on a terminal."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import override

# What these say at INFO is about their own inner workings; `--verbose` shows it.
_TALKATIVE = ("azure", "durabletask", "asyncio", "grpc", "aiohttp", "openai", "httpx", "httpx2")
_COLOURS = {logging.DEBUG: "90", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}
LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}


class _Formatter(logging.Formatter):
    def __init__(self, *, coloured: bool) -> None:
        super().__init__("%(levelname)s %(message)s")
        self._coloured = coloured

    @override
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        text = f"[{moment}Z] {super().format(record)}"
        colour = _COLOURS.get(record.levelno) if self._coloured else None
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


def function_level(log_levels: Mapping[str, str]) -> int:
    """Return the level that `logging.logLevel` of host.json gives for what functions log."""
    levels = {category.lower(): level for category, level in log_levels.items()}
    wanted = levels.get("function") or levels.get("default") or "Information"
    return LEVELS.get(wanted.lower(), logging.INFO)


def write_lines_at_once() -> None:
    """Make what is printed appear in step with the log, also when the output goes to a file."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)


def configure_logging(log_levels: Mapping[str, str], *, verbose: bool) -> None:
    """Send every record to stderr, from the level that `logging.logLevel` of host.json gives for functions."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(coloured=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else function_level(log_levels))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.WARNING)
    if not verbose:
        # The worker library logs what it then raises: each failure is shown once, by whoever catches it.
        logging.getLogger("azure.functions").addFilter(lambda record: record.levelno < logging.ERROR)
        # What is left for the HTTP library to report are requests that are not HTTP.
        logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    logging.captureWarnings(capture=True)
