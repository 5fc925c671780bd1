"""Tail: what hedging does to the slowest runs, and what it costs.

Runs of 50 branches side by side, each call with a chance of 5 % of taking 10 times as long. Each run is done with and
without hedging, one after the other and in turns first; both draw the times of their first 50 calls from the same
seed, and a second call for a branch has a draw of its own. A run's time is that from its `started_at` to its
`ended_at`, so it does not depend on how often one asks. Extra calls are what the model counted beyond the plain runs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from figures import Figures, table, verdict
from measured_app import App, Measured, running_app

STRAGGLER_RATE = 0.05
STRAGGLER_FACTOR = 10
POLL_S = 0.05
HEDGED = '{"hedge": "p95"}'
MATERIAL = "The checkout service times out when its pool of connections is exhausted. The alert was muted in March."


@dataclass(frozen=True, slots=True)
class Sample:
    """One run, and how many calls it took."""

    run: Measured
    calls: int


def main() -> int:
    """Measure pairs of runs, print the table, and compare with `--max-ratio` and `--max-extra`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--branches", type=int, default=50)
    parser.add_argument(
        "--latency", type=float, default=0.3, metavar="SECONDS", help="of a call that does not straggle"
    )
    parser.add_argument(
        "--repeat", type=int, default=100, help="runs of each kind, with the seeds 1, 2, …, after a warm-up"
    )
    parser.add_argument("--hedged-policy", type=json.loads, default=HEDGED, metavar="JSON", help=f"default {HEDGED}")
    parser.add_argument("--max-ratio", type=float, help="fail when p99 with hedging / p99 without is above")
    parser.add_argument("--max-extra", type=float, metavar="PERCENT", help="fail when the extra calls are above")
    args = parser.parse_args()
    plain, hedged = measure(args.branches, args.latency, args.repeat, args.hedged_policy)
    print(
        f"{args.branches} branches, each call {args.latency:g} s or, at {STRAGGLER_RATE:.0%}, {STRAGGLER_FACTOR} times "
        f"that; {args.repeat} runs of each kind after a warm-up; hedged: {json.dumps(args.hedged_policy)}"
    )
    print(table(["", "p50", "p99", "min", "max", "calls a run", "most"], [row("plain", plain), row("hedged", hedged)]))
    ratio, extra = p99_s(hedged) / p99_s(plain), extra_percent(plain, hedged)
    print(f"p99 hedged / plain: {ratio:.3f}; p50: {p50_s(hedged) / p50_s(plain):.3f}; extra calls: {extra:.1f} %")
    if args.repeat < 100:
        print(f"(the p99 of {args.repeat} runs is their slowest)")
    return verdict("p99 with hedging / without", ratio, args.max_ratio) | verdict(
        "The share of extra calls (%)", extra, args.max_extra
    )


def measure(
    branches: int, latency_s: float, repeat: int, hedged_policy: dict[str, Any]
) -> tuple[list[Sample], list[Sample]]:
    """The plain and the hedged runs, a pair a seed; the pair with seed 0 is the warm-up."""
    plain: list[Sample] = []
    hedged: list[Sample] = []
    kinds = [(plain, request_with(branches, {})), (hedged, request_with(branches, hedged_policy))]
    stragglers = ("--straggler-rate", str(STRAGGLER_RATE), "--straggler-factor", str(STRAGGLER_FACTOR))
    with running_app("--latency", str(latency_s), *stragglers) as app:
        for seed in range(repeat + 1):
            for samples, body in kinds if seed % 2 else reversed(kinds):
                samples.append(sample(app, body, latency_s, seed))
    return plain[1:], hedged[1:]


def sample(app: App, body: dict[str, Any], latency_s: float, seed: int) -> Sample:
    """One run. Calls that the run before has abandoned may still be with the model; they do not count."""
    app.reset(seed)
    run = app.run("sectioning", body, least_s=latency_s, poll_s=POLL_S)
    return Sample(run, app.stats()["calls"])


def request_with(branches: int, policy: dict[str, Any]) -> dict[str, Any]:
    """A sectioning request without a synthesis, so that all of its calls are branches."""
    sections = [
        {"name": f"section-{number}", "instructions": f"Name finding {number} of the report in one sentence."}
        for number in range(1, branches + 1)
    ]
    return {"input": MATERIAL, "sections": sections, "aggregation": "concatenate", "policy": policy}


def row(name: str, samples: Sequence[Sample]) -> list[str]:
    """A line of the table."""
    times, calls = Figures(times_s(samples)), [sample.calls for sample in samples]
    seconds = [f"{value:.3f} s" for value in (times.median, p99_s(samples), times.least, times.most)]
    return [name, *seconds, f"{sum(calls) / len(calls):.2f}", str(max(calls))]


def times_s(samples: Sequence[Sample]) -> tuple[float, ...]:
    """The runs' own times."""
    return tuple(sample.run.stated_s for sample in samples)


def p50_s(samples: Sequence[Sample]) -> float:
    """The median run."""
    return Figures(times_s(samples)).median


def p99_s(samples: Sequence[Sample]) -> float:
    """The run that 99 % of all runs are not slower than, by nearest rank."""
    return sorted(times_s(samples))[math.ceil(0.99 * len(samples)) - 1]


def extra_percent(plain: Sequence[Sample], hedged: Sequence[Sample]) -> float:
    """How many more calls the hedged runs took, of those of the plain ones."""
    plain_calls = sum(sample.calls for sample in plain)
    return 100 * (sum(sample.calls for sample in hedged) - plain_calls) / plain_calls


if __name__ == "__main__":
    sys.exit(main())
