"""What the demo prints: a bar while a run goes on, its results as a reader wants them, and the sums at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from pydantic import JsonValue
from rich import box
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local_host.demo_runs import DemoRun
from local_host.demo_stored import stored_report, work_line
from local_host.printing import as_text, clean, titled
from shared.contracts.branch import BranchOutcome
from shared.contracts.decision import VotingOutput
from shared.contracts.map_reduce import MapReduceOutput
from shared.contracts.run import RunResult, RunView
from shared.contracts.sectioning import SectioningOutput
from shared.contracts.stored_reduction import StoredReduction

PLAIN_WIDTH = 110
BAR_CELLS = 20
SHORT_CHARS = 16
STEPS_SHOWN = 10
"""Lines of a log that tell of a run's progress, at most, beside one for each phase."""
STATUS_STYLE = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "red", "timed_out": "red"}

Show = Callable[[RunView], None]


def make_console() -> Console:
    """A console for a person, or for a log: then of fixed width and without control characters."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH, color_system=None, force_terminal=False)
    return console


@contextmanager
def progress_of(console: Console, unit: str = "branches") -> Iterator[Show]:
    """A function that shows each view: as a moving bar, or in a log as a line for each change.

    `unit` is what a run's progress counts: branches, or documents or parts of them in storage.
    """
    if not console.is_terminal:
        yield _line_for_each_change(console, unit)
        return
    columns = [
        TextColumn("   {task.description}"),
        BarColumn(BAR_CELLS * 2),
        MofNCompleteColumn(),
        TextColumn("{task.fields[running]}"),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("pending", total=None, running="")

        def show(view: RunView) -> None:
            progress.update(
                bar,
                description=f"{_phase(view, unit):<11}",
                total=view.progress.total or None,
                completed=view.progress.done,
                running=_who_runs(view) or _pace(view),
            )

        yield show


def _line_for_each_change(console: Console, unit: str) -> Show:
    last_phase, last_done = "pending", 0

    def show(view: RunView) -> None:
        nonlocal last_phase, last_done
        done, total = view.progress.done, view.progress.total
        is_step = done - last_done >= max(1, total / STEPS_SHOWN) or last_done < done == total
        if view.phase == "pending" or (view.phase == last_phase and not is_step):
            return
        last_phase, last_done = view.phase, done
        console.print(Text(f"   {_phase(view, unit)}: {done} of {total} {unit} done" if total else f"   {view.phase}"))

    return show


def _phase(view: RunView, unit: str) -> str:
    """The phase by a name that fits what the run's progress counts."""
    return "map" if view.phase == "branches" and unit != "branches" else view.phase


def _pace(view: RunView) -> str:
    """How fast it goes, where that is known and something is left."""
    if view.rate is None or view.remaining_s is None:
        return ""
    return f"{view.rate:.1f} a second, {view.remaining_s:.0f} s left"


def _who_runs(view: RunView) -> str:
    names = [branch.name for branch in view.branches if branch.status in {"pending", "running"}]
    return f"{len(names)} agents at work" if len(names) > 1 else names[0] if names else ""


def print_run(console: Console, run: DemoRun, result: RunResult) -> None:
    """The run's results, then what they cost."""
    match result.output:
        case SectioningOutput():
            _print_sections(console, result, result.output)
        case VotingOutput():
            _print_decision(console, result.output)
        case MapReduceOutput():
            _print_reduction(console, result, result.output)
        case StoredReduction():
            console.print(*stored_report(result, result.output), sep="\n")
        case None:
            console.print(Text(f"{run.title} has no output.", style="red"))
    if result.error is not None:
        console.print(Text(f"   {result.error.code}: {clean(result.error.message)}", style="red"))
    last = [result.aggregation] if result.aggregation else []
    for outcome in [*result.outcomes, *result.reductions, *last, *result.judges]:
        if outcome.error is not None:
            console.print(Text(f"   {outcome.name} {outcome.status}: {clean(outcome.error.message)}", style="red"))
    console.print(Text(f"   {cost_line(result)}", style=STATUS_STYLE[result.status]))
    console.print()


