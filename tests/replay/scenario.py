"""What scenarios are made of: a register of their names, answers in an order, and histories that are saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.orchestrators.durable import ORCHESTRATORS, Durable
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.relay import Stages
from tests.orchestrators.stored_runs import StoredRuns
from tests.replay.history import History
from tests.replay.keeping import make_room

Scenario = Callable[[Durable], None]

SCENARIOS: dict[str, Scenario] = {}
STAGE_SCENARIOS: dict[str, Callable[[Stages], None]] = {}
STORED_SCENARIOS: dict[str, Callable[[StoredRuns], None]] = {}
WRITTEN: set[Path] = set()
"""The files of the histories that were recorded by this process."""


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under its name, which is also its run's id."""
    SCENARIOS[function.__name__] = function
    return function


def stage_scenario(function: Callable[[Stages], None]) -> Callable[[Stages], None]:
    """The same for a scenario of shards."""
    STAGE_SCENARIOS[function.__name__] = function
    return function


def stored_scenario(function: Callable[[StoredRuns], None]) -> Callable[[StoredRuns], None]:
    """The same for a scenario of whole runs in storage."""
    STORED_SCENARIOS[function.__name__] = function
    return function


def saved(history: History) -> None:
    """Save a history, and say so."""
    make_room(history, ORCHESTRATORS[history.orchestrator])
    print(f"{history.save().name}: {len(history.events)} events")
    WRITTEN.add(history.path)


def start_held(durable: Durable, orchestrator: str, request: JSON, *held: str) -> None:
    """Start the scenario's run; these calls, or all calls for these branches, wait."""
    durable.agents.hold(*held)
    durable.start(orchestrator, request)


def end_in_order(durable: Durable, *branches: str) -> None:
    """Let branches answer one after the other, each when the run has taken note of the one before."""
    for branch in branches:
        durable.agents.let_go(branch)
        durable.wait_until_noted(branch)


def save(durable: Durable, orchestrator: str, call: str | None = None, name: str | None = None) -> None:
    """Save the history of the scenario's run, or of one of its calls, once the run has ended."""
    durable.result()
    instance_id = durable.call_id(call) if call else durable.run_id
    saved(History(name or durable.run_id, orchestrator, instance_id, durable.history(instance_id)))
