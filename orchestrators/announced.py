"""Announces the end of a run that somebody wants to be called back about."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import ANNOUNCE_END
from shared.contracts.callback import AnnounceEnd

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task

Pattern = Callable[["DurableOrchestrationContext"], Generator["Task[Any]", Any, dict[str, Any]]]

ANNOUNCE_LIMIT_S = 5.0
"""How long a run's result waits for its announcement, which may find no place; the delivery looks by itself anyway."""


def announced(pattern: Pattern) -> Pattern:
    """`pattern`, whose runs with a callback announce their end to its delivery; all others are as they were."""

    @functools.wraps(pattern)
    def announcing(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
        result = yield from pattern(context)
        if context.get_input().get("callback") is not None:
            given = AnnounceEnd(run_id=context.instance_id).model_dump(mode="json")
            limit = context.create_timer(context.current_utc_datetime + timedelta(seconds=ANNOUNCE_LIMIT_S))
            yield context.task_any([context.call_activity(ANNOUNCE_END, given), limit])
            if not limit.is_complete:
                cast(Any, limit).cancel()
        return result

    return announcing
