"""The demo: all three patterns from HTTP request to printed result, on the samples, with nothing to install or pay.

It starts the offline model (unless a real one is configured) and the app on the local host as child processes, sends
the requests under `samples/requests/`, and stops what it started.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from local_host.azurite import AzuriteError
from local_host.demo_children import ChildFailed, app_environment, environment_for, host, offline_model
from local_host.demo_report import cost_line, make_console, print_run, print_sums, progress_of
from local_host.demo_runs import DemoRun, RunFailed, perform
from local_host.demo_storage import sample_storage
from local_host.settings import SettingsError as LocalSettingsError
from shared.contracts.run import RunResult
from shared.errors import SettingsError
from shared.settings import load_model_settings

DESCRIPTION = """\
Run sectioning, voting and map-reduce on the samples over HTTP, and print the results.
Uses the model that OPENAI_API_KEY, OPENAI_BASE_URL or AZURE_OPENAI_ENDPOINT configures, else an offline one."""

RUNS = (
    DemoRun(
        "Code review",
        "Sectioning: three reviewers read samples/orders_api.py side by side; a lead reviewer joins their findings.",
        "sectioning",
        "code-review.json",
    ),
    DemoRun(
        "Policy vote",
        "Voting: five people with different duties decide about samples/data_retention_policy.md.",
        "voting",
        "policy-vote.json",
    ),
    DemoRun(
        "Policy priorities",
        "Voting in waves: voters with ready perspectives rank its weaknesses, until more of them would hardly matter.",
        "voting",
        "policy-priorities.json",
    ),
    DemoRun(
        "Incident digest",
        "Map-reduce: one agent for each report in samples/incidents/, then one for the whole.",
        "map-reduce",
        "incident-digest.json",
    ),
    DemoRun(
        "Log analysis",
        "Map-reduce: one agent for each quarter of samples/orders-api.log, then one for the story.",
        "map-reduce",
        "log-analysis.json",
    ),
)
STORED_RUNS = (
    DemoRun(
        "Database log",
        "Map-reduce in storage: 40 agents read 500 lines each of a server's log; a tree of calls makes one story.",
        "map-reduce",
        "postgres-log.json",
        "parts",
    ),
    DemoRun(
        "Invoices",
        "Map-reduce in storage: the invoices in samples/invoices/, five a call, become one table.",
        "map-reduce",
        "invoices.json",
        "documents",
    ),
    DemoRun(
        "Long report, by a tree",
        "Map-reduce in storage: the decisions about this app as one report, summed up level by level.",
        "map-reduce",
        "report-tree.json",
        "parts",
    ),
    DemoRun(
        "Long report, refined",
        "The same; one summary is improved part by part.",
        "map-reduce",
        "report-refine.json",
        "parts",
    ),
)
REAL_MODEL_SETTINGS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT")
LATENCY_S = 0.6
LATENCY_SIGMA = 0.5

INTERRUPTED = 130
NOT_SUCCEEDED = 1
NOT_STARTED = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `demo`."""
    parser.add_argument(
        "--latency",
        type=float,
        default=LATENCY_S,
        metavar="SECONDS",
        help=f"how long the offline model takes for a typical answer (default {LATENCY_S:g}; 0 answers at once)",
    )
    parser.add_argument(
        "--in-storage",
        action="store_true",
        help="run the examples whose documents are in Blob Storage instead; needs Azurite: `make azurite`",
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when every run succeeded."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    console = make_console()
    try:
        with ExitStack() as stack:
            env = _model(console, stack, args.latency)
            if args.in_storage:
                env = {**env, **stack.enter_context(sample_storage(env))}
            api_url = stack.enter_context(host(env))
            console.print(Text(f"App:    {api_url} (on the local host)\n"))
            ended = [
                (each, _show(console, api_url, number, each))
                for number, each in enumerate(STORED_RUNS if args.in_storage else RUNS, 1)
            ]
        return _conclude(console, ended)
    except (AzuriteError, ChildFailed, LocalSettingsError, SettingsError) as error:
        print(f"The demo could not start: {error}", file=sys.stderr)
        return NOT_STARTED
    except RunFailed as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return NOT_SUCCEEDED
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been stopped.", file=sys.stderr)
        return INTERRUPTED


def _model(console: Console, stack: ExitStack, latency_s: float) -> Mapping[str, str]:
    """The environment of the app, with the model that it is to call; starts the offline one if need be."""
    env = app_environment()
    if any(env.get(name, "").strip() for name in REAL_MODEL_SETTINGS):
        settings = load_model_settings(env)
        console.print(Text(f"Model:  {settings.model} ({settings.provider}, {settings.base_url}), as configured"))
        return env
    options = ["--latency", str(latency_s)]
    if latency_s > 0:
        options += ["--latency-sigma", str(LATENCY_SIGMA)]
    url = stack.enter_context(offline_model(env, *options))
    console.print(
        Text(
            f"Model:  offline-extractive at {url}: no language model, it answers with the input's own sentences "
            f"after about {latency_s:g} s"
        )
    )
    return environment_for(url, env)


def _show(console: Console, api_url: str, number: int, each: DemoRun) -> RunResult:
    console.print(Rule(Text(f" {number}. {each.title} ", style="bold"), align="left"))
    console.print(Text(f"   {each.about}"))
    console.print(Text(f"   POST {api_url}/{each.route} < samples/requests/{each.request}"))
    with progress_of(console, each.unit) as watch:
        result = perform(api_url, each, watch)
    print_run(console, each, result)
    return result


def _conclude(console: Console, ended: list[tuple[DemoRun, RunResult]]) -> int:
    print_sums(console, ended)
    missed = [(each, result) for each, result in ended if result.status != "succeeded"]
    for each, result in missed:
        print(f"{each.title} did not succeed: {cost_line(result)}. Run id: {result.id}", file=sys.stderr)
    if missed:
        return NOT_SUCCEEDED
    console.print(Text("Next: `make start` serves the app; README.md has a curl command for each of these runs."))
    return 0


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt
