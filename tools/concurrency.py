"""How many calls may be in flight, from the limits of a model's deployment: a value for `policy.max_concurrency`.

    python -m tools.concurrency --tpm 300000 --rpm 1800 --tokens 3500 --seconds 12 --runs 3

By Little's law, calls in flight = calls a second x seconds a call. `docs/operations.md#rate-limits` explains it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

SECONDS_A_MINUTE = 60.0
USUAL_SHARE = 0.8
"""Of the limits. The rest is for retries, hedges and repairs, and for minutes in which calls are longer than usual."""


def calls_a_minute(*, tpm: float, rpm: float, tokens: float) -> float:
    """What a deployment serves, by whichever limit comes first. `tokens` are those that a call counts against `tpm`."""
    return min(tpm / tokens, rpm)


def max_concurrency(
    *, tpm: float, rpm: float, tokens: float, seconds: float, runs: int = 1, share: float = USUAL_SHARE
) -> int:
    """Calls that each of `runs` runs at a time may have in flight, so that together they use `share` of the limits.

    `seconds` is what a call takes, on average. At least 1: a run that may not call does nothing.
    """
    in_flight = share * calls_a_minute(tpm=tpm, rpm=rpm, tokens=tokens) * seconds / SECONDS_A_MINUTE
    return max(1, int(in_flight / runs))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the rate and the number."""
    parser = argparse.ArgumentParser(description="A value for max_concurrency, from the limits of your deployment.")
    parser.add_argument("--tpm", type=float, required=True, help="tokens a minute")
    parser.add_argument("--rpm", type=float, required=True, help="requests a minute")
    parser.add_argument("--tokens", type=float, required=True, help="tokens a call: its input and max_output_tokens")
    parser.add_argument("--seconds", type=float, required=True, help="seconds a call, on average")
    parser.add_argument("--runs", type=int, default=1, help="runs at a time (default: %(default)s)")
    parser.add_argument("--share", type=float, default=USUAL_SHARE, help="of the limits (default: %(default)s)")
    given = parser.parse_args(arguments)
    amounts = (given.tpm, given.rpm, given.tokens, given.seconds, given.runs, given.share)
    if not all(0 < amount < float("inf") for amount in amounts) or given.share > 1:
        parser.error("all must be above 0, and --share at most 1")
    rate = calls_a_minute(tpm=given.tpm, rpm=given.rpm, tokens=given.tokens)
    limit = "tokens" if given.tpm / given.tokens <= given.rpm else "requests"
    number = max_concurrency(**vars(given))
    print(f"The deployment serves {rate:.1f} calls a minute (bound by {limit}).")
    print(f"max_concurrency: {number} for each of {given.runs} at a time")


if __name__ == "__main__":
    main()
