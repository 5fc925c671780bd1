"""The one primitive: branches side by side, each a child orchestration, raced by the deadline and the cancel event.

1. Up to `max_concurrency` branches start at once, as one `task_all`.
2. More go through a sliding window: whenever one ends the next starts, so a slow one idles nobody.
3. When the run is interrupted, running branches are told to stop and waiting ones never start.
4. Outcomes come back in branch order; a branch without an account of its own gets one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from activities.names import AGENT_BRANCH, STOP_BRANCHES, branch_instance_id
from orchestrators.run import FannedOut, Run
from shared.aggregation.completion import Interruption
from shared.contracts.base import restored
from shared.contracts.branch import Branch, BranchError, BranchInput, BranchOutcome, BranchStatus

if TYPE_CHECKING:
    from durabletask.task import Task

INTERRUPTED: dict[Interruption, tuple[BranchStatus, str]] = {
    "deadline_exceeded": ("timed_out", "the run's deadline passed"),
    "cancelled": ("cancelled", "the run was cancelled"),
}


@dataclass(frozen=True, slots=True)
class Child:
    """A branch that has started."""

    task: Task[Any]
    started_at: datetime


def fan_out(run: Run, branches: Sequence[Branch]) -> Generator[Task[Any], Any, FannedOut]:
    """Run `branches`, at most `max_concurrency` at a time, until all have ended or the run is interrupted."""
    children: dict[str, Child] = {}
    if run.interruption is None and len(branches) <= run.policy.max_concurrency:
        for branch in branches:
            children[branch.name] = start(run, branch)
        yield run.until(run.context.task_all([child.task for child in children.values()]))
    else:
        yield from slide(run, deque(branches), children)
    interruption = run.interruption
    ended = {name for name, child in children.items() if child.task.is_complete}
    if unfinished := [name for name in children if name not in ended]:
        yield from stop(run, unfinished)
    # Read after stopping, because what ended meanwhile counts. A branch that was told to stop has not failed by itself.
    outcomes = [
        outcome(run, branch, children.get(branch.name), None if branch.name in ended else interruption)
        for branch in branches
    ]
    cut_short = interruption == "cancelled" or any(each.status == "timed_out" for each in outcomes)
    return FannedOut(outcomes, interruption if cut_short else None)


def slide(run: Run, waiting: deque[Branch], children: dict[str, Child]) -> Generator[Task[Any], Any]:
    """Keep `max_concurrency` branches running while any wait."""
    running: list[Task[Any]] = []
    while (waiting or running) and run.interruption is None:
        while waiting and len(running) < run.policy.max_concurrency:
            branch = waiting.popleft()
            children[branch.name] = start(run, branch)
            running.append(children[branch.name].task)
        yield run.until(*running)
        running = [task for task in running if not task.is_complete]


def start(run: Run, branch: Branch) -> Child:
    """Start the child orchestration of `branch`."""
    run_id = run.context.instance_id
    given = BranchInput(
        run_id=run_id,
        branch=branch,
        attempts=run.policy.attempts,
        timeout_s=run.policy.branch_timeout_s,
        run_deadline=run.deadline,
    )
    task = run.context.call_sub_orchestrator(
        AGENT_BRANCH, given.model_dump(mode="json"), branch_instance_id(run_id, branch.name)
    )
    return Child(task, run.context.current_utc_datetime)


def stop(run: Run, names: Sequence[str]) -> Generator[Task[Any], Any]:
    """Tell running branches to stop. `task_any` does not raise, so a failure to tell them cannot fail the run."""
    instances = [branch_instance_id(run.context.instance_id, name) for name in names]
    yield run.context.task_any([run.context.call_activity(STOP_BRANCHES, instances)])


def outcome(run: Run, branch: Branch, child: Child | None, cut_by: Interruption | None) -> BranchOutcome:
    """What became of `branch`; `child` is None when it never started, `cut_by` when it ended by itself."""
    if child is not None and child.task.is_complete and not child.task.is_failed:
        return restored(BranchOutcome, child.task.get_result())
    now = run.context.current_utc_datetime
    if child is not None and cut_by is None:
        message = f"branch {branch.name!r} ended without an outcome: {child.task.get_exception()}"
        error = BranchError(code="branch_failed", message=message, retriable=True)
        return BranchOutcome.unaccounted(branch.name, "failed", error, child.started_at, now)
    code = cut_by or "cancelled"
    status, why = INTERRUPTED[code]
    state = "before the branch ended" if child else "before the branch started"
    error = BranchError(code=code, message=f"{why} {state}", retriable=True)
    return BranchOutcome.unaccounted(branch.name, status, error, child.started_at if child else None, now)
