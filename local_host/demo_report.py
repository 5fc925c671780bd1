"""What the demo prints: a bar while a run goes on, its results as a reader wants them, and the sums at the end."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from pydantic import JsonValue
from rich import box
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local_host.demo_runs import DemoRun
from shared.contracts.branch import BranchOutcome
from shared.contracts.decision import VotingOutput
from shared.contracts.map_reduce import MapReduceOutput
from shared.contracts.run import RunResult, RunView
from shared.contracts.sectioning import SectioningOutput

PLAIN_WIDTH = 110
BAR_CELLS = 20
SHORT_CHARS = 16
STATUS_STYLE = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "red", "timed_out": "red"}

Show = Callable[[RunView], None]


def make_console() -> Console:
    """A console for a person, or for a log: then of fixed width and without control characters."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH, color_system=None, force_terminal=False)
    return console


@contextmanager
def progress_of(console: Console) -> Iterator[Show]:
    """A function that shows each view: as a moving bar, or in a log as a line for each change."""
    if not console.is_terminal:
        yield _line_for_each_change(console)
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
                description=f"{view.phase:<11}",
                total=view.progress.total or None,
                completed=view.progress.done,
                running=_who_runs(view),
            )

        yield show


def _line_for_each_change(console: Console) -> Show:
    last = ""

    def show(view: RunView) -> None:
        nonlocal last
        if view.phase == "pending":
            return
        line = f"   {view.phase}: {view.progress.done} of {view.progress.total} branches done"
        if line != last:
            console.print(Text(line))
            last = line

    return show


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
        case None:
            console.print(Text(f"{run.title} has no output.", style="red"))
    last = [result.aggregation] if result.aggregation else []
    for outcome in [*result.outcomes, *result.reductions, *last, *result.judges]:
        if outcome.error is not None:
            console.print(Text(f"   {outcome.name} {outcome.status}: {_clean(outcome.error.message)}", style="red"))
    console.print(Text(f"   {cost_line(result)}", style=STATUS_STYLE[result.status]))
    console.print()


def cost_line(result: RunResult) -> str:
    """Status, duration, branches, calls and tokens in one line."""
    succeeded = sum(outcome.succeeded for outcome in result.outcomes)
    return (
        f"{result.status} ({result.completion_reason}) in {_seconds(result):.1f} s; "
        f"{succeeded} of {len(result.outcomes)} branches, {result.usage.model_calls} model calls, "
        f"{result.usage.total_tokens:,} tokens"
    )


def print_sums(console: Console, ended: Sequence[tuple[DemoRun, RunResult]]) -> None:
    """All runs as one table."""
    table = Table(box=box.SIMPLE_HEAD, title="All runs", title_justify="left")
    for heading in ("run", "pattern", "status", "reason"):
        table.add_column(heading)
    for heading in ("duration", "branches", "model calls", "tokens"):
        table.add_column(heading, justify="right")
    for run, result in ended:
        table.add_row(
            run.title,
            result.pattern,
            Text(result.status, style=STATUS_STYLE[result.status]),
            result.completion_reason,
            f"{_seconds(result):.2f} s",
            f"{sum(outcome.succeeded for outcome in result.outcomes)}/{len(result.outcomes)}",
            str(result.usage.model_calls),
            f"{result.usage.total_tokens:,}",
        )
    console.print(table)


def _print_sections(console: Console, result: RunResult, output: SectioningOutput) -> None:
    for outcome in result.outcomes:
        if outcome.succeeded:
            console.print(_panel(outcome.name, outcome.output))
    console.print(_panel("synthesis" if output.aggregation == "synthesize" else output.aggregation, output.content, 1))


def _print_decision(console: Console, output: VotingOutput) -> None:
    console.print(Padding(Markdown(output.markdown), (0, 3)))


def _print_reduction(console: Console, result: RunResult, output: MapReduceOutput) -> None:
    mapped = [outcome for outcome in result.outcomes if outcome.succeeded]
    if all(isinstance(outcome.output, dict) for outcome in mapped):
        console.print(_map_table(mapped))
    else:
        for outcome in mapped:
            console.print(_panel(outcome.name, outcome.output))
    title = "map outputs, joined" if output.reduction == "concatenate" else "reduction"
    console.print(_panel(title, output.content, 1))


def _map_table(mapped: Sequence[BranchOutcome]) -> Table:
    outputs = [cast(dict[str, Any], outcome.output) for outcome in mapped]
    table = Table(box=box.SIMPLE_HEAD, leading=1, padding=(0, 1, 0, 0), expand=True)
    table.add_column("document", no_wrap=True)
    keys = list(dict.fromkeys(key for output in outputs for key in output))
    for key in keys:
        _add_column(table, key.replace("_", " "), [output.get(key) for output in outputs])
    for outcome, output in zip(mapped, outputs, strict=True):
        table.add_row(outcome.name, *(Text(_as_text(output.get(key))) for key in keys))
    return table


def _add_column(table: Table, heading: str, values: Sequence[JsonValue]) -> None:
    """Short values keep to themselves, long ones share the width that is left."""
    longest = max(len(_as_text(value)) for value in values)
    if longest > SHORT_CHARS:
        table.add_column(heading, ratio=1)
    else:
        numeric = all(isinstance(value, int | float) for value in values)
        width = max(longest, *(len(word) for word in heading.split()))
        table.add_column(heading, justify="right" if numeric else "left", width=width)


def _panel(title: str, content: JsonValue, weight: int = 0) -> RenderableType:
    return Panel(
        Text(_as_text(content)),
        title=Text(title, style="bold"),
        title_align="left",
        box=box.HEAVY if weight else box.ROUNDED,
        padding=(0, 1),
    )


def _as_text(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return _clean(text.strip())


def _clean(text: str) -> str:
    """A model's text without control characters, which a terminal would obey."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"})


def _seconds(result: RunResult) -> float:
    return (result.ended_at - result.started_at).total_seconds()