def cost_line(result: RunResult) -> str:
    """Status, duration, branches or documents, calls and tokens in one line."""
    done, total = _done(result)
    work = f"{done} of {total} branches" if result.counts is None else work_line(result.counts)
    return (
        f"{result.status} ({result.completion_reason}) in {_seconds(result):.1f} s; "
        f"{work}, {result.usage.model_calls} model calls, {result.usage.total_tokens:,} tokens"
    )


def _done(result: RunResult) -> tuple[int, int]:
    """How many branches, or works in storage, succeeded, of how many."""
    if result.counts is not None:
        return result.counts.succeeded, result.counts.works
    return sum(outcome.succeeded for outcome in result.outcomes), len(result.outcomes)


def print_sums(console: Console, ended: Sequence[tuple[DemoRun, RunResult]]) -> None:
    """All runs as one table."""
    table = Table(box=box.SIMPLE_HEAD, title="All runs", title_justify="left")
    for heading in ("run", "pattern", "status", "reason"):
        table.add_column(heading)
    work = "parts done" if any(result.counts for _, result in ended) else "branches"
    for heading in ("duration", work, "model calls", "tokens"):
        table.add_column(heading, justify="right")
    for run, result in ended:
        done, total = _done(result)
        table.add_row(
            run.title,
            result.pattern,
            Text(result.status, style=STATUS_STYLE[result.status]),
            result.completion_reason,
            f"{_seconds(result):.2f} s",
            f"{done}/{total}",
            str(result.usage.model_calls),
            f"{result.usage.total_tokens:,}",
        )
    console.print(table)


def _print_sections(console: Console, result: RunResult, output: SectioningOutput) -> None:
    for outcome in result.outcomes:
        if outcome.succeeded:
            console.print(titled(outcome.name, outcome.output))
    console.print(titled("synthesis" if output.aggregation == "synthesize" else output.aggregation, output.content, 1))


def _print_decision(console: Console, output: VotingOutput) -> None:
    console.print(Padding(Markdown(output.markdown), (0, 3)))


def _print_reduction(console: Console, result: RunResult, output: MapReduceOutput) -> None:
    mapped = [outcome for outcome in result.outcomes if outcome.succeeded]
    if all(isinstance(outcome.output, dict) for outcome in mapped):
        console.print(_map_table(mapped))
    else:
        for outcome in mapped:
            console.print(titled(outcome.name, outcome.output))
    title = "map outputs, joined" if output.reduction == "concatenate" else "reduction"
    console.print(titled(title, output.content, 1))


def _map_table(mapped: Sequence[BranchOutcome]) -> Table:
    outputs = [cast(dict[str, Any], outcome.output) for outcome in mapped]
    table = Table(box=box.SIMPLE_HEAD, leading=1, padding=(0, 1, 0, 0), expand=True)
    table.add_column("document", no_wrap=True)
    keys = list(dict.fromkeys(key for output in outputs for key in output))
    for key in keys:
        _add_column(table, key.replace("_", " "), [output.get(key) for output in outputs])
    for outcome, output in zip(mapped, outputs, strict=True):
        table.add_row(outcome.name, *(Text(as_text(output.get(key))) for key in keys))
    return table


def _add_column(table: Table, heading: str, values: Sequence[JsonValue]) -> None:
    """Short values keep to themselves, long ones share the width that is left."""
    longest = max(len(as_text(value)) for value in values)
    if longest > SHORT_CHARS:
        table.add_column(heading, ratio=1)
    else:
        numeric = all(isinstance(value, int | float) for value in values)
        width = max(longest, *(len(word) for word in heading.split()))
        table.add_column(heading, justify="right" if numeric else "left", width=width)


def _seconds(result: RunResult) -> float:
    return (result.ended_at - result.started_at).total_seconds()
