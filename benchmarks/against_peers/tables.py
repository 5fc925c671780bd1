"""The benchmark's tables, in Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from job import TOPICS
from measurement import TOLERATED_BUSY_SHARE, TOLERATED_DELAY_S, Measurement

SECTIONS = len(TOPICS)
NONE = "-"


def under_faults(measurements: Sequence[Measurement], limit_s: float) -> str:
    """Who returns what, how soon, at which cost."""
    headings = [
        "",
        "returned",
        "all 20",
        "sections",
        "p50",
        "p99",
        "raised",
        "over the limit",
        "calls a run",
        "tokens a run",
        "machine busy",
    ]
    return markdown(headings, [fault_row(each, limit_s) for each in measurements])


def fault_row(measurement: Measurement, limit_s: float) -> list[str]:
    """A line of the table of faults."""
    runs = measurement.runs
    if not runs:
        return [measurement.row.title, "not run", *[NONE] * 9]
    count = len(runs)
    return [
        measurement.row.title,
        share(sum(run.returned for run in runs), count),
        share(sum(run.texts == SECTIONS for run in runs), count),
        share(sum(run.texts for run in runs), count * SECTIONS),
        time_to_result(measurement, 0.50, limit_s),
        time_to_result(measurement, 0.99, limit_s),
        str(sum(run.error is not None for run in runs)),
        str(sum(run.over_limit for run in runs)),
        f"{measurement.model_calls / count:.1f}",
        tokens_a_run(measurement),
        busy(measurement),
    ]


def time_to_result(measurement: Measurement, quantile: float, limit_s: float) -> str:
    """The time within which this share of all runs had a result; runs without one count as beyond the limit."""
    times = sorted(run.wall_s if run.returned else math.inf for run in measurement.runs)
    value = times[math.ceil(quantile * len(times)) - 1]
    return f"> {limit_s:g} s" if math.isinf(value) else f"{value:.2f} s"


def without_faults(alone: Sequence[Measurement], loaded: Sequence[Measurement], critical_path_s: float) -> str:
    """How much longer a run takes than its slowest call."""
    headings = ["", "alone: median", "min", "max", "under the load: median", "p99", "machine busy", "tokens a run"]
    loaded_by_key = {each.row.key: each for each in loaded}
    return markdown(
        headings,
        [
            [
                each.row.title,
                *spread(each, critical_path_s),
                *upper(loaded_by_key[each.row.key], critical_path_s),
                busy(loaded_by_key[each.row.key]),
                tokens_a_run(each),
            ]
            for each in alone
        ],
    )


def spread(measurement: Measurement, critical_path_s: float) -> list[str]:
    """Median, least and most overhead."""
    overheads = overheads_s(measurement, critical_path_s)
    if not overheads:
        return [without_overhead(measurement), NONE, NONE]
    return [milliseconds(value) for value in (statistics.median(overheads), overheads[0], overheads[-1])]


def upper(measurement: Measurement, critical_path_s: float) -> list[str]:
    """Median and 99th percentile of the overhead."""
    overheads = overheads_s(measurement, critical_path_s)
    if not overheads:
        return [without_overhead(measurement), NONE]
    return [milliseconds(statistics.median(overheads)), milliseconds(overheads[math.ceil(0.99 * len(overheads)) - 1])]


def without_overhead(measurement: Measurement) -> str:
    """Why there is no overhead to tell."""
    return "not whole" if measurement.runs else "not run"


def overheads_s(measurement: Measurement, critical_path_s: float) -> list[float]:
    """Seconds beyond the slowest call, in order; empty unless every run was whole, because there were no faults."""
    if any(run.texts != SECTIONS for run in measurement.runs):
        return []
    return sorted(run.wall_s - critical_path_s for run in measurement.runs)


def tokens_a_run(measurement: Measurement) -> str:
    """What the model counted, input and output; without faults the same for everyone who sends the same prompts."""
    return f"{measurement.tokens / len(measurement.runs):,.0f}" if measurement.runs else NONE


def busy(measurement: Measurement) -> str:
    """How busy the machine was, with a mark when that distorts the times."""
    if not measurement.runs:
        return NONE
    known = "?" if measurement.busy is None else f"{100 * measurement.busy:.0f} %"
    return f"{known} (!)" if measurement.distorted else known


def settings(measurements: Sequence[Measurement]) -> str:
    """What each row was told."""
    return markdown(["", "settings"], [[each.row.title, each.row.settings] for each in measurements])


def notes(measurements: Sequence[Measurement]) -> str:
    """What the libraries raised, which rows could not be run, and which say little."""
    lines = [f"- {each.row.title} was not run: {each.why_not}" for each in measurements if each.why_not]
    if any(each.distorted for each in measurements):
        lines.append(
            f"- (!) More than {TOLERATED_BUSY_SHARE:.0%} of the machine's processors were busy, or runs started more "
            f"than {TOLERATED_DELAY_S:g} s late: these are the times of an overloaded machine. Measure again on a "
            "quiet one, or with a longer --interval-s."
        )
    for each in measurements:
        if each.errors:
            kinds = ", ".join(f"{kind} ({count})" for kind, count in each.errors.most_common())
            lines.append(f"- {each.row.title} raised {kinds}")
    return "\n".join(dict.fromkeys(lines))


def share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.1f} %"


def milliseconds(seconds: float) -> str:
    """A short time."""
    return f"{seconds * 1000:.0f} ms"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that reads well as plain text too: the first column to the left, figures to the right."""
    figures = len(headings) > 2
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" if figures else "-" * width for width in widths[1:])]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if figures and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in [headings, rule, *rows]
    )
