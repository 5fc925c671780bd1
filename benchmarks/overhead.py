"""Overhead: how much longer a run takes than its model calls must.

N sections of 500 ms each run side by side, then a synthesis of 500 ms: with no overhead the run takes 1.0 s, whatever
N is. The makespan is the wall time from sending the POST to holding the result, with the local host and the offline
model as processes of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack
from datetime import datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from figures import Figures, table, verdict

LATENCY_S = 0.5
IDEAL_S = 2 * LATENCY_S
JUDGED_BRANCHES = 20
POLL_S = 0.01
LIMIT_S = 60.0
MATERIAL = (
    "The checkout service times out when the pool of database connections is exhausted. Connections are opened for "
    "each order line and returned late. The alert on the pool was muted in March. Rolling back took eleven minutes."
)


def main() -> int:
    """Measure each size, print the table, and compare the ratio at 20 branches with `--max-ratio`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branches", type=int, nargs="+", default=[1, 5, JUDGED_BRANCHES, 50, 100])
    parser.add_argument("--repeat", type=int, default=10, help="measured runs of each size, after a warm-up")
    parser.add_argument("--max-ratio", type=float, help=f"fail when the ratio at {JUDGED_BRANCHES} branches is above")
    args = parser.parse_args()
    if args.max_ratio is not None and JUDGED_BRANCHES not in args.branches:
        parser.error(f"--max-ratio needs {JUDGED_BRANCHES} among --branches")
    with ExitStack() as stack:
        client = Client(start_app(stack))
        measured = {branches: measure(client, branches, args.repeat) for branches in args.branches}
    print(f"N sections of {LATENCY_S:g} s, then a synthesis of {LATENCY_S:g} s; {args.repeat} runs after a warm-up")
    print(table(["branches", "median", "min", "max", "ratio", "in the run"], [row(*item) for item in measured.items()]))
    print(f"ratio: median / {IDEAL_S:g} s; in the run: median of ended_at - started_at")
    ratio = measured[JUDGED_BRANCHES][0].median / IDEAL_S if JUDGED_BRANCHES in measured else 0.0
    return verdict(f"The ratio at {JUDGED_BRANCHES} branches", ratio, args.max_ratio)


def start_app(stack: ExitStack) -> str:
    """Start the offline model and the app; return the URL of the API."""
    from local_host.demo_children import environment_for, host, offline_model

    model_url = stack.enter_context(offline_model(os.environ, "--latency", str(LATENCY_S)))
    return stack.enter_context(host(environment_for(model_url, os.environ)))


def measure(client: Client, branches: int, repeat: int) -> tuple[Figures, Figures]:
    """Makespans as the caller sees them, and durations as the run states them."""
    runs = [client.makespan(request_with(branches)) for _ in range(repeat + 1)][1:]
    return Figures(tuple(wall for wall, _ in runs)), Figures(tuple(stated for _, stated in runs))


def request_with(branches: int) -> bytes:
    """A sectioning request of so many sections."""
    sections = [
        {"name": f"section-{number}", "instructions": f"Name finding {number} of the report in one sentence."}
        for number in range(1, branches + 1)
    ]
    return json.dumps({"input": MATERIAL, "sections": sections}).encode()


def row(branches: int, figures: tuple[Figures, Figures]) -> list[str]:
    """A line of the table."""
    wall, stated = figures
    spans = [f"{seconds:.3f} s" for seconds in (wall.median, wall.least, wall.most)]
    return [str(branches), *spans, f"{wall.median / IDEAL_S:.3f}", f"{stated.median:.3f} s"]


class Client:
    """One connection to the API, kept open."""

    def __init__(self, api_url: str) -> None:
        url = urlsplit(api_url)
        self._path = url.path
        self._connection = HTTPConnection("127.0.0.1", url.port or 80, timeout=LIMIT_S)

    def makespan(self, body: bytes) -> tuple[float, float]:
        """Seconds from the POST to the result, and from `started_at` to `ended_at`."""
        started = time.perf_counter()
        _, accepted = self._call("POST", f"{self._path}/sectioning", body)
        path = urlsplit(accepted["status_url"]).path
        time.sleep(max(0.0, started + IDEAL_S * 0.98 - time.perf_counter()))  # nothing can be done before
        status, result = self._call("GET", path)
        while status == 202:
            if time.perf_counter() - started > LIMIT_S:
                raise SystemExit(f"Run {accepted['id']!r} has no result after {LIMIT_S:g} s.")
            time.sleep(POLL_S)
            status, result = self._call("GET", path)
        wall_s = time.perf_counter() - started
        if result["status"] != "succeeded":
            raise SystemExit(f"Run {accepted['id']!r} ended {result['status']}: {result['completion_reason']}")
        stated = datetime.fromisoformat(result["ended_at"]) - datetime.fromisoformat(result["started_at"])
        return wall_s, stated.total_seconds()

    def _call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        text = response.read()
        if response.status not in {200, 202}:
            raise SystemExit(f"{method} {path} answered {response.status}: {text.decode('utf-8', 'replace')}")
        return response.status, json.loads(text)


if __name__ == "__main__":
    sys.exit(main())
