"""A row's program in a process of its own, in the peers' environment: reads an `Order` on stdin, reports on stdout.

Runs start by the clock, every `interval_s`, whether or not earlier ones have ended; with an interval of 0 each waits
for the one before. The report is one JSON line an event: by the clock `started` when the last run has started; then
`done` or `cannot_run`. Whatever the libraries print goes to stderr.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, TextIO
from urllib.request import ProxyHandler, Request, build_opener

from job import CannotRun, Run, Setup
from machine_load import ProcessorTime, busy_share
from measured_run import MeasuredRun

WARM_UP_LIMIT_S = 3.0
SETTLE_LIMIT_S = 5.0
SETTLE_POLL_S = 0.1
ADMIN_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to run and how often."""

    module: str
    setup: str
    """The `Setup` as JSON."""
    admin_url: str
    """The offline model's `/admin`, to reset it after the warm-up and to read its counts at the end."""
    runs: int
    interval_s: float
    patience_s: float
    """How long a caller waits for a run."""


def main() -> int:
    """Carry out the order; exit code 0 also when the library cannot do it, because the report says so."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as report:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        order = Order(**json.loads(sys.stdin.read()))
        try:
            tell(report, "done", **asyncio.run(carried_out(order, report)))
        except (CannotRun, ImportError) as exc:
            tell(report, "cannot_run", why=f"{type(exc).__name__}: {exc}")
    return 0


def tell(report: TextIO, event: str, **fields: Any) -> None:
    """One line of the report."""
    print(json.dumps({"event": event, **fields}), file=report, flush=True)


async def carried_out(order: Order, report: TextIO) -> dict[str, Any]:
    """The measured runs, and what the model counted meanwhile."""
    program = importlib.import_module(f"peers.{order.module}")
    async with program.opened(Setup.from_json(order.setup)) as run:
        await warm_up(run)
        await settled(order.admin_url)
        await admin(order.admin_url, "reset", method="POST")
        measured, busy = await all_runs(run, order, report)
        await settled(order.admin_url)
        statistics = await admin(order.admin_url, "stats")
    return {"runs": [asdict(each) for each in measured], "statistics": statistics, "busy": busy}


async def warm_up(run: Run) -> None:
    """One run that nobody counts, so that lazy imports and first connections are paid for; it may meet faults."""
    outcome = await timed(run, WARM_UP_LIMIT_S, time.perf_counter())
    print(f"warm-up: {outcome}", file=sys.stderr)


async def all_runs(run: Run, order: Order, report: TextIO) -> tuple[list[MeasuredRun], float | None]:
    """Start each run when its time has come; a run that takes long delays no other. Also how busy the machine was."""
    before = ProcessorTime.now()
    if order.interval_s == 0:
        measured = [await timed(run, order.patience_s, time.perf_counter()) for _ in range(order.runs)]
        return measured, busy_share(before)
    begin = time.perf_counter()
    under_way: list[asyncio.Task[MeasuredRun]] = []
    for number in range(order.runs):
        due = begin + number * order.interval_s
        await asyncio.sleep(due - time.perf_counter())
        under_way.append(asyncio.create_task(timed(run, order.patience_s, due)))
    busy = busy_share(before)
    tell(report, "started")
    return await asyncio.gather(*under_way), busy


async def timed(run: Run, patience_s: float, due: float) -> MeasuredRun:
    """One run with its end, whatever that is. `due` is when the clock would have it start."""
    started = time.perf_counter()
    late_s = started - due
    error = None
    texts = []
    try:
        async with asyncio.timeout(patience_s) as patience:
            texts = await run()
    except CannotRun:
        raise
    except Exception as exc:  # noqa: BLE001 what a library raises is what is measured
        error = type(exc).__name__
    wall_s = time.perf_counter() - started
    if patience.expired():
        return MeasuredRun(wall_s, late_s, over_limit=True)
    return MeasuredRun(wall_s, late_s, sum(bool(text) for text in texts), error)


async def settled(admin_url: str) -> None:
    """Wait until the model has no call under way; calls that hang and that nobody cancelled are not waited for long."""
    give_up = time.perf_counter() + SETTLE_LIMIT_S
    while (await admin(admin_url, "stats"))["active"] and time.perf_counter() < give_up:  # noqa: ASYNC110 it is polled over HTTP
        await asyncio.sleep(SETTLE_POLL_S)


async def admin(admin_url: str, what: str, method: str = "GET") -> dict[str, Any]:
    """An answer of the offline model about itself."""
    return await asyncio.to_thread(ask, Request(f"{admin_url}/{what}", method=method))


def ask(request: Request) -> dict[str, Any]:
    """JSON over HTTP, past any proxy."""
    with build_opener(ProxyHandler({})).open(request, timeout=ADMIN_LIMIT_S) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
