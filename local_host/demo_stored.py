"""What the demo prints of a run in storage: the head of its answer or of its table, counts, and where the files are."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from rich import box
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from local_host.printing import as_text, clean, titled
from shared.contracts.run import Counts, RunResult
from shared.contracts.storage import StoredFiles
from shared.contracts.stored_reduction import Listed, StoredReduction

HEAD_LINES = 24
HEAD_CHARS = 2_400
HEAD_ROWS = 8
SHORT_CHARS = 24


def stored_report(result: RunResult, output: StoredReduction) -> Iterator[RenderableType]:
    """The answer, and below it what it rests on and where it is."""
    rows = _rows(output)
    if rows:
        yield _table(rows)
    else:
        yield _head(output)
    yield Text("   " + "; ".join(_basis(result, output)))
    if result.files is not None:
        yield Text("\n".join(f"   {line}" for line in _places(result.files)))


def work_line(counts: Counts) -> str:
    """How much of the work is done: `40 of 40 parts of 1 document`, or `38 of 40 documents`."""
    if counts.documents in {None, counts.works}:
        return f"{counts.succeeded:,} of {counts.works:,} documents"
    return f"{counts.succeeded:,} of {counts.works:,} parts of {_counted(counts.documents or 0, 'document')}"


def _basis(result: RunResult, output: StoredReduction) -> Iterator[str]:
    """How the answer was made, and what is not in it."""
    if output.calls_per_level:
        levels = " + ".join(map(str, output.calls_per_level))
        noun = "call" if sum(output.calls_per_level) == 1 else "calls"
        yield f"{output.reduction}: {levels} {noun}, level by level"
    else:
        yield f"{output.reduction}: without a call"
    yield f"rests on {_counted(output.documents, 'document')}"
    if result.missing:
        yield f"without {_named(Listed(count=len(result.missing), names=result.missing))}"
    if output.unreduced.count:
        yield f"not all of {_named(output.unreduced)}"
    if output.clipped.count:
        yield f"cut for the next call: {_named(output.clipped)}"
    if output.conflict_count:
        yield f"{output.conflict_count:,} conflicts"


def _places(files: StoredFiles) -> Iterator[str]:
    """The files by their names, below the folder that they are in."""
    yield f"files in the container {files.container!r}, folder {files.folder}"
    named = {
        "the answer": files.output,
        "one a document or part": f"{files.documents}NAME.json",
        "the same in lines": files.results,
        "failures": files.failures,
        "counts and hashes": files.manifest,
    }
    width = max(len(name.removeprefix(files.folder)) for name in named.values() if name)
    for meaning, name in named.items():
        if name is not None:
            yield f"  {name.removeprefix(files.folder):<{width}}  {meaning}"


def _rows(output: StoredReduction) -> list[list[str]]:
    """The rows of a table in CSV, its header first; none of anything else."""
    if output.reduction != "table" or not isinstance(output.content, str):
        return []
    return list(csv.reader(StringIO(output.content)))


def _table(rows: list[list[str]]) -> RenderableType:
    header, *records = rows
    folder = _common_folder([row[0] for row in records])
    shown = [[first.removeprefix(folder), *others] for first, *others in records[:HEAD_ROWS]]
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, caption_justify="left")
    for index, heading in enumerate(header):
        _add_column(table, heading.replace("_", " "), [row[index] for row in shown])
    for row in shown:
        table.add_row(*(Text(clean(value)) for value in row))
    if len(shown) < len(records):
        where = f"; names are those in {folder}" if folder else ""
        table.caption = Text(f"the first {len(shown)} of {len(records):,} rows{where}")
    return Padding(table, (1, 0, 1, 3))


def _common_folder(names: list[str]) -> str:
    """The folder that all names are in, with its slash; nothing if there is none."""
    folders = {name.rpartition("/")[0] for name in names}
    return f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""


def _add_column(table: Table, heading: str, values: list[str]) -> None:
    """Numbers stand on the right; short values keep to themselves, long ones share the width that is left."""
    longest = max(map(len, [*heading.split(), *values]))
    justify = "right" if all(map(_is_number, values)) else "left"
    if longest <= SHORT_CHARS:
        table.add_column(Text(clean(heading)), justify=justify, width=longest)
    else:
        table.add_column(Text(clean(heading)), justify=justify, ratio=1)


def _is_number(value: str) -> bool:
    try:
        float(value or "0")
    except ValueError:
        return False
    return True


def _head(output: StoredReduction) -> RenderableType:
    """The answer's beginning, up to the end of a line or a word; the file has all of it."""
    if output.content is None:
        return Text("   The answer is too long to be shown here.")
    whole = as_text(output.content)
    shown = "\n".join(whole[:HEAD_CHARS].splitlines()[:HEAD_LINES])
    if len(shown) < len(whole):
        shown = shown.rsplit(maxsplit=1)[0] + " …"
    left = len(whole) - len(shown)
    return titled(output.reduction, shown, 1, subtitle=f"{left:,} more characters in the file" if left > 0 else None)


def _named(listed: Listed) -> str:
    more = ", …" if listed.count > len(listed.names[:3]) else ""
    return f"{listed.count:,} ({', '.join(map(clean, listed.names[:3]))}{more})"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
