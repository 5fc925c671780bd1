"""Load: 100 clients at once that start small runs, poll them to their results, and start the next, for 60 s.

Host, worker, offline model (50 ms a call) and clients are processes of their own. The runs are votes, sections and
map-reduces of three calls each, started, polled every 0.25 to 0.5 s, now and then started with an `Idempotency-Key`,
sent twice, viewed, listed or cancelled. Each result is checked: whatever is not as it must be is a defect, and one
defect fails the benchmark.

The host keeps everything that has ended, as a task hub does, until somebody purges it; here it keeps the last 200 runs
(`start --keep-ended`), so that what grows otherwise is seen. Memory is read each second: its growth is the median of
the last quarter ÷ the median of the second quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from figures import table, verdict
from load_clients import Record, loaded
from processes import MIB, cpu_s, resident_bytes

CLIENTS = 100
SECONDS = 60.0
WARM_UP_S = 3.0
LATENCY_S = 0.05
KEEP_ENDED = 200
SAMPLE_EVERY_S = 1.0


@dataclass
class Process:
    """One of the processes under load: its memory each second, and the CPU time that it took."""

    pid: int
    memory: list[int] = field(default_factory=list)
    cpu_s: float = 0.0


def main() -> int:
    """Print the tables; 1 if anything was not as it must be, or if memory grew above `--max-growth`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=CLIENTS, help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="(%(default)g)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the host (%(default)s)")
    parser.add_argument("--keep-ended", type=int, default=KEEP_ENDED, help="runs that the host keeps (%(default)s)")
    parser.add_argument("--max-growth", type=float, help="fail when the memory of host or a worker grew by more")
    args = parser.parse_args()
    record, took_s, processes = measured(args.clients, args.seconds, args.workers, args.keep_ended)
    print(f"{args.clients} clients for {args.seconds:g} s, calls of {LATENCY_S * 1000:g} ms; {args.workers} worker(s)")
    print(f"{record.runs:,} runs: {', '.join(f'{count:,} {status}' for status, count in record.ended.most_common())}")
    print(table(["a second", "", "in all"], rates(record, took_s)))
    print(table(["ms", "p50", "p99", "max", "count"], latencies(record)))
    headings = ["process", "second quarter", "last quarter", "growth", "CPU", "a run"]
    print(table(headings, usage(processes, took_s, record.runs)))
    for kind, count in record.defects.most_common():
        print(f"DEFECT, {count} times: {kind}", *record.examples[kind], sep="\n  ", file=sys.stderr)
    print(f"{sum(record.defects.values())} defects in {record.requests:,} requests")
    return (1 if record.defects or not record.runs else 0) | grown(processes, args.max_growth)


def grown(processes: Mapping[str, Process], limit: float | None) -> int:
    """The exit code: 1 when host or worker grew above `limit`; model and clients keep records of every call."""
    held = {name: process for name, process in processes.items() if name.startswith(("host", "worker"))}
    verdicts = [
        verdict(f"The growth of the memory of the {name}", growth(process.memory), limit)
        for name, process in held.items()
    ]
    return max(verdicts)


def measured(clients: int, seconds: float, workers: int, keep_ended: int) -> tuple[Record, float, dict[str, Process]]:
    """The record of all clients, how long they took with the ends of their last runs, and the processes."""
    with running_stack(workers, keep_ended) as (api_url, pids):
        asyncio.run(loaded(api_url, clients, WARM_UP_S, Record()))
        processes = {name: Process(pid) for name, pid in pids.items()}
        record = Record()
        with watched(list(processes.values())):
            began = time.perf_counter()
            asyncio.run(loaded(api_url, clients, seconds, record))
            took_s = time.perf_counter() - began
    return record, took_s, processes


@contextmanager
def running_stack(workers: int, keep_ended: int) -> Iterator[tuple[str, Mapping[str, int]]]:
    """The app and its model; yields the URL of the API, and the ids of the processes by their names."""
    from local_host.demo_children import child, environment_for
    from local_host.testing import running_host

    with ExitStack() as stack:
        arguments = ["offline-model", "--port", "0", "--latency", str(LATENCY_S)]
        model = stack.enter_context(child("offline model", *arguments, env=os.environ))
        model_url = model.wait_for(r"Offline model on (\S+)")[1]
        options = ["--workers", str(workers), "--keep-ended", str(keep_ended)]
        host = stack.enter_context(running_host(env=environment_for(model_url, os.environ), args=options))
        pids = {"host": host.pid}
        pids |= {f"worker {number}": pid for number, pid in enumerate(host.worker_pids, start=1)}
        yield f"{host.base_url}/api", {**pids, "model": model.process.pid, "clients": os.getpid()}


@contextmanager
def watched(processes: Sequence[Process]) -> Iterator[None]:
    """Read the memory of the processes each second of the block, and the CPU time that they took in it."""
    before = [cpu_s(process.pid) for process in processes]
    over = threading.Event()
    sampler = threading.Thread(target=_sample, args=(processes, over.wait), name="memory", daemon=True)
    sampler.start()
    try:
        yield
    finally:
        over.set()
        sampler.join()
    for process, taken_s in zip(processes, before, strict=True):
        process.cpu_s = cpu_s(process.pid) - taken_s


def _sample(processes: Sequence[Process], over: Callable[[float], bool]) -> None:
    while not over(SAMPLE_EVERY_S):
        for process in processes:
            process.memory.append(resident_bytes(process.pid))


def quarters(samples: Sequence[int]) -> tuple[float, float]:
    """The medians of the second and of the last quarter; the first one warms up."""
    quarter = len(samples) // 4
    if quarter == 0:
        raise SystemExit("Memory was read less than four times: let the clients work for longer (--seconds).")
    return statistics.median(samples[quarter : 2 * quarter]), statistics.median(samples[-quarter:])


def growth(samples: Sequence[int]) -> float:
    """How many times as much memory the last quarter had as the second."""
    second, last = quarters(samples)
    return last / second


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def rates(record: Record, took_s: float) -> list[list[str]]:
    """The lines of the first table."""
    starts = len(record.seconds["start"]) + len(record.seconds["start with a key"])
    counts = {"starts, re-sends among them": starts, "runs completed": record.runs, "requests": record.requests}
    return [[name, f"{count / took_s:.1f}", f"{count:,}"] for name, count in counts.items()]


def latencies(record: Record) -> list[list[str]]:
    """The lines of the second table: each kind of request, and whole runs."""
    kinds = {**record.seconds, "run, from start to result": record.runs_s}
    return [
        [kind, *(f"{1_000 * value:,.0f}" for value in (percentile(s, 50), percentile(s, 99), max(s))), f"{len(s):,}"]
        for kind, s in kinds.items()
        if s
    ]


def usage(processes: Mapping[str, Process], took_s: float, runs: int) -> list[list[str]]:
    """The lines of the third table."""
    return [
        [
            name,
            *(f"{value / MIB:.1f} MiB" for value in quarters(process.memory)),
            f"{growth(process.memory):.3f}",
            f"{100 * process.cpu_s / took_s:.0f} %",
            f"{1_000 * process.cpu_s / max(runs, 1):.1f} ms",
        ]
        for name, process in processes.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
