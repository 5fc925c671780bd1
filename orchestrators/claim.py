"""A claim on an idempotency key: an orchestration that does nothing but be there for as long as the key holds.

Its instance id is made of the key, its input says which run the key stands for. A task hub keeps others from taking
the id of an orchestration that goes on, and lets them take that of one that has ended.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activities.names import RUN_STARTED_EVENT
from shared.contracts.claim import STARTED

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

KEY_HOLDS_H = 24
"""For how many hours a re-send is answered with the first run; afterwards the same key starts another one."""


def claim(context: DurableOrchestrationContext) -> Generator[Task[Any], Any]:
    """Hold the key's instance id; the input is a `Claim`, which those read who come with the key again.

    Its custom status is `STARTED` once the run was started: a run that is gone after that was purged, and not lost.
    """
    over = context.create_timer(context.current_utc_datetime + timedelta(hours=KEY_HOLDS_H))
    yield context.task_any([context.wait_for_external_event(RUN_STARTED_EVENT), over])
    if not over.is_complete:
        context.set_custom_status(STARTED)
        yield over
