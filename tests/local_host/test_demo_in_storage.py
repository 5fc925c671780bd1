"""The demo's runs in storage: as a process, and what it prints of such runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local_host.demo import STORED_RUNS
from local_host.demo_report import cost_line, print_run, print_sums, progress_of
from shared.contracts.branch import BranchError, Usage
from shared.contracts.run import Counts, Progress, RunResult, RunView
from shared.contracts.storage import StoredFiles
from shared.contracts.stored_reduction import Listed, StoredReduction

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
NO_MODEL = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "AZURE_OPENAI_ENDPOINT": "", "CHORUS_MODEL": ""}
STARTED = datetime(2026, 4, 14, 10, 0, tzinfo=UTC)
FILES = StoredFiles(
    container="results",
    folder="runs/1/",
    documents="runs/1/documents/",
    results="runs/1/results.jsonl",
    output="runs/1/output.txt",
)


def run_demo(**env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_host", "demo", "--in-storage", "--latency", "0"],
        cwd=ROOT,
        env={**os.environ, **NO_MODEL, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_the_large_examples_run_to_their_answers() -> None:
    proxy = "http://127.0.0.1:1"  # where nobody is: what stays on this machine goes past it
    ended = run_demo(HTTP_PROXY=proxy, HTTPS_PROXY=proxy, http_proxy=proxy, https_proxy=proxy)
    assert (ended.returncode, ended.stderr) == (0, "")
    output = ended.stdout
    assert output.count("succeeded (all_completed)") == len(STORED_RUNS) == 4
    assert "40 of 40 parts of 1 document" in output
    assert "40 of 40 documents" in output
    assert "branches" not in output
    for incident in ("password authentication failed", "deadlock detected", 'column "loyalty_points" does not exist'):
        assert incident in " ".join(re.sub(r"[┃\s]+", " ", output).split())
    assert re.search(r"007-brandt\.txt +RE-2026-1049 +Brandt & Söhne GmbH +2026-07-14 +2026-07-28 +EUR", output)
    assert "the first 8 of 40 rows; names are those in invoices/" in output
    assert re.search(r"tree: \d+ \+ 1 calls, level by level", output)
    assert re.search(r"refine: 1 \+ 1", output)
    assert max(map(len, output.splitlines())) <= 110


def test_without_azurite_it_says_what_to_do_and_starts_nothing() -> None:
    ended = run_demo(PATH="/nonexistent")
    assert ended.returncode == 2
    assert "The demo could not start: Azurite is not installed: install Node.js" in ended.stderr
    assert "App:" not in ended.stdout


def a_result(output: StoredReduction | None, **fields: object) -> RunResult:
    return RunResult.model_validate(
        {
            "id": "0" * 32,
            "pattern": "map_reduce",
            "status": "succeeded",
            "completion_reason": "all_completed",
            "output": output,
            "usage": Usage(model_calls=9, total_tokens=1_234),
            "started_at": STARTED,
            "ended_at": STARTED + timedelta(seconds=2.5),
            "files": FILES,
            "counts": Counts(documents=3, works=40, pages=1, succeeded=38, failed=2),
            **fields,
        }
    )


def a_reduction(**fields: object) -> StoredReduction:
    told = {"reduction": "tree", "requested": "tree", "content": "All is well.", "output": "runs/1/output.txt"}
    return StoredReduction.model_validate({**told, "documents": 3, **fields})


def printed(result: RunResult) -> str:
    console = Console(file=StringIO(), width=100)
    print_run(console, STORED_RUNS[0], result)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_an_answer_is_printed_with_what_it_rests_on_and_where_it_is() -> None:
    output = printed(a_result(a_reduction(calls_per_level=[5, 1])))
    assert "All is well." in output
    assert "tree: 5 + 1 calls, level by level; rests on 3 documents" in output
    assert "files in the container 'results', folder runs/1/" in output
    assert re.search(r"output\.txt +the answer", output)
    assert "manifest" not in output
    assert "38 of 40 parts of 3 documents, 9 model calls, 1,234 tokens" in output


def test_what_is_not_in_an_answer_is_named() -> None:
    clipped, unreduced = Listed(count=1, names=["~reduce-1-1"]), Listed(count=9, names=["a", "b", "c", "d"])
    output = printed(a_result(a_reduction(clipped=clipped, unreduced=unreduced), missing=["x.txt", "y.txt"]))
    assert "without 2 (x.txt, y.txt)" in output
    assert "not all of 9 (a, b, c, …)" in " ".join(output.split())
    assert "cut for the next call: 1 (~reduce-1-1)" in " ".join(output.split())


def test_a_long_answer_is_cut_at_a_word() -> None:
    output = printed(a_result(a_reduction(content="word " * 5_000)))
    assert "word …" in output
    assert re.search(r"22,\d\d\d more characters in the file", output)


@pytest.mark.parametrize("content", ["", None, {"a": 1}, "one line"])
def test_any_answer_can_be_printed(content: object) -> None:
    assert "rests on" in printed(a_result(a_reduction(content=content)))


@pytest.mark.parametrize(
    "text",
    ["", "document,total\n", "document\nin/a\n", "document,total\nin/a,3\nb,\n", 'document,x\na,"\x1b[31m\n2"\n'],
)
def test_any_table_can_be_printed(text: str) -> None:
    output = printed(a_result(a_reduction(reduction="table", requested="table", content=text)))
    assert "table: without a call" in output
    assert "\x1b" not in output


def test_a_run_that_could_not_begin_says_why() -> None:
    error = BranchError(code="no_documents", message="there are no documents", retriable=False)
    failed = {"status": "failed", "completion_reason": "planning_failed", "counts": None, "error": error}
    assert "no_documents: there are no documents" in printed(a_result(None, **failed))


def test_the_sums_count_works_and_not_branches() -> None:
    console = Console(file=StringIO(), width=110)
    result = a_result(a_reduction())
    print_sums(console, [(STORED_RUNS[0], result)])
    assert isinstance(console.file, StringIO)
    assert "38/40" in console.file.getvalue()
    assert "branches" not in console.file.getvalue()
    whole = a_result(None, counts=Counts(documents=40, works=40, pages=1, succeeded=40))
    assert "; 40 of 40 documents, " in cost_line(whole)


def a_view(phase: str, done: int, total: int) -> RunView:
    progress = {"progress": Progress(total=total, done=done), "branches": [], "usage": Usage()}
    times = {"started_at": STARTED, "updated_at": STARTED}
    told = {
        "id": "0" * 32,
        "pattern": "map_reduce",
        "status": "running",
        "phase": phase,
        "rate": 4.0,
        "remaining_s": 5.0,
    }
    return RunView.model_validate({**told, **progress, **times})


def test_progress_in_a_log_has_a_line_for_each_tenth() -> None:
    console = Console(file=StringIO(), width=100)
    with progress_of(console, "parts") as show:
        show(a_view("planning", 0, 0))
        for done in range(101):
            show(a_view("branches", done, 100))
    assert isinstance(console.file, StringIO)
    lines = [line.strip() for line in console.file.getvalue().splitlines()]
    assert lines == ["planning", *(f"map: {done} of 100 parts done" for done in range(0, 101, 10))]


def test_progress_on_a_terminal_tells_how_long_it_still_takes() -> None:
    console = Console(file=StringIO(), width=100, force_terminal=True)
    with progress_of(console, "parts") as show:
        show(a_view("branches", 40, 60))
    assert isinstance(console.file, StringIO)
    assert "40/60" in console.file.getvalue()
    assert "4.0 a second, 5 s left" in console.file.getvalue()
