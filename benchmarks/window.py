"""Window: whether a run with more branches than `max_concurrency` keeps its places busy.

100 sections, at most 10 at a time, of calls whose times are log-normal with a mean of 200 ms. The work is the sum of
the times that the branches took, as their outcomes state them (`ended_at` - `started_at`); a tenth of it is what ten
places need that are never idle. "By the model" takes for the work only the times for which the model itself held the
calls: what the app needs to dispatch a call and to hear of its end then counts as idle. The last long call idles places
that nobody can fill: "floor" is the ratio by the model of a scheduler that costs nothing and gives the same calls to
the same places in the same order.

The timeline is of a run in which one of 100 calls takes 20 times as long. "Idle" is the time for which a place had
no call with the model while calls still waited: each change of calls costs the app some of it.
"""

from __future__ import annotations

import argparse
import heapq
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from figures import Figures, table, verdict
from measured_app import App, Measured, running_app

PLACES = 10
MEAN_S = 0.2
SLOW_FACTOR = 20
SLOW_BRANCH = 5
POLL_S = 0.01
EARLY = 0.95
"""Ask for the result from this share of the floor on."""
CHART_COLUMNS = 88
MATERIAL = "The checkout service times out when its pool of connections is exhausted. The alert was muted in March."


@dataclass(frozen=True, slots=True)
class Span:
    """A call: from its arrival at the model to its end, in seconds since the first arrival."""

    begun_s: float
    ended_s: float

    @property
    def took_s(self) -> float:
        """How long the model held it."""
        return self.ended_s - self.begun_s


@dataclass(frozen=True, slots=True)
class Window:
    """A measured run: the whole of it, and its calls."""

    run: Measured
    spans: list[Span]

    @property
    def work_s(self) -> float:
        """The work: the time that all branches took."""
        return self.run.branches_s

    @property
    def busy_s(self) -> float:
        """The work by the model: the time that it held all calls."""
        return sum(span.took_s for span in self.spans)

    @property
    def ratio(self) -> float:
        """The makespan as the caller sees it, over a tenth of the work."""
        return self.run.wall_s * PLACES / self.work_s

    @property
    def ratio_by_model(self) -> float:
        """The same over a tenth of the work by the model."""
        return self.run.wall_s * PLACES / self.busy_s

    @property
    def floor(self) -> float:
        """The ratio by the model of a scheduler that costs nothing."""
        return least_makespan_s([span.took_s for span in self.spans]) * PLACES / self.busy_s


def main() -> int:
    """Measure the runs, print table and timeline, and compare the median ratio with `--max-ratio`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--branches", type=int, default=100)
    parser.add_argument("--sigma", type=float, default=0.5, help="of the log-normal times; 0.5 gives p99 = 3.2 medians")
    parser.add_argument("--repeat", type=int, default=10, help="measured runs, with the seeds 1, 2, …, after a warm-up")
    parser.add_argument("--max-ratio", type=float, help="fail when the median ratio is above")
    args = parser.parse_args()
    windows = measure(args.branches, args.sigma, args.repeat)
    print(
        f"{args.branches} branches, {PLACES} at a time, calls of mean {MEAN_S * 1000:g} ms (log-normal, sigma "
        f"{args.sigma:g}); {args.repeat} runs after a warm-up"
    )
    print(table(["", "median", "min", "max"], rows(windows)))
    print("ratio: makespan from POST to result / (work / 10)")
    print(f"\nOne of {args.branches} calls takes {SLOW_FACTOR} times as long:")
    print(timeline(slow_run(args.branches)))
    return verdict("The median ratio", Figures(tuple(window.ratio for window in windows)).median, args.max_ratio)


def measure(branches: int, sigma: float, repeat: int) -> list[Window]:
    """One run a seed; the warm-up has seed 0."""
    median_s = MEAN_S / math.exp(sigma**2 / 2)
    with running_app("--latency", str(median_s), "--latency-sigma", str(sigma)) as app:
        return [measured(app, request_with(branches), drawn_s(branches, median_s, sigma, s), s)
                for s in range(repeat + 1)][1:]  # fmt: skip


def drawn_s(branches: int, median_s: float, sigma: float, seed: int) -> list[float]:
    """The times that the model will draw, to know when a result may be there."""
    from local_host.offline.faults import Faults

    faults = Faults(latency_s=median_s, latency_sigma=sigma, seed=seed)
    return [faults.draw(number).delay_s for number in range(1, branches + 1)]


def slow_run(branches: int) -> Window:
    """The second of two runs in which one call takes 20 times as long as all others."""
    extra_s = MEAN_S * (SLOW_FACTOR - 1)
    body = request_with(branches)
    body["sections"][SLOW_BRANCH]["instructions"] += f" [[fault:slow:{extra_s:g}]]"
    times_s = [MEAN_S + extra_s * (number == SLOW_BRANCH) for number in range(branches)]
    with running_app("--latency", str(MEAN_S), "--directed-faults") as app:
        return [measured(app, body, times_s, seed) for seed in range(2)][1]


def measured(app: App, body: dict[str, Any], expected_s: Sequence[float], seed: int) -> Window:
    """A run, with the model's record of its calls."""
    app.reset(seed)
    run = app.run("sectioning", body, least_s=EARLY * least_makespan_s(expected_s), poll_s=POLL_S)
    calls = app.calls()
    if len(calls) != len(expected_s):
        raise SystemExit(f"The run made {len(calls)} calls for {len(expected_s)} branches: something was retried.")
    first_s = calls[0]["arrived_s"]
    return Window(run, [Span(call["arrived_s"] - first_s, call["ended_s"] - first_s) for call in calls])


