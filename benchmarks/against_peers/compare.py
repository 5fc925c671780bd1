"""Side by side: the same job of twenty calls, done by Chorus and by other libraries, against the same failing model.

Each row has an offline model of its own, with the same latencies, faults and seed, and is a process of its own. The
rows come one after the other: the next begins when the last run of the one before has started, so that what overlaps
is only waiting for calls that hang. `benchmarks/against_peers/README.md` says how to read the tables.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent.parent))  # a script finds its own folder, and needs the app's

import tables  # noqa: E402
from measurement import Conditions, Measurement, measured  # noqa: E402
from rows import PACKAGES, ROWS, Row  # noqa: E402

LATENCY_S = 0.2
LATENCY_SIGMA = 0.3
FAULTS = {"throttle": 0.05, "error": 0.05, "hang": 0.02, "cut": 0.01}
"""Shares of calls: 429 with `Retry-After: 1`, 500, no answer ever, connection cut in the middle of the answer."""
FIXED_LATENCY_S = 0.5
ALONE_RUNS = 20
LOADED_RUNS = 40
PEERS_PYTHON = HERE.parent.parent / ".venv-peers" / "bin" / "python"
PACKAGE_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def main() -> int:
    """Measure the rows and print the tables."""
    args = arguments()
    rows = [row for row in ROWS if not args.only or row.key in args.only]
    print(f"Versions: {versions(rows, args.peers_python)}\n")
    failing = under_faults(rows, args)
    whole = [row for row in rows if row.ships_so]
    alone, loaded = (without_faults(whole, args, runs, interval_s) for runs, interval_s in (
        (ALONE_RUNS, 0.0), (LOADED_RUNS, args.interval_s),
    ))  # fmt: skip
    print(f"{args.runs} runs a row, one every {args.interval_s:g} s, seed {args.seed}, limit {args.limit_s:g} s:\n")
    print(tables.under_faults(failing, args.limit_s), "\n")
    print(tables.notes([*failing, *alone, *loaded]), "\n")
    print(tables.settings(failing), "\n")
    print(f"Without faults, time beyond the slowest call ({FIXED_LATENCY_S:g} s each); {ALONE_RUNS} runs one after the")
    print(f"other, and {LOADED_RUNS} runs under the load of above (one every {args.interval_s:g} s):\n")
    print(tables.without_faults(alone, loaded, FIXED_LATENCY_S))
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="runs a row under faults (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="which calls fail (default 1)")
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=[row.key for row in ROWS], help="some rows only")
    parser.add_argument("--limit-s", type=float, default=30.0, help="the deadline of a run in seconds (default 30)")
    parser.add_argument("--interval-s", type=float, default=0.25, help="seconds between starts of runs (default 0.25)")
    parser.add_argument("--peers-python", type=Path, default=PEERS_PYTHON, help="the Python with the peers' packages")
    args = parser.parse_args()
    if args.runs < 1 or args.interval_s <= 0 or args.limit_s <= 0:
        parser.error("--runs, --interval-s and --limit-s must be above 0")
    if not args.peers_python.exists():
        parser.error(f"there is no {str(args.peers_python)!r}: run `make bench-peers`, which sets it up")
    return args


def versions(rows: Sequence[Row], peers_python: Path) -> str:
    """The versions of what is compared."""
    names = sorted({name for row in rows for name in PACKAGES[row.module]})
    done = subprocess.run([peers_python, "-c", PACKAGE_VERSIONS, *names], capture_output=True, text=True, check=True)
    found = {
        **json.loads(done.stdout),
        "azure-functions-durable": importlib.metadata.version("azure-functions-durable"),
    }
    return ", ".join(f"{name} {version}" for name, version in found.items())


def under_faults(rows: Sequence[Row], args: argparse.Namespace) -> list[Measurement]:
    """The rows against the failing model."""
    rates = [option for kind, rate in FAULTS.items() for option in (f"--{kind}-rate", str(rate))]
    latency = ["--latency", str(LATENCY_S), "--latency-sigma", str(LATENCY_SIGMA), "--seed", str(args.seed)]
    conditions = Conditions(
        model_options=[*latency, *rates],
        runs=args.runs,
        interval_s=args.interval_s,
        limit_s=args.limit_s,
        peers_python=args.peers_python,
    )
    return one_after_the_other(rows, conditions)


def without_faults(rows: Sequence[Row], args: argparse.Namespace, runs: int, interval_s: float) -> list[Measurement]:
    """The rows against a model that answers every call after the same time."""
    conditions = Conditions(
        model_options=["--latency", str(FIXED_LATENCY_S)],
        runs=runs,
        interval_s=interval_s,
        limit_s=args.limit_s,
        peers_python=args.peers_python,
    )
    return one_after_the_other(rows, conditions)


def one_after_the_other(rows: Sequence[Row], conditions: Conditions) -> list[Measurement]:
    """Begin a row when all runs of the one before have started; wait for all."""
    with ThreadPoolExecutor(max_workers=max(1, len(rows))) as pool:
        pending = [begun(pool, row, conditions) for row in rows]
        return [future.result() for future in pending]


def begun(pool: ThreadPoolExecutor, row: Row, conditions: Conditions) -> Future[Measurement]:
    """Begin `row` and come back when its last run has started."""
    all_started = threading.Event()
    tell: Callable[[], None] = all_started.set
    print(f"{row.title}: {conditions.runs} runs …", file=sys.stderr, flush=True)
    future = pool.submit(measured, row, conditions, tell)
    all_started.wait()
    return future


if __name__ == "__main__":
    sys.exit(main())
