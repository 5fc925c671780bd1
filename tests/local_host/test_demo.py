"""The demo as a person meets it: a process with output and an exit code; and the parts of its report."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from local_host.demo import RUNS
from local_host.demo_children import ChildFailed, child, environment_for
from local_host.demo_report import print_run, progress_of
from local_host.demo_runs import RunFailed, call
from local_host.offline_model import OfflineModel
from shared.contracts.branch import BranchError, BranchOutcome, Usage
from shared.contracts.run import Progress, RunResult, RunView
from shared.contracts.sectioning import SectioningOutput

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
NO_MODEL = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "AZURE_OPENAI_ENDPOINT": "", "CHORUS_MODEL": ""}
STARTED = datetime(2026, 4, 14, 10, 0, tzinfo=UTC)


@contextmanager
def demo(**env: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "local_host", "demo", "--latency", "0"],
        cwd=ROOT,
        env={**os.environ, **NO_MODEL, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def listens(url: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 80), timeout=1).close()
    except OSError:
        return False
    return True


def urls_in(output: str) -> tuple[str, str]:
    model = re.search(r"offline-extractive at (\S+):", output)
    app = re.search(r"App: +(\S+)", output)
    assert model is not None, output
    assert app is not None, output
    return model[1], app[1]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    said = ""
    while text not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


def test_the_demo_runs_every_pattern_prints_the_results_and_stops_what_it_started() -> None:
    with demo() as process:
        output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, errors
    assert errors == ""
    for run in RUNS:
        assert run.title in output
    assert output.count("succeeded (all_completed)") == len(RUNS)
    assert {run.route for run in RUNS} == {"sectioning", "voting", "map-reduce"}
    for told in ("security", "synthesis", "Decision: ", "privacy-counsel", "inc-2063", "reduction", "tokens"):
        assert told in output
    assert output.rstrip().splitlines()[-1].startswith("Next: ")
    assert not [url for url in urls_in(output) if listens(url)]


def test_a_log_of_the_demo_has_no_control_characters_and_no_long_lines() -> None:
    with demo() as process:
        output, _ = process.communicate(timeout=LIMIT_S)
    assert [c for c in output if c != "\n" and unicodedata.category(c) == "Cc"] == []
    assert max(len(line) for line in output.splitlines()) <= 110


async def test_a_configured_model_is_used_and_a_run_that_does_not_succeed_fails_the_demo() -> None:
    async with OfflineModel() as model:
        url = f"{model.base_url}/nowhere"
        with demo(OPENAI_BASE_URL=url, OPENAI_API_KEY="key", CHORUS_MODEL="some-model") as process:
            output, errors = await asyncio.to_thread(process.communicate, timeout=LIMIT_S)
    assert process.returncode == 1
    assert f"some-model (compatible, {url}), as configured" in output.replace("\n", " ")
    assert "security failed: the model answered 404" in output
    for run in RUNS:
        assert f"{run.title} did not succeed: failed (failure_tolerance_exceeded)" in errors


def test_a_wrong_model_setting_is_named_and_nothing_is_started() -> None:
    with demo(OPENAI_BASE_URL="http://models.example.com/v1") as process:
        output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert "The demo could not start: OPENAI_BASE_URL" in errors
    assert "https" in errors
    assert output == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_what_it_started(number: signal.Signals) -> None:
    with demo() as process:
        urls = urls_in(read_until(process, "POST "))
        process.send_signal(number)
        _, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "everything that was started has been stopped" in errors
    assert "Traceback" not in errors
    assert not [url for url in urls if listens(url)]


def test_a_demo_that_is_killed_leaves_nothing_behind() -> None:
    with demo() as process:
        urls = urls_in(read_until(process, "POST "))
        process.kill()
    deadline = time.monotonic() + LIMIT_S
    while any(listens(url) for url in urls):
        assert time.monotonic() < deadline, urls
        time.sleep(0.02)


def test_a_child_that_does_not_get_ready_is_reported_with_its_own_words(tmp_path: Path) -> None:
    with (
        child("local host", "start", "--port", "0", "--app-dir", str(tmp_path), env=os.environ) as started,
        pytest.raises(ChildFailed, match="local host ended with exit code 1 before it was ready") as failed,
    ):
        started.wait_for("Host ready")
    assert "host.json" in str(failed.value)


def test_a_child_that_says_nothing_is_given_up_and_stopped() -> None:
    with (
        child("offline model", "offline-model", "--port", "0", env=os.environ) as started,
        pytest.raises(ChildFailed, match=r"offline model did not get ready within 0\.01 s"),
    ):
        started.wait_for("never said", limit_s=0.01)
    assert started.process.returncode is not None


def test_the_app_reaches_the_offline_model_past_a_proxy_and_other_settings() -> None:
    env = environment_for("http://127.0.0.1:9/v1", {"NO_PROXY": "intranet", "AZURE_OPENAI_ENDPOINT": "https://x"})
    assert env["OPENAI_BASE_URL"] == "http://127.0.0.1:9/v1"
    assert env["AZURE_OPENAI_ENDPOINT"] == ""
    assert env["NO_PROXY"] == "intranet,127.0.0.1,localhost"


async def test_a_refused_call_tells_what_the_server_said() -> None:
    async with OfflineModel() as model:
        with pytest.raises(RunFailed, match=r"GET .*/v1/models answered 401: .*provide an API key"):
            await asyncio.to_thread(call, f"{model.base_url}/models")
    with pytest.raises(RunFailed, match="was not answered"):
        await asyncio.to_thread(call, f"{model.base_url}/models")


def an_outcome(name: str, output: str | None, error: str | None = None) -> BranchOutcome:
    return BranchOutcome(
        name=name,
        status="succeeded" if error is None else "failed",
        output=output,
        error=BranchError(code="refused", message=error, retriable=False) if error else None,
        attempts=1,
        usage=Usage(model_calls=1, total_tokens=40),
        started_at=STARTED,
        ended_at=STARTED,
    )


def a_partial_run() -> RunResult:
    return RunResult(
        id="0" * 32,
        pattern="sectioning",
        status="partial",
        completion_reason="all_completed",
        output=SectioningOutput(
            aggregation="concatenate", requested="synthesize", content="## good\n\nfine \x1b[31mred"
        ),
        missing=["bad"],
        outcomes=[an_outcome("good", "fine [bold]as written[/bold]"), an_outcome("bad", None, "declined")],
        usage=Usage(model_calls=2, total_tokens=1_234),
        started_at=STARTED,
        ended_at=STARTED + timedelta(seconds=2.5),
    )


def printed(result: RunResult) -> str:
    console = Console(file=StringIO(), width=100)
    print_run(console, RUNS[0], result)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_a_partial_run_is_printed_with_its_errors_and_its_cost() -> None:
    output = printed(a_partial_run())
    assert "bad failed: declined" in output
    assert "partial (all_completed) in 2.5 s; 1 of 2 branches, 2 model calls, 1,234 tokens" in output
    assert "concatenate" in output


def test_what_a_model_says_is_printed_as_it_is_and_cannot_steer_the_terminal() -> None:
    output = printed(a_partial_run())
    assert "fine [bold]as written[/bold]" in output
    assert "fine [31mred" in output
    assert "\x1b" not in output


def test_a_run_without_output_says_so() -> None:
    failed = a_partial_run().model_copy(update={"status": "failed", "output": None})
    assert "Code review has no output" in printed(failed)


def a_view(phase: str, done: int) -> RunView:
    return RunView.model_validate(
        {
            "id": "0" * 32,
            "pattern": "voting",
            "status": "running",
            "phase": phase,
            "progress": Progress(total=3, done=done),
            "branches": [],
            "usage": Usage(),
            "started_at": STARTED,
            "updated_at": STARTED,
        }
    )


def test_progress_in_a_log_is_one_line_for_each_change() -> None:
    console = Console(file=StringIO(), width=100)
    with progress_of(console) as show:
        for phase, done in [("pending", 0), ("branches", 0), ("branches", 0), ("branches", 2), ("done", 3)]:
            show(a_view(phase, done))
    file = console.file
    assert isinstance(file, StringIO)
    assert [line.strip() for line in file.getvalue().splitlines()] == [
        "branches: 0 of 3 branches done",
        "branches: 2 of 3 branches done",
        "done: 3 of 3 branches done",
    ]


def test_progress_on_a_terminal_is_a_bar() -> None:
    console = Console(file=StringIO(), width=100, force_terminal=True)
    with progress_of(console) as show:
        show(a_view("branches", 2))
    file = console.file
    assert isinstance(file, StringIO)
    assert "2/3" in file.getvalue()
    assert "━" in file.getvalue()
