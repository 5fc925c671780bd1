"""An activity that a run waits for by itself, beside its fan-outs: tried again, and given up when it must be."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from orchestrators.run import Run
from shared.backoff import retry_delay_s

if TYPE_CHECKING:
    from durabletask.task import Task

    from shared.contracts.base import Contract

STEP_ATTEMPTS = 3
"""Of a step. Each has gone on about storage for half a minute before it fails."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a step: its answer, or why it failed. Neither, when it was given up."""

    answer: dict[str, Any] | None = None
    failure: str | None = None


def step(run: Run, activity: str, given: Contract, give_up: Sequence[Task[Any]]) -> Generator[Task[Any], Any, Step]:
    """Call `activity` until it has an answer, or one of the tasks `give_up` is complete."""
    failure = ""
    for attempt in range(1, STEP_ATTEMPTS + 1):
        call = run.context.call_activity(activity, given.model_dump(mode="json"))
        yield run.context.task_any([call, *give_up])
        if not call.is_complete:
            return Step()
        if not call.is_failed:
            return Step(answer=call.get_result())
        failure = str(call.get_exception())
        if attempt < STEP_ATTEMPTS and not (yield from _paused(run, activity, attempt, give_up)):
            return Step()
    return Step(failure=failure)


def _paused(run: Run, activity: str, attempt: int, give_up: Sequence[Task[Any]]) -> Generator[Task[Any], Any, bool]:
    """Wait before the next attempt; False if there is to be none."""
    wait_s = retry_delay_s(attempt, None, key=f"{run.context.instance_id}:{activity}")
    pause = run.context.create_timer(run.context.current_utc_datetime + timedelta(seconds=wait_s))
    yield run.context.task_any([pause, *give_up])
    if pause.is_complete:
        return True
    cast(Any, pause).cancel()
    return False
