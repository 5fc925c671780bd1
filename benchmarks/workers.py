"""Worker processes: how much sooner two of them finish a job of CPU-bound replay than one.

Many orchestrations run at once, each a long chain of steps that do nothing. With every step the worker replays the
whole history so far, and nobody waits for anything but the processor. A host with one worker and a host with two take
turns at the same job, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

from figures import Figures, table

HOST_JSON = '{"version": "2.0"}'
APP = """\
import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext):
    for step in range(context.get_input()):
        yield context.call_activity("nothing", step)
    return context.get_input()


@app.activity_trigger(input_name="step")
def nothing(step: int) -> int:
    return step
"""
FEW, MANY = 1, 2
LIMIT_S = 120


def main() -> int:
    """Measure both in turns, print the table and the ratios, and compare their median with `--min-ratio`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orchestrations", type=int, default=16, help="how many run at once (default 16)")
    parser.add_argument("--steps", type=int, default=100, help="length of each chain (default 100)")
    parser.add_argument("--repeat", type=int, default=5, help="measured jobs on each host, after a warm-up (default 5)")
    parser.add_argument("--min-ratio", type=float, help="fail when the median ratio is below")
    args = parser.parse_args()
    with ExitStack() as stack:
        ports = [start_host(stack, workers) for workers in (FEW, MANY)]
        rounds = [[job_s(port, args.orchestrations, args.steps) for port in ports] for _ in range(args.repeat + 1)][1:]
    print(
        f"{args.orchestrations} orchestrations of {args.steps} steps at once, {args.repeat} times after a warm-up, "
        f"in turns; {os.cpu_count()} cores"
    )
    few, many = (Figures(times) for times in zip(*rounds, strict=True))
    rows = [row(f"--workers {workers}", figures) for workers, figures in ((FEW, few), (MANY, many))]
    print(table(["", "median", "min", "max"], rows))
    ratios = Figures(tuple(one / other for one, other in rounds))
    print(f"speed-up, round by round: median {ratios.median:.2f}, min {ratios.least:.2f}, max {ratios.most:.2f}")
    if args.min_ratio is not None and ratios.median < args.min_ratio:
        print(f"The speed-up is {ratios.median:.2f}, below the limit of {args.min_ratio:g}.", file=sys.stderr)
        return 1
    return 0


def start_host(stack: ExitStack, workers: int) -> int:
    """Start a host with so many workers; return its port."""
    from local_host.demo_children import child

    app_dir = stack.enter_context(tempfile.TemporaryDirectory())
    Path(app_dir, "function_app.py").write_text(APP, "utf-8")
    Path(app_dir, "host.json").write_text(HOST_JSON, "utf-8")
    options = ("--port", "0", "--app-dir", app_dir, "--workers", str(workers))
    host = stack.enter_context(child("local host", "start", *options, env=os.environ))
    return int(host.wait_for(r"Host ready .*:(\d+)$")[1])


def job_s(port: int, orchestrations: int, steps: int) -> float:
    """Seconds from the start of the first orchestration to the end of the last."""
    with ThreadPoolExecutor(orchestrations) as clients:
        began = time.perf_counter()
        outputs = list(clients.map(lambda _: run_to_its_end(port, steps), range(orchestrations)))
        elapsed = time.perf_counter() - began
    if outputs != [steps] * orchestrations:
        raise SystemExit(f"Orchestrations ended with {outputs!r} instead of {steps} each.")
    return elapsed


def run_to_its_end(port: int, steps: int) -> object:
    """Start one orchestration and wait for its output in the same request."""
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        path = f"/runtime/webhooks/durabletask/orchestrators/chain?timeout={LIMIT_S}"
        connection.request("POST", path, json.dumps(steps), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise SystemExit(f"An orchestration did not end: {response.status} {text.decode('utf-8', 'replace')}")
        return json.loads(text)
    finally:
        connection.close()


def row(name: str, figures: Figures) -> list[str]:
    """A line of the table."""
    return [name, *(f"{seconds:.2f} s" for seconds in (figures.median, figures.least, figures.most))]


if __name__ == "__main__":
    sys.exit(main())