def request_with(branches: int) -> dict[str, Any]:
    """A sectioning request without a synthesis, so that all of its calls are branches."""
    sections = [
        {"name": f"section-{number}", "instructions": f"Name finding {number} of the report in one sentence."}
        for number in range(1, branches + 1)
    ]
    policy = {"max_concurrency": PLACES}
    return {"input": MATERIAL, "sections": sections, "aggregation": "concatenate", "policy": policy}


def least_makespan_s(times_s: Sequence[float]) -> float:
    """How long ten places take for these calls, in this order, when a change costs nothing."""
    free_at = [0.0] * PLACES
    for took_s in times_s:
        heapq.heappush(free_at, heapq.heappop(free_at) + took_s)
    return max(free_at)


def rows(windows: Sequence[Window]) -> list[list[str]]:
    """The lines of the table."""
    seconds = {
        "makespan": [window.run.wall_s for window in windows],
        "in the run": [window.run.stated_s for window in windows],
        "work / 10": [window.work_s / PLACES for window in windows],
        "work by the model / 10": [window.busy_s / PLACES for window in windows],
        "longest call": [max(span.took_s for span in window.spans) for window in windows],
    }
    ratios = {
        "ratio": [window.ratio for window in windows],
        "ratio by the model": [window.ratio_by_model for window in windows],
        "floor": [window.floor for window in windows],
    }
    lines = [row(name, values, " s") for name, values in seconds.items()]
    return lines + [row(name, values, "") for name, values in ratios.items()]


def row(name: str, values: Sequence[float], unit: str) -> list[str]:
    figures = Figures(tuple(values))
    return [name, *(f"{value:.3f}{unit}" for value in (figures.median, figures.least, figures.most))]


def timeline(window: Window) -> str:
    """A line a place, the long call as `#`, others as `=` and `-` in turn, nothing as a space; and what was idle."""
    places = in_places(window.spans)
    end_s = max(span.ended_s for span in window.spans)
    column_s = end_s / CHART_COLUMNS
    longest = max(window.spans, key=lambda span: span.took_s)
    waited_s = window.spans[-1].begun_s
    idle_s, gap_s = idle(places, waited_s)
    share, change_ms = 100 * idle_s / (PLACES * waited_s), 1000 * idle_s / changes(places)
    return "\n".join(
        [
            *(f"{number:>3} |{drawn(place, column_s, longest)}|" for number, place in enumerate(places, start=1)),
            f"    0 s{f'{end_s:.2f} s':>{CHART_COLUMNS - 2}}",
            f"The last call began at {waited_s:.2f} s. Until then {PLACES} places had {PLACES * waited_s:.2f} s, of "
            f"which {idle_s:.2f} s were idle",
            f"({share:.1f} %; {change_ms:.0f} ms a change of calls); no place was idle for longer than "
            f"{gap_s * 1000:.0f} ms.",
        ]
    )


def in_places(spans: Sequence[Span]) -> list[list[Span]]:
    """The calls by place: each in the one that has been free for the longest."""
    places: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: span.begun_s):
        free = [place for place in places if place[-1].ended_s <= span.begun_s]
        if free:
            min(free, key=lambda place: place[-1].ended_s).append(span)
        else:
            places.append([span])
    return places


def idle(places: Sequence[Sequence[Span]], until_s: float) -> tuple[float, float]:
    """Slot-seconds without a call before `until_s`, over all places, and the longest gap."""
    gaps: list[float] = []
    for place in places:
        edges = [0.0, *(edge for span in place for edge in (span.begun_s, span.ended_s)), until_s]
        gaps += [max(0.0, min(after, until_s) - before) for before, after in zip(edges[::2], edges[1::2], strict=True)]
    gaps += [until_s] * (PLACES - len(places))
    return sum(gaps), max(gaps)


def changes(places: Sequence[Sequence[Span]]) -> int:
    """How often a call followed another in its place."""
    return max(1, sum(len(place) - 1 for place in places))


def drawn(place: Sequence[Span], column_s: float, longest: Span) -> str:
    """One line of the chart: what the place held in the middle of each column's time."""
    line = [" "] * CHART_COLUMNS
    for number, span in enumerate(place):
        for column in range(CHART_COLUMNS):
            if span.begun_s <= (column + 0.5) * column_s < span.ended_s:
                line[column] = "#" if span is longest else "=-"[number % 2]
    return "".join(line)


if __name__ == "__main__":
    sys.exit(main())
