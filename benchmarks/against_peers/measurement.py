"""One row's measurement: its own offline model, Chorus's host when it needs one, and the library's process."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from job import MATERIAL, TOPICS, Section, Setup
from measured_run import MeasuredRun
from rows import Row
from run_row import Order

HERE = Path(__file__).resolve().parent
GRACE_S = 1.0
"""How much longer than its limit a caller waits for a run: the answer at the limit must still arrive."""
START_AND_END_LIMIT_S = 90.0
SHOWN_LINES = 12
TOLERATED_BUSY_SHARE = 0.75
TOLERATED_DELAY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is the same for all rows."""

    model_options: Sequence[str]
    """Latency, faults and seed, as options of `python -m local_host offline-model`."""
    runs: int
    interval_s: float
    limit_s: float
    peers_python: Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of a row's runs, or why there were none."""

    row: Row
    runs: tuple[MeasuredRun, ...] = ()
    model_calls: int = 0
    tokens: int = 0
    busy: float | None = None
    """How much of the processors' time was used during the runs, by anybody, from 0 to 1; None when it is not known."""
    why_not: str | None = None

    @property
    def errors(self) -> Counter[str]:
        """What the library raised, by kind."""
        return Counter(run.error for run in self.runs if run.error is not None)

    @property
    def distorted(self) -> bool:
        """Whether the times say more about an overloaded machine than about the library."""
        late = any(run.late_s > TOLERATED_DELAY_S for run in self.runs)
        return late or (self.busy is not None and self.busy > TOLERATED_BUSY_SHARE)


class PeerFailed(Exception):
    """The library's process ended without a report."""


def measured(row: Row, conditions: Conditions, all_started: Callable[[], None]) -> Measurement:
    """Measure `row`; a library that crashes gives a measurement that says so. Calls `all_started` in any case."""
    try:
        with ExitStack() as stack:
            return carried_out(row, conditions, all_started, stack)
    except Exception as exc:  # noqa: BLE001 one bad library must not end the benchmark
        return Measurement(row, why_not=f"{type(exc).__name__}: {exc}")
    finally:
        all_started()


def carried_out(row: Row, conditions: Conditions, all_started: Callable[[], None], stack: ExitStack) -> Measurement:
    """Start what the row needs, run it, and read its report."""
    from local_host.demo_children import environment_for, host, offline_model

    model_url = stack.enter_context(offline_model(os.environ, *conditions.model_options))
    env = environment_for(model_url, os.environ)
    api_url = stack.enter_context(host(env)) if row.needs_host else None
    setup = Setup(sections(), row.options, conditions.limit_s, api_url)
    order = Order(
        module=row.module,
        setup=setup.to_json(),
        admin_url=f"{model_url.removesuffix('/v1')}/admin",
        runs=conditions.runs,
        interval_s=conditions.interval_s,
        patience_s=conditions.limit_s + GRACE_S,
    )
    report = final_report(order, conditions.peers_python, env, all_started)
    if report["event"] == "cannot_run":
        return Measurement(row, why_not=report["why"])
    statistics = report["statistics"]
    return Measurement(
        row,
        tuple(MeasuredRun(**each) for each in report["runs"]),
        statistics["calls"],
        statistics["tokens"]["total"],
        report["busy"],
    )


def sections() -> tuple[Section, ...]:
    """The job, with the prompts exactly as Chorus sends them."""
    from shared.prompts import instructions_for, section_prompt

    return tuple(
        Section(
            name=topic.replace(" ", "-"),
            instructions=(instructions := f"What does the report say about {topic}? Answer in one sentence."),
            system=instructions_for(instructions),
            user=section_prompt(MATERIAL),
        )
        for topic in TOPICS
    )


def final_report(order: Order, python: Path, env: dict[str, str], all_started: Callable[[], None]) -> dict[str, Any]:
    """Run the library's process to its end and return its last event; kill it when it takes far too long."""
    longest_s = START_AND_END_LIMIT_S + order.runs * (order.interval_s or order.patience_s) + order.patience_s
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            [python, HERE / "run_row.py"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            encoding="utf-8",
        )
        watchdog = threading.Timer(longest_s, process.kill)
        watchdog.start()
        try:
            event = last_event(process, order, all_started)
        finally:
            watchdog.cancel()
        if event is None:
            output.seek(0)
            last_lines = "\n".join(output.read().splitlines()[-SHOWN_LINES:])
            raise PeerFailed(f"the process ended with code {process.returncode} and no report:\n{last_lines}")
        return event


def last_event(process: subprocess.Popen[str], order: Order, all_started: Callable[[], None]) -> dict[str, Any] | None:
    """Give the order and read the report; None when the process ended before its last event."""
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError), process.stdin:  # one that ended at once has said why on stderr
            process.stdin.write(json.dumps(asdict(order)))
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] != "started":
                return event
            all_started()
    return None
