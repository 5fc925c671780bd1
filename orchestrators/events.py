"""Events from one orchestration to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext


def send_event(context: DurableOrchestrationContext, instance: str, event: str, data: Any) -> None:
    """Send an event from an orchestrator of one argument; one to an instance that is not there is lost.

    The context that such an orchestrator gets wraps that of `durabletask`, and does not offer this.
    """
    cast(Any, context)._ctx.send_event(instance, event, data=data)
