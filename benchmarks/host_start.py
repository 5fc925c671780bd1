"""Host start: from the start of the local host's process to the first answer 200 of `GET /api/health`."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from http.client import HTTPConnection, HTTPException

from figures import Figures, table

LIMIT_S = 30.0
POLL_S = 0.01


def main() -> int:
    """Measure, print, and compare with `--max-seconds`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="starts (default 5)")
    parser.add_argument("--max-seconds", type=float, help="fail above this median")
    args = parser.parse_args()
    figures = Figures(tuple(seconds_to_health() for _ in range(args.repeat)))
    print(f"From process start to the first 200 of GET /api/health, {args.repeat} starts")
    values = (figures.median, figures.least, figures.most)
    print(table(["", "median", "min", "max"], [["local host", *(f"{value:.2f} s" for value in values)]]))
    if args.max_seconds is not None and figures.median > args.max_seconds:
        print(f"The median is above the limit of {args.max_seconds:g} s.", file=sys.stderr)
        return 1
    return 0


def seconds_to_health() -> float:
    """Start the host and ask until it answers."""
    from local_host.demo_children import child

    port = free_port()
    started = time.perf_counter()
    with child("local host", "start", "--port", str(port), env=os.environ) as host:
        while not answers(port):
            if host.process.poll() is not None:
                raise SystemExit(f"The host ended before it answered. Its last lines:\n{host.last_lines}")
            if time.perf_counter() - started > LIMIT_S:
                raise SystemExit(f"The host did not answer within {LIMIT_S:g} s.")
            time.sleep(POLL_S)
        return time.perf_counter() - started


def answers(port: int) -> bool:
    """Whether the app says that it is up."""
    connection = HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
